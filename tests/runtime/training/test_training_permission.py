"""Where money trades, nothing is trained if the settings say so."""

from __future__ import annotations

import pytest

from ares.bootstrap.training import require_training_allowed
from ares.config.settings import LearningSettings, LiveTradingSettings, Settings
from ares.domain.errors import UserError


@pytest.mark.parametrize(
    ("in_production", "mode", "enabled", "refused"),
    [
        (True, "live", True, False),
        (False, "paper", False, False),
        (False, "live", False, True),
        (False, "live", True, True),
        (False, "paper", True, True),
    ],
)
def test_training_is_refused_where_money_trades(
    in_production: bool, mode: str, enabled: bool, refused: bool
) -> None:
    settings = Settings(
        learning=LearningSettings(in_production=in_production),
        live_trading=LiveTradingSettings(mode=mode, enabled=enabled),
    )
    if not refused:
        require_training_allowed(settings)
        return
    with pytest.raises(UserError, match=r"learning\.in_production is false") as raised:
        require_training_allowed(settings)
    assert "\n" not in str(raised.value)
