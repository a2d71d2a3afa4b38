"""Challengers: published, shadow, canary, champion; and withdrawn when the edge is lost.

The rules are applied at the end of a closing instant, and their result takes effect at once: a
champion whose edge is lost does not trade one bar longer. Any of three findings withdraws it:

- its mode confidence falls below ``confidence_min`` after ``TRADES_MIN`` trades of its own,
- the sequential test for a lost edge rejects,
- the champion before it, which goes on beside it with virtual trades, is shown to be better.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np

from ares.core.facts import mode_name
from ares.core.models import Models
from ares.core.slot import COMPARED_STAGES, Slot, lanes_of, slot_of
from ares.core.slots import (
    BOUND_BPS_MIN,
    apply_slots,
    challenger_lane,
    champion_lane,
    other_lane,
)
from ares.core.state import State
from ares.domain.events import Effect, ModeChanged, TradeClosed
from ares.domain.model import Ensemble
from ares.domain.model_events import (
    ArmsCompared,
    ModelPublished,
    Move,
    SlotChanged,
    SlotChangeRefused,
    SlotChangeRequested,
    Stage,
)
from ares.domain.run import ChallengerRules
from ares.domain.timeframe import DAY_MS, HOUR_MS
from ares.kernel.bars import F64
from ares.kernel.e_process import step_detector, step_test
from ares.kernel.live import OUT_BARRIER
from ares.kernel.trade.arm_pnl import arm_values
from ares.kernel.trade.layout import MODE_LEARNING, Records

TRADES_MIN = 10
"""Trades of its own after which the mode confidence may withdraw an ensemble."""

ENGINE = "engine"
LOG_E_MAX = 690.0


class Cause(NamedTuple):
    """Who changes a slot, and why."""

    who: str
    reason: str


@dataclass(frozen=True, slots=True)
class SlotChange:
    """A change of an instrument's slots.

    lane     : of the ensemble that moves, which may enter or leave it with this change.
    slots    : the new slots, by lane.
    previous : the champion that a later rollback restores.
    """

    move: Move
    lane: int
    slots: dict[int, Slot]
    previous: Ensemble | None
    cause: Cause


def on_published(state: State, event: ModelPublished, models: Models) -> list[Effect]:
    """Assign a published ensemble to a lane; or refuse it, and change nothing."""
    objection = _objection(state, event, models)
    if objection:
        return [SlotChangeRefused(event.instrument, event.ts_ms, event.ensemble.hash, objection)]
    i, now_ms = event.instrument, state.now_ms  # the market's time, as of every other change
    if event.from_registry:
        state.taken_champions[event.ensemble.instrument] = event.ensemble.hash
    champion, other = champion_lane(state, i), other_lane(state, i)
    present = _lane_with(state, i, event.ensemble.hash)
    if present is not None:
        cause = Cause(event.who, event.reason)
        return [] if present == champion else _promote(state, i, present, cause, models)
    previous = state.previous_champions[i]
    slots: dict[int, Slot] = {}
    if event.stage == "champion" and champion is not None:
        previous = state.slots[champion].ensemble
        if other is not None:
            slots[champion] = _staged(state, champion, "former", now_ms)
    lane = champion if other is None else other
    assert lane is not None
    slots[lane] = slot_of(event.ensemble, event.stage, now_ms, event.refit, event.verdict_hash)
    cause = Cause(event.who, event.reason)
    return _apply(state, i, SlotChange("published", lane, slots, previous, cause), models)


def _objection(state: State, event: ModelPublished, models: Models) -> str:
    """Return why an ensemble cannot be assigned to a lane; empty: it can."""
    setup, i, ensemble = state.setup, event.instrument, event.ensemble
    if not 0 <= i < setup.n_instruments:
        return f"there is no instrument {i} in this run"
    key = setup.instruments[i].spec.instrument.key
    if ensemble.instrument != key:
        return f"it was made for {ensemble.instrument}, not for {key}"
    missing = [m.timeframe.value for m in ensemble.members if m.timeframe not in setup.timeframes]
    if missing:
        return f"the engine makes no {', '.join(missing)} bars"
    if any(member.package_hash not in models.scorers for member in ensemble.members):
        return "one of its packages was not loaded"
    champion = champion_lane(state, i)
    present = "" if champion is None else state.slots[champion].hash
    if not present.startswith(event.expected):
        return f"the champion is {present[:12] or 'none'} by now, not {event.expected[:12]}"
    if not event.from_registry and _lane_with(state, i, ensemble.hash) is not None:
        return "it is in a lane already"
    if event.stage == "shadow" and not setup.challenger_lanes:
        return "this run has no lane for challengers"
    if event.stage == "shadow" and other_lane(state, i) is None:
        return "no lane is free"
    return ""


def _lane_with(state: State, i: int, ensemble_hash: str) -> int | None:
    """Return the lane of instrument ``i`` with an ensemble; None: it is in none."""
    lanes = lanes_of(state.setup, i)
    return next((lane for lane in lanes if state.slots[lane].hash == ensemble_hash), None)


def on_change_requested(state: State, event: SlotChangeRequested, models: Models) -> list[Effect]:
    """Make the change that a person requests, or refuse it."""
    i, now_ms = event.instrument, event.ts_ms
    if not 0 <= i < state.setup.n_instruments:
        return [SlotChangeRefused(i, now_ms, "", f"there is no instrument {i} in this run")]
    lane, cause = challenger_lane(state, i), Cause(event.who, event.reason)
    if event.action == "withdraw":
        return _removed_from_registry(state, i, cause, models)
    if event.action == "rollback":
        if champion_lane(state, i) is None:
            return [SlotChangeRefused(i, now_ms, "", "there is no champion")]
        return _withdraw(state, i, cause, models)
    if lane is None or state.slots[lane].stage == "former":
        return [SlotChangeRefused(i, now_ms, "", "there is no challenger")]
    if event.action == "promote":
        return _promote(state, i, lane, cause, models)
    return _dismiss(state, i, lane, cause, models)


def _removed_from_registry(state: State, i: int, cause: Cause, models: Models) -> list[Effect]:
    """Withdraw the champion where the registry has none any more; none is restored."""
    champion = champion_lane(state, i)
    state.taken_champions[state.setup.keys[i]] = ""
    if champion is None:
        return []
    slots = {champion: _staged(state, champion, "withdrawn", state.now_ms)}
    return _apply(state, i, SlotChange("withdrawn", champion, slots, None, cause), models)


def observe_trades(state: State, effects: Sequence[Effect]) -> None:
    """Update the tests for a lost edge with the trades that have just closed."""
    if state.setup.challenger_rules is None:
        return
    for effect in effects:
        if not isinstance(effect, TradeClosed):
            continue
        lane = effect.instrument
        ensemble = state.slots[lane].ensemble
        if ensemble is None:
            continue
        state.review_due = True
        at_entry = state.trade.virtual[lane]["barrier_bps"] if effect.virtual else 0.0
        barrier_bps = max(float(at_entry), ensemble.width_min_bps, BOUND_BPS_MIN)
        state.edge_lost[lane]["bound"] = barrier_bps + ensemble.cost_bps
        step_detector(state.edge_lost, lane, -effect.net_bps)


def compare_hourly(state: State) -> list[Effect]:
    """Update the tests between champions and challengers with the hour that has just ended;
    return once a day how the two compare.

    Both are valued on one unit of notional, whatever their size: a share of a trade is as much
    evidence as the whole.
    """
    if not state.setup.challenger_lanes:
        return []
    n = len(state.slots)
    value, barrier_bps = np.empty(n), np.empty(n)
    arm_values(state.trade, state.params, value, barrier_bps)
    expected_bps = state.scratch.outputs.lanes[OUT_BARRIER]
    effects: list[Effect] = []
    for i in range(state.setup.n_instruments):
        lanes = champion_lane(state, i), challenger_lane(state, i)
        champion, challenger = lanes
        if champion is None or challenger is None:
            continue
        if state.slots[challenger].stage not in COMPARED_STAGES:
            continue
        pair = [champion, challenger]
        of_champion, of_challenger = (value[pair] - state.hour_values[pair]).tolist()
        step_test(state.challenger_better, i, of_challenger - of_champion)
        step_test(state.challenger_worse, i, of_champion - of_challenger)
        barriers = (*barrier_bps[pair].tolist(), *expected_bps[pair].tolist())
        cost_bps = float(state.params.rules[0]["cost_bps_now"])
        bound = max(*(b for b in barriers if math.isfinite(b)), BOUND_BPS_MIN) + cost_bps
        state.challenger_better[i]["bound"] = state.challenger_worse[i]["bound"] = bound
        state.hour_values[pair] = value[pair]
        if state.now_ms % DAY_MS == 0:
            effects.append(_comparison(state, i, champion, challenger, value))
    return effects


def _comparison(state: State, i: int, champion: int, challenger: int, value: F64) -> ArmsCompared:
    """Return how two lanes compare at these values, ``(n_lanes,)``."""
    result_bps = value - state.start_values
    better, worse = state.challenger_better[i], state.challenger_worse[i]
    return ArmsCompared(
        i,
        state.now_ms,
        int(state.compared_since_ms[i]),
        float(result_bps[champion]),
        float(result_bps[challenger]),
        int(better["steps"]),
        math.exp(min(float(better["log_e"]), LOG_E_MAX)),
        math.exp(min(float(worse["log_e"]), LOG_E_MAX)),
    )


def review(state: State, models: Models) -> list[Effect]:
    """Apply the challenger rules; return the slot changes they lead to, which are made already."""
    rules = state.setup.challenger_rules
    assert rules is not None
    effects: list[Effect] = []
    state.review_due = False
    for i in range(state.setup.n_instruments):
        effects += _review(state, i, rules, models)
    return effects


def _review(state: State, i: int, rules: ChallengerRules, models: Models) -> list[Effect]:
    """Apply the rules to one instrument: at most one change."""
    champion, challenger = champion_lane(state, i), challenger_lane(state, i)
    if champion is not None:
        reason = _edge_lost(state, champion, rules)
        if not reason and challenger is not None and state.slots[challenger].stage == "former":
            better = _rejected(state.challenger_better, i)
            reason = "the champion before it is better" if better else ""
        if reason:
            return _withdraw(state, i, Cause(ENGINE, reason), models)
    if challenger is None or state.slots[challenger].stage == "former":
        return []
    reason = _edge_lost(state, challenger, rules)
    if not reason and champion is not None and _rejected(state.challenger_worse, i):
        reason = "it is worse than the champion"
    if reason:
        return _dismiss(state, i, challenger, Cause(ENGINE, reason), models)
    return _advance(state, i, challenger, rules, models)


def _advance(
    state: State, i: int, lane: int, rules: ChallengerRules, models: Models
) -> list[Effect]:
    """Move a challenger with a verdict to its next stage once it has spent its time in this one."""
    slot, now_ms = state.slots[lane], state.now_ms
    if not slot.verdict_hash:
        return []
    if slot.stage == "shadow" and now_ms - slot.since_ms >= rules.shadow_ms:
        cause = Cause(ENGINE, f"{rules.shadow_ms / HOUR_MS:g} hours as shadow without an objection")
        slots = {lane: _staged(state, lane, "canary", now_ms)}
        change = SlotChange("canary", lane, slots, state.previous_champions[i], cause)
        return _apply(state, i, change, models)
    if slot.stage == "canary" and now_ms - slot.since_ms >= rules.canary_ms:
        cause = Cause(ENGINE, f"{rules.canary_ms / HOUR_MS:g} hours as canary without an objection")
        return _promote(state, i, lane, cause, models)
    return []


def _edge_lost(state: State, lane: int, rules: ChallengerRules) -> str:
    """Return the finding that the ensemble of a lane has lost its edge; empty: there is none."""
    book = state.trade.book[lane]
    confidence, trades = float(book["mode_confidence"]), int(book["arm_trades"])
    if trades >= TRADES_MIN and confidence < rules.confidence_min:
        return (
            f"mode confidence {confidence:.3f} after {trades} trades, below"
            f" {rules.confidence_min:g}"
        )
    if _rejected(state.edge_lost, lane):
        return f"the test for a lost edge rejected after {trades} trades"
    return ""


def _rejected(tests: Records, k: int) -> bool:
    return bool(tests[k]["crossed_step"])


def _withdraw(state: State, i: int, cause: Cause, models: Models) -> list[Effect]:
    """Withdraw the champion, and restore the one before it; without one nothing trades."""
    champion, now_ms = champion_lane(state, i), state.now_ms
    assert champion is not None
    slots = {champion: _staged(state, champion, "withdrawn", now_ms)}
    withdrawn = SlotChange("withdrawn", champion, slots, None, cause)
    previous = state.previous_champions[i]
    if previous is None or any(m.package_hash not in models.scorers for m in previous.members):
        return _apply(state, i, withdrawn, models)
    restored = slot_of(previous, "champion", now_ms)
    running = [x for x in lanes_of(state.setup, i) if state.slots[x].hash == restored.hash]
    rules = state.setup.challenger_rules
    lost_too = bool(running) and rules is not None and _edge_lost(state, running[0], rules)
    if cause.who == ENGINE and lost_too:
        return _apply(state, i, withdrawn, models)
    other = running[0] if running else other_lane(state, i)
    slots[champion if other is None else other] = restored
    return _apply(state, i, SlotChange("rolled_back", champion, slots, None, cause), models)


def _promote(state: State, i: int, lane: int, cause: Cause, models: Models) -> list[Effect]:
    champion, previous = champion_lane(state, i), state.previous_champions[i]
    slots = {lane: _staged(state, lane, "champion", state.now_ms)}
    if champion is not None:
        previous = state.slots[champion].ensemble
        slots[champion] = _staged(state, champion, "former", state.now_ms)
    return _apply(state, i, SlotChange("promoted", lane, slots, previous, cause), models)


def _dismiss(state: State, i: int, lane: int, cause: Cause, models: Models) -> list[Effect]:
    slots = {lane: Slot(since_ms=state.now_ms)}
    previous = state.previous_champions[i]
    return _apply(state, i, SlotChange("dismissed", lane, slots, previous, cause), models)


def _staged(state: State, lane: int, stage: Stage, now_ms: int) -> Slot:
    return msgspec.structs.replace(state.slots[lane], stage=stage, since_ms=now_ms)


def _apply(state: State, i: int, change: SlotChange, models: Models) -> list[Effect]:
    """Make a change; return it as facts, after the comparison of the two lanes until then."""
    effects: list[Effect] = []
    if state.setup.challenger_lanes and state.challenger_better[i]["steps"]:
        champion, challenger = champion_lane(state, i), challenger_lane(state, i)
        if champion is not None and challenger is not None:
            effects.append(_comparison(state, i, champion, challenger, state.hour_values))
    moved = change.slots[change.lane].hash or state.slots[change.lane].hash
    before, lane_before, _ = _mode_of(state, i)
    apply_slots(state, i, change.slots, change.previous, models)
    after, lane_after, confidence = _mode_of(state, i)
    slots = [state.slots[lane] for lane in lanes_of(state.setup, i)]
    fact = SlotChanged(
        i, state.now_ms, change.move, moved, tuple(slot.hash for slot in slots),
        tuple(slot.stage for slot in slots),
        "" if change.previous is None else change.previous.hash, *change.cause,
    )  # fmt: skip
    effects.append(fact)
    if after != before:
        lane = lane_before if lane_after is None else lane_after
        assert lane is not None
        reason = f"{change.move.replace('_', ' ')}: {change.cause.reason}"
        effects.append(ModeChanged(lane, state.now_ms, before, after, confidence, reason))
    return effects


def _mode_of(state: State, i: int) -> tuple[str, int | None, float]:
    """Return an instrument's mode, the champion's lane, and its mode confidence.

    Without a champion nothing may trade, whatever a lane has shown: LEARNING.
    """
    lane = champion_lane(state, i)
    if lane is None:
        return mode_name(MODE_LEARNING), None, 0.0
    book = state.trade.book[lane]
    return mode_name(int(book["mode"])), lane, float(book["mode_confidence"])
