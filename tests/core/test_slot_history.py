"""The fold of a journal agrees with the engine's own slots after every event."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from ares.core.slot import EMPTY, Slot
from ares.core.slot_history import KnownSlots, SlotHistory
from ares.domain.events import RunStarted
from ares.domain.model_events import ModelPublished, SlotChanged, SlotChangeRequested


def without_times(slots: list[Slot]) -> list[Slot]:
    """A fact has the time of the last bar; the engine's slot that of the publication."""
    return [msgspec.structs.replace(slot, since_ms=0) for slot in slots]


class Folded:
    """An engine, and the fold of its events and effects, as if from its journal."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.history = SlotHistory()
        self.history.add(RunStarted(engine.state.setup), [])
        take = engine.take

        def take_both(event: Any) -> None:
            n = len(engine.moves)
            take(event)
            self.history.add(event, engine.moves[n:])
            assert without_times(self.history.slots) == without_times(engine.state.slots)

        engine.take = take_both


@pytest.mark.parametrize("seed", range(8))
def test_the_fold_has_the_engines_slots_whatever_happens(engine_of: Any, seed: int) -> None:
    draw = random.Random(seed)
    engine = engine_of(previous=engine_of.ensemble("before") if seed % 2 else None)
    Folded(engine)
    for k in range(40):
        match draw.randrange(6):
            case 0 | 1:
                engine.publish(f"{k}", draw.choice(["v", ""]), draw.choice(["shadow", "champion"]))
            case 2:
                action: Any = draw.choice(["promote", "rollback", "dismiss"])
                engine.take(SlotChangeRequested(engine.now_ms, 0, action, "ada", "test"))
            case 3:
                lane = draw.randrange(2)
                engine.trades(lane, draw.choice([0.01, 0.9]), 20)
            case _:
                engine.bars(draw.choice([1, 60, 150]))
    assert len({move.move for move in engine.moves}) >= 3


def test_champion_challenger_and_the_other_lane(engine_of: Any) -> None:
    engine = engine_of()
    history = Folded(engine).history
    assert (history.champion(0), history.lane(0, "shadow")) == (0, None)
    engine.publish("second")
    assert (history.champion(0), history.lane(0, "canary", "shadow")) == (0, 1)
    assert [history.challenges_champion(lane) for lane in (0, 1)] == [False, True]
    engine.take(SlotChangeRequested(engine.now_ms, 0, "promote", "ada", "test"))
    assert (history.champion(0), history.slots[0].stage) == (1, "former")
    assert history.ensemble(engine_of.ensemble("second").hash) == engine_of.ensemble("second")


def test_a_refit_and_its_verdict_are_those_of_its_publication(engine_of: Any) -> None:
    engine = engine_of()
    history = Folded(engine).history
    event = ModelPublished(
        engine.now_ms, 0, engine_of.ensemble("refit"), "shadow", True, "verdict", "a", "b"
    )
    engine.take(event)
    slot = history.slots[1]
    assert (slot.refit, slot.verdict_hash, slot.ensemble) == (
        True,
        "verdict",
        engine_of.ensemble("refit"),
    )


def test_a_change_gives_the_slots_before_and_after(engine_of: Any) -> None:
    engine = engine_of()
    engine.publish("second")
    (change,) = SlotHistory(engine.state.setup).add(
        ModelPublished(
            engine.now_ms, 0, engine_of.ensemble("second"), "shadow", False, "v", "ada", ""
        ),
        engine.moves,
    )
    assert change.before[1] == EMPTY
    assert without_times([*change.after.values()]) == without_times(engine.state.slots)


def test_an_ensemble_that_was_never_published_is_known_by_its_hash(engine_of: Any) -> None:
    history = SlotHistory(engine_of().state.setup)
    fact = SlotChanged(0, 5, "published", "h", ("", "h"), ("empty", "shadow"), "p", "a", "b")
    change = history.apply(fact)
    assert history.slots[1] == Slot(None, "shadow", 5, hash="h")
    assert change.previous is None
    assert msgspec.structs.replace(history.slots[0], since_ms=0) == EMPTY


def test_a_journal_must_begin_with_its_setup() -> None:
    with pytest.raises(ValueError, match="does not begin with RunStarted"):
        SlotHistory().setup  # noqa: B018 - the property raises


@pytest.mark.parametrize("seed", range(8))
def test_a_fold_goes_on_from_what_was_known_and_what_it_forgets_never_comes_back(
    engine_of: Any, seed: int
) -> None:
    draw = random.Random(seed)
    engine = engine_of(previous=engine_of.ensemble("before"))
    history, n, published = SlotHistory(engine.state.setup), 0, 0
    take = engine.take

    def take_both(event: Any) -> None:
        nonlocal history, n
        take(event)
        history.add(event, engine.moves[n:])
        n = len(engine.moves)
        assert without_times(history.slots) == without_times(engine.state.slots)
        raw = msgspec.msgpack.encode(history.known())
        history = SlotHistory.of(msgspec.msgpack.decode(raw, type=KnownSlots))
        if engine.moves:
            history.forget({engine.moves[-1].previous_hash})
            assert len(history.known().ensembles) <= 3

    engine.take = take_both
    for k in range(60):
        if draw.random() < 0.5:
            published += 1
            engine.publish(f"{k}", draw.choice(["v", ""]), draw.choice(["shadow", "champion"]))
        else:
            action: Any = draw.choice(["promote", "rollback", "dismiss"])
            engine.take(SlotChangeRequested(engine.now_ms, 0, action, "ada", "test"))
    assert published > 10
