"""The way of a challenger through a run: shadow, canary, champion, and out again; and its modes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.no_gap import assert_no_gap

from ares.domain.events import BY_CONFIDENCE, BarsClosed, DecisionMade, ModeChanged, TradeClosed
from ares.domain.model_events import (
    ArmsCompared,
    ModelPublished,
    SlotChanged,
    SlotChangeRefused,
)
from ares.domain.order_events import SubmitOrder
from ares.domain.timeframe import HOUR_MS, MINUTE_MS
from ares.journal.run import entries
from ares.runtime.engine.plan import RunPlan
from ares.runtime.replay.certify import certify
from ares.runtime.replay.restep import restep


def test_the_rollout_goes_its_way(swaps: Any, busy: tuple[Path, RunPlan]) -> None:
    moves = [(m.instrument, m.move, m.stages) for m in swaps.facts(busy[0], SlotChanged)]
    assert (0, "published", ("champion", "shadow")) in moves
    assert (0, "canary", ("champion", "canary")) in moves
    assert (0, "promoted", ("former", "champion")) in moves
    assert (1, "promoted", ("former", "champion")) in moves
    assert (1, "rolled_back", ("champion", "withdrawn")) in moves
    assert (0, "published", ("champion", "former")) in moves  # a champion at once, beside the old
    assert (0, "rolled_back", ("withdrawn", "champion")) in moves
    assert (1, "dismissed", ("champion", "empty")) in moves
    refused = [fact.reason for fact in swaps.facts(busy[0], SlotChangeRefused)]
    assert "it is in a lane already" in refused
    assert any("made for" in reason for reason in refused)
    assert "there is no challenger" in refused
    canary = [m for m in swaps.facts(busy[0], SlotChanged) if m.move == "canary"]
    changed = [m for m in swaps.facts(busy[0], SlotChanged) if m.move == "promoted"]
    assert all(
        HOUR_MS <= b.ts_ms - a.ts_ms <= 2 * HOUR_MS for a, b in zip(canary, changed, strict=True)
    )


def test_both_arms_trade_with_their_share(swaps: Any, busy: tuple[Path, RunPlan]) -> None:
    canaries, entries_of = [], []
    stage: dict[int, str] = {}
    for entry in entries(busy[0]):
        for effect in entry.effects:
            if isinstance(effect, SlotChanged):
                lanes = (effect.instrument, effect.instrument + 2)
                stage |= dict(zip(lanes, effect.stages, strict=True))
            if isinstance(effect, SubmitOrder) and effect.kind == "entry":
                entries_of.append(stage.get(effect.instrument, "champion"))
                if stage.get(effect.instrument) == "canary":
                    canaries.append(effect)
    assert canaries
    assert set(entries_of) <= {"champion", "canary"}
    comparisons = swaps.facts(busy[0], ArmsCompared)
    assert comparisons
    assert all(one.e_better >= 0.0 and one.e_worse >= 0.0 and one.steps > 0 for one in comparisons)
    virtual = [t for t in swaps.facts(busy[0], TradeClosed) if t.instrument >= 2 and t.virtual]
    assert virtual


def test_a_champion_whose_evidence_turns_leaves_within_the_bar(
    world: Any, swaps: Any, tmp_path: Path
) -> None:
    """A model that buys whatever falls is seated as champion: the one before it comes back."""
    btc = world.ensemble(world.btc)
    bad = swaps.variant(btc, "x" * 30, gain=3.0)  # sure of every trade
    plan = swaps.plan(confidence_min=0.45)
    at = world.from_ms + 10 * MINUTE_MS
    swaps.run(tmp_path / "run", plan, [swaps.published(at, 0, bad, "champion")])
    moves = [m for m in swaps.facts(tmp_path / "run", SlotChanged) if m.instrument == 0]
    fallen = [m for m in moves if m.move in ("rolled_back", "withdrawn")]
    assert [m.move for m in fallen][:1] == ["rolled_back"]
    back = fallen[0]
    assert back.lane_hashes[back.stages.index("champion")] == btc.hash
    assert back.ensemble_hash == bad.hash
    assert back.who == "engine"
    assert "confidence" in back.reason
    # No entry of the fallen one at the instant of its fall or after.
    lane = back.lane_hashes.index(bad.hash) * 2
    late = [
        e
        for entry in entries(tmp_path / "run")
        if isinstance(entry.event, BarsClosed) and entry.event.ts_ms >= back.ts_ms
        for e in entry.effects
        if isinstance(e, SubmitOrder) and e.instrument == lane and e.kind == "entry"
    ]
    assert not late
    assert restep(tmp_path / "run", world.models, None, swaps.opener()).mismatches == 0
    assert certify(tmp_path / "run", world.models, None, swaps.opener()).mismatches == 0
    assert_no_gap(tmp_path / "run")


def modes_follow_the_transitions(folder: Path) -> list[str]:
    """Check that at every close the mode of each champion is what the transitions led to.

    Returns the reasons of the transitions that came with another champion, or with none.
    """
    mode: dict[int, str] = {}
    reasons: list[str] = []
    stages = ["champion", "champion", "empty", "empty"]
    for entry in entries(folder):
        for effect in entry.effects:
            if isinstance(effect, SlotChanged):
                stages[effect.instrument :: 2] = effect.stages
            if isinstance(effect, ModeChanged):
                i = effect.instrument % 2
                if effect.reason != BY_CONFIDENCE:
                    reasons.append(effect.reason)
                    assert mode.get(i, effect.before) == effect.before
                if effect.reason != BY_CONFIDENCE or stages[effect.instrument] == "champion":
                    mode[i] = effect.after
        moved = any(isinstance(e, SlotChanged) for e in entry.effects)
        for decided in (e for e in entry.effects if isinstance(e, DecisionMade) and not moved):
            modes = np.frombuffer(decided.outputs).reshape(5, -1)[4]
            for lane in (x for x in range(4) if stages[x] == "champion"):
                now = "TRADING" if modes[lane] else "LEARNING"
                assert mode.setdefault(lane % 2, now) == now
    return reasons


def test_modes_follow_from_the_transitions(busy: tuple[Path, RunPlan]) -> None:
    modes_follow_the_transitions(busy[0])


def test_without_a_champion_before_it_nobody_trades(swaps: Any, tmp_path: Path) -> None:
    plan = swaps.plan(confidence_min=0.9)
    swaps.run(tmp_path / "run", plan, [])
    moves = swaps.facts(tmp_path / "run", SlotChanged)
    assert moves
    assert {m.move for m in moves} == {"withdrawn"}
    reasons = modes_follow_the_transitions(tmp_path / "run")
    assert reasons
    assert all(reason.startswith("withdrawn: ") for reason in reasons)
    gone_ms = {m.instrument: m.ts_ms for m in moves}
    for entry in entries(tmp_path / "run"):
        for e in entry.effects:
            if isinstance(e, SubmitOrder) and e.kind == "entry" and e.instrument in gone_ms:
                assert isinstance(entry.event, BarsClosed)
                assert entry.event.ts_ms <= gone_ms[e.instrument]


@pytest.mark.parametrize("refit", [True, False])
def test_a_refit_begins_with_what_its_recipe_has_shown(
    world: Any, swaps: Any, tmp_path: Path, refit: bool
) -> None:
    """Newer data do not undo losses; another recipe begins with its own validation."""
    btc = world.ensemble(world.btc)
    at = world.from_ms + 240 * MINUTE_MS
    _, event = swaps.published(at, 0, swaps.variant(btc, "newer"), "champion")
    assert isinstance(event, ModelPublished)
    event = msgspec.structs.replace(event, refit=refit)
    plan = swaps.plan(confidence_min=0.0)
    swaps.run(tmp_path / "run", plan, [(at, event)])
    expected = {
        d.ts_ms: np.frombuffer(d.outputs).reshape(5, -1)[3]
        for d in swaps.facts(tmp_path / "run", DecisionMade)
    }
    before, after = expected[at - MINUTE_MS], expected[at]  # published between these two closes
    assert 0.0 < before[0] < 1.0
    assert bool(after[2] == before[0]) == refit
    assert certify(tmp_path / "run", world.models, None, swaps.opener()).mismatches == 0
    assert_no_gap(tmp_path / "run")
