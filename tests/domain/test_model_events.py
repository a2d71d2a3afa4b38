"""Events about models: a stage, an action or a trigger that does not exist is refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ares.domain.model import Ensemble, Member
from ares.domain.model_events import (
    ModelPublished,
    RetrainingEnded,
    RetrainingStarted,
    SlotChangeRequested,
)
from ares.domain.timeframe import Timeframe

ENSEMBLE = Ensemble(
    "binance:BTC/USDT", (Member(Timeframe.H1, "a", "20230420_000000", "p", 1.0),), Timeframe.H1,
    1.0, 0.0, 12, 1.0, 30.0, 1.0, 0.9, 22.0, "r", "f",
)  # fmt: skip
PUBLISHED = ModelPublished(1, 0, ENSEMBLE, "shadow", True, "v", "me", "why")
ENDED = RetrainingEnded(
    9, 0, "drift", 5, 4, 1_000, 0.6, "e", "v", False, ("trades",), "refused", epochs=3
)


def decoded(event: msgspec.Struct, **changes: Any) -> Any:
    """Return an event read from a journal in which some of its fields were changed."""
    content = msgspec.to_builtins(event) | changes
    return msgspec.msgpack.decode(msgspec.msgpack.encode(content), type=type(event))


@pytest.mark.parametrize("stage", ["canary", "former", "Champion", ""])
def test_an_ensemble_is_published_as_a_shadow_or_a_champion_only(stage: str) -> None:
    assert decoded(PUBLISHED, stage="champion").stage == "champion"
    with pytest.raises(msgspec.ValidationError, match="stage"):
        decoded(PUBLISHED, stage=stage)


def test_actions_triggers_and_outcomes_that_do_not_exist_are_refused() -> None:
    request = SlotChangeRequested(1, 0, "promote", "me", "why")
    started = RetrainingStarted(1, 0, "manual", "why")
    assert decoded(request, action="rollback").action == "rollback"
    for event, change in (
        (request, {"action": "archive"}),
        (started, {"trigger": "boredom"}),
        (ENDED, {"outcome": "passed"}),
    ):
        with pytest.raises(msgspec.ValidationError, match="Invalid enum value"):
            decoded(event, **change)


def test_a_published_ensemble_keeps_its_identity() -> None:
    assert decoded(PUBLISHED).ensemble.hash == ENSEMBLE.hash
