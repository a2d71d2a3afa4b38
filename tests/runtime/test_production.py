"""Where money trades, nothing is trained if the settings say so."""

from __future__ import annotations

import pytest

from ares.config.settings import Learning, LiveTrading, Settings
from ares.domain.errors import UserMistake
from ares.runtime.production import insist_training_allowed


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
        learning=Learning(in_production=in_production),
        live_trading=LiveTrading(mode=mode, enabled=enabled),
    )
    if not refused:
        insist_training_allowed(settings)
        return
    with pytest.raises(UserMistake, match=r"learning\.in_production is false") as raised:
        insist_training_allowed(settings)
    assert "\n" not in str(raised.value)
