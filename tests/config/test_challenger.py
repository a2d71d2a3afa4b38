"""Settings of challengers: shares and probabilities lie strictly within their bounds."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from ares.config.challenger import ChallengerSettings


@pytest.mark.parametrize("name", ["canary_share", "alpha_worse"])
@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, 1.5])
def test_a_canary_never_has_nothing_or_everything(name: str, value: float) -> None:
    with pytest.raises(ValidationError):
        ChallengerSettings(**{name: value})


def test_stages_may_be_skipped_but_not_negative() -> None:
    assert ChallengerSettings(shadow_hours=0.0, canary_hours=0.0).shadow_hours == 0.0
    for name in ("shadow_hours", "canary_hours"):
        with pytest.raises(ValidationError):
            ChallengerSettings(**{name: -1.0})
