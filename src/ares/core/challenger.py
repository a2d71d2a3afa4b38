"""Challengers: published, shadow, canary, champion; and withdrawn when the edge is lost.

Decided at the end of a closing instant, of what is known then, and folded in at once: a champion
whose evidence turns trades no bar longer. Three things turn it, any of them: the mode confidence
falls below ``confidence_min`` after some trades of its own; the test for a turned edge alarms; the
champion before it, which goes on beside it with virtual trades, is shown to be better.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from ares.core.facts import mode_name
from ares.core.slots import (
    BOUND_BPS_MIN,
    RUNS,
    Slot,
    challenger_lane,
    champion_lane,
    lanes_of,
    other_lane,
    settle,
    slot_of,
)
from ares.core.state import Scorers, State
from ares.core.windows import OwnFeatures
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
from ares.kernel.bars import F64
from ares.kernel.e_process import detect_one, step_one
from ares.kernel.live import OUT_BARRIER
from ares.kernel.trade.arm_pnl import arm_values
from ares.kernel.trade.layout import MODE_LEARNING

HOUR_MS = 3_600_000
DAY_MS = 86_400_000

TRADES_MIN = 10
"""Trades of its own after which the mode confidence may take an ensemble out."""

ENGINE = "engine"
LOG_E_MAX = 690.0


def on_published(
    state: State, event: ModelPublished, scorers: Scorers, own: OwnFeatures | None
) -> list[Effect]:
    """Seat a published ensemble, or refuse it; nothing is changed then."""
    doubt = _doubt(state, event, scorers)
    if doubt:
        return [SlotChangeRefused(event.instrument, event.ts_ms, event.ensemble.hash, doubt)]
    i, now_ms = event.instrument, event.ts_ms
    slot = slot_of(event.ensemble, event.stage, now_ms, event.refit, event.verdict_hash)
    champion, other = champion_lane(state, i), other_lane(state, i)
    previous = state.previous[i]
    seats: dict[int, Slot] = {}
    if event.stage == "champion" and champion is not None:
        previous = state.lanes[champion].ensemble
        if other is not None:
            seats[champion] = _moved_to(state, champion, "former", now_ms)
    lane = champion if other is None else other
    assert lane is not None
    seats[lane] = slot
    said = (event.who, event.reason)
    return _move(state, i, "published", lane, seats, previous, said, scorers, own)


def _doubt(state: State, event: ModelPublished, scorers: Scorers) -> str:
    """Return why an ensemble cannot be seated; empty: it can."""
    setup, i, ensemble = state.setup, event.instrument, event.ensemble
    if not 0 <= i < setup.n_instruments:
        return f"there is no instrument {i} in this run"
    key = setup.instruments[i].spec.instrument.key
    if ensemble.instrument != key:
        return f"it was made for {ensemble.instrument}, not for {key}"
    strange = [m.timeframe.value for m in ensemble.members if m.timeframe not in setup.timeframes]
    if strange:
        return f"the engine makes no {', '.join(strange)} bars"
    if any(member.package_hash not in scorers for member in ensemble.members):
        return "one of its packages was not loaded"
    if ensemble.hash in [state.lanes[lane].hash for lane in lanes_of(setup, i)]:
        return "it is there already"
    if event.stage == "shadow" and not setup.challenger_lanes:
        return "this run has no lane for challengers"
    if event.stage == "shadow" and other_lane(state, i) is None:
        return "no lane is free"
    return ""


def on_change_requested(
    state: State, event: SlotChangeRequested, scorers: Scorers, own: OwnFeatures | None
) -> list[Effect]:
    """Do what a person asks, or refuse it."""
    i, now_ms = event.instrument, event.ts_ms
    if not 0 <= i < state.setup.n_instruments:
        return [SlotChangeRefused(i, now_ms, "", f"there is no instrument {i} in this run")]
    lane, said = challenger_lane(state, i), (event.who, event.reason)
    if event.action == "rollback":
        if champion_lane(state, i) is None:
            return [SlotChangeRefused(i, now_ms, "", "there is no champion")]
        return _fall(state, i, said, scorers, own)
    if lane is None or state.lanes[lane].stage == "former":
        return [SlotChangeRefused(i, now_ms, "", "there is no challenger")]
    if event.action == "promote":
        return _promote(state, i, lane, said, scorers, own)
    return _dismiss(state, i, lane, said, scorers, own)


def observe(state: State, effects: Sequence[Effect]) -> None:
    """Let the tests for a turned edge see what trades have just come to."""
    if state.setup.challenger_rules is None:
        return
    for effect in effects:
        if not isinstance(effect, TradeClosed):
            continue
        lane = effect.instrument
        ensemble = state.lanes[lane].ensemble
        if ensemble is None:
            continue
        state.unreviewed = True
        held = state.trade.virtual[lane]["barrier_bps"] if effect.virtual else 0.0
        width = max(float(held), ensemble.width_min_bps, BOUND_BPS_MIN)
        state.turned[lane]["bound"] = width + ensemble.cost_bps
        detect_one(state.turned, lane, -effect.net_bps)


def compare(state: State) -> list[Effect]:
    """Settle the bets of the hour that has just ended; return once a day how the arms compare."""
    if not state.setup.challenger_lanes:
        return []
    return _compare(state, state.now_ms % DAY_MS == 0)


def review(state: State, scorers: Scorers, own: OwnFeatures | None) -> list[Effect]:
    """Return the moves for which there is a reason by now, already folded in."""
    rules = state.setup.challenger_rules
    assert rules is not None
    effects: list[Effect] = []
    state.unreviewed = False
    for i in range(state.setup.n_instruments):
        effects += _review(state, i, rules, scorers, own)
    return effects


def _review(
    state: State,
    i: int,
    rules: ChallengerRules,
    scorers: Scorers,
    own: OwnFeatures | None,
) -> list[Effect]:
    """Return the move of one instrument, if any: the first that has a reason."""
    now_ms = state.now_ms
    champion, challenger = champion_lane(state, i), challenger_lane(state, i)
    if champion is not None:
        why = _turned(state, champion, rules)
        if not why and challenger is not None and state.lanes[challenger].stage == "former":
            why = "the champion before it is better" if _declared(state.better, i) else ""
        if why:
            return _fall(state, i, (ENGINE, why), scorers, own)
    if challenger is None:
        return []
    slot = state.lanes[challenger]
    if slot.stage == "former":
        return []
    why = _turned(state, challenger, rules)
    if not why and champion is not None and _declared(state.worse, i):
        why = "it is worse than the champion"
    if why:
        return _dismiss(state, i, challenger, (ENGINE, why), scorers, own)
    waited_ms = now_ms - slot.since_ms
    if not slot.verdict_hash:
        return []
    if slot.stage == "shadow" and waited_ms >= rules.shadow_ms:
        why = f"{rules.shadow_ms / HOUR_MS:g} hours in the shadow without a doubt"
        seats = {challenger: _moved_to(state, challenger, "canary", now_ms)}
        before = state.previous[i]
        said = (ENGINE, why)
        return _move(state, i, "canary", challenger, seats, before, said, scorers, own)
    if slot.stage == "canary" and waited_ms >= rules.canary_ms:
        why = f"{rules.canary_ms / HOUR_MS:g} hours of trades beside the champion without a doubt"
        return _promote(state, i, challenger, (ENGINE, why), scorers, own)
    return []


def _has_turned(state: State, lane: int) -> bool:
    rules = state.setup.challenger_rules
    return rules is not None and bool(_turned(state, lane, rules))


def _turned(state: State, lane: int, rules: ChallengerRules) -> str:
    """Return how the evidence on an ensemble has turned; empty: it has not."""
    book = state.trade.book[lane]
    confidence, trades = float(book["mode_confidence"]), int(book["arm_trades"])
    if trades >= TRADES_MIN and confidence < rules.confidence_min:
        return (
            f"mode confidence {confidence:.3f} after {trades} trades, below"
            f" {rules.confidence_min:g}"
        )
    if _declared(state.turned, lane):
        return f"the test for a turned edge alarmed after {trades} trades"
    return ""


def _declared(tests: np.ndarray[tuple[int], np.dtype[np.void]], k: int) -> bool:
    return bool(tests[k]["declared_step"])


def _compare(state: State, say: bool) -> list[Effect]:
    """Settle the bets of the hour between champions and challengers; once a day say how they are.

    Both arms are counted on one unit of notional, whatever size they had: a share of a trade is
    worth as much evidence as the whole.
    """
    n = len(state.lanes)
    value, width = np.empty(n), np.empty(n)
    arm_values(state.trade, state.params, value, width)
    said = state.scratch.outputs.lanes[OUT_BARRIER]
    effects: list[Effect] = []
    for i in range(state.setup.n_instruments):
        champion, challenger = champion_lane(state, i), challenger_lane(state, i)
        if champion is None or challenger is None or state.lanes[challenger].stage not in RUNS:
            continue
        pair = [champion, challenger]
        mine, theirs = (value[pair] - state.marks[pair]).tolist()
        step_one(state.better, i, theirs - mine)
        step_one(state.worse, i, mine - theirs)
        ahead = [w for w in (*width[pair].tolist(), *said[pair].tolist()) if math.isfinite(w)]
        cost = float(state.params.rules[0]["cost_bps_now"])
        state.better[i]["bound"] = state.worse[i]["bound"] = max(*ahead, BOUND_BPS_MIN) + cost
        state.marks[pair] = value[pair]
        if say:
            effects.append(_told(state, i, champion, challenger, value))
    return effects


def _told(state: State, i: int, champion: int, challenger: int, value: F64) -> ArmsCompared:
    """Return how two lanes compare at what they are worth, ``(n_lanes,)``."""
    made = value - state.starts
    better, worse = state.better[i], state.worse[i]
    return ArmsCompared(
        i,
        state.now_ms,
        int(state.since_ms[i]),
        float(made[champion]),
        float(made[challenger]),
        int(better["steps"]),
        math.exp(min(float(better["log_e"]), LOG_E_MAX)),
        math.exp(min(float(worse["log_e"]), LOG_E_MAX)),
    )


def _fall(
    state: State, i: int, said: tuple[str, str], scorers: Scorers, own: OwnFeatures | None
) -> list[Effect]:
    """Take the champion out: the one before it comes back, else nobody trades."""
    champion, now_ms = champion_lane(state, i), state.now_ms
    assert champion is not None
    seats = {champion: _moved_to(state, champion, "withdrawn", now_ms)}
    back = state.previous[i]
    if back is None or any(member.package_hash not in scorers for member in back.members):
        return _move(state, i, "withdrawn", champion, seats, None, said, scorers, own)
    crowned = slot_of(back, "champion", now_ms)
    there = [x for x in lanes_of(state.setup, i) if state.lanes[x].hash == crowned.hash]
    if said[0] == ENGINE and there and _has_turned(state, there[0]):  # no better: it ran beside
        return _move(state, i, "withdrawn", champion, seats, None, said, scorers, own)
    other = there[0] if there else other_lane(state, i)
    seats[champion if other is None else other] = crowned
    return _move(state, i, "rolled_back", champion, seats, None, said, scorers, own)


def _promote(
    state: State, i: int, lane: int, said: tuple[str, str], scorers: Scorers,
    own: OwnFeatures | None,
) -> list[Effect]:  # fmt: skip
    champion, previous = champion_lane(state, i), state.previous[i]
    seats = {lane: _moved_to(state, lane, "champion", state.now_ms)}
    if champion is not None:
        previous = state.lanes[champion].ensemble
        seats[champion] = _moved_to(state, champion, "former", state.now_ms)
    return _move(state, i, "promoted", lane, seats, previous, said, scorers, own)


def _dismiss(
    state: State, i: int, lane: int, said: tuple[str, str], scorers: Scorers,
    own: OwnFeatures | None,
) -> list[Effect]:  # fmt: skip
    seats = {lane: Slot(since_ms=state.now_ms)}
    return _move(state, i, "dismissed", lane, seats, state.previous[i], said, scorers, own)


def _moved_to(state: State, lane: int, stage: Stage, now_ms: int) -> Slot:
    return msgspec.structs.replace(state.lanes[lane], stage=stage, since_ms=now_ms)


def _move(
    state: State, i: int, move: Move, lane: int, seats: dict[int, Slot],
    previous: Ensemble | None, said: tuple[str, str], scorers: Scorers, own: OwnFeatures | None,
) -> list[Effect]:  # fmt: skip
    """Fold a move in; return it, behind how the two arms compared until then.

    lane : of the ensemble that moves, which may come with the move or go with it.
    """
    effects: list[Effect] = []
    if state.setup.challenger_lanes and state.better[i]["steps"]:
        champion, challenger = champion_lane(state, i), challenger_lane(state, i)
        if champion is not None and challenger is not None:
            effects.append(_told(state, i, champion, challenger, state.marks))
    subject = seats[lane].hash or state.lanes[lane].hash
    before, at, _ = _mode_of(state, i)
    settle(state, i, seats, previous, scorers, own)
    after, now_at, confidence = _mode_of(state, i)
    lanes = [state.lanes[x] for x in lanes_of(state.setup, i)]
    fact = SlotChanged(
        i, state.now_ms, move, subject, tuple(x.hash for x in lanes),
        tuple(x.stage for x in lanes), "" if previous is None else previous.hash, *said,
    )  # fmt: skip
    effects.append(fact)
    if after != before:
        place = at if now_at is None else now_at
        assert place is not None
        reason = f"{move.replace('_', ' ')}: {said[1]}"
        effects.append(ModeChanged(place, state.now_ms, before, after, confidence, reason))
    return effects


def _mode_of(state: State, i: int) -> tuple[str, int | None, float]:
    """Return an instrument's mode, the lane that it is of, and its confidence.

    Without a champion nobody may trade, whatever a lane has shown: LEARNING.
    """
    lane = champion_lane(state, i)
    if lane is None:
        return mode_name(MODE_LEARNING), None, 0.0
    book = state.trade.book[lane]
    return mode_name(int(book["mode"])), lane, float(book["mode_confidence"])
