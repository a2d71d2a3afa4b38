"""Settings of the gate: limits that would let everything pass, or nothing, are refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from ares.config.promotion import PromotionSettings


def test_evidence_is_the_default_rule() -> None:
    settings = PromotionSettings()
    assert settings.rule == "evidence"
    assert settings.beaten == ("flat", "buy_and_hold", "sma_cross")
    assert settings.pbo_max is None
    assert settings.drawdown_max is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("alpha_flat", 0.0), ("alpha_better", 1.0), ("alpha_not_worse", 1.0), ("margin_sds", 0.0),
        ("trades_min", 0), ("parity_difference_max", 0.5), ("inference_us_max", 0.0),
        ("rule", "luck"), ("beaten", ("moon",)), ("dsr_min", 95.0),
    ],
)  # fmt: skip
def test_a_limit_that_judges_nothing_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValidationError):
        PromotionSettings(**{name: value})
