"""The lanes of a run and who sits in them: seated, moved and taken out by facts, never otherwise.

An instrument has a lane, or two: one for its champion, one for whoever challenges it. A lane is a
row in every array of the trade half, with its own position, virtual trade and mode confidence;
both see the same bars. Which of the two is the champion's changes with a promotion, so that an
open trade stays where it was begun.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from ares.core.windows import OwnFeatures, bars_of
from ares.domain.model import Ensemble
from ares.domain.model_events import Stage
from ares.domain.run import RunSetup
from ares.kernel.e_process import bets
from ares.kernel.ensemble import slot_records
from ares.kernel.features import N_FEATURES
from ares.kernel.features.columns import present
from ares.kernel.trade import reset_posterior
from ares.kernel.trade.arm_pnl import arm_values
from ares.kernel.trade.layout import VIRTUAL

if TYPE_CHECKING:
    from ares.core.state import Scorers, State

TRADES: tuple[Stage, ...] = ("champion", "canary")
"""Stations that trade with money."""

RUNS: tuple[Stage, ...] = ("shadow", "canary", "former")
"""Stations of a challenger that is compared with the champion."""

TURNED_STAKE_SDS = 0.15
"""Stake of the test for a turned edge, a trade a step: the best one for a loss of 0.15 sd."""

LIVED = ("mode", "mode_confidence", "posterior_n", "posterior_mean", "posterior_m2", "arm_trades")
"""What a refit takes over from the champion whose recipe it has."""

BOUND_BPS_MIN = 50.0
BOUND_SHARE_SD = 0.2
"""A first guess of a step's standard deviation, as a share of its bound."""


class Slot(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who sits in a lane.

    since_ms     : when it came to this stage.
    verdict_hash : of the verdict that let it pass; empty: it goes no further by itself.
    hash         : of its ensemble; empty: nobody.
    """

    ensemble: Ensemble | None = None
    stage: Stage = "empty"
    since_ms: int = 0
    refit: bool = False
    verdict_hash: str = ""
    hash: str = ""


EMPTY = Slot()


def slot_of(
    ensemble: Ensemble,
    stage: Stage,
    since_ms: int = 0,
    refit: bool = False,
    verdict_hash: str = "",
) -> Slot:
    """Return the slot of an ensemble."""
    return Slot(ensemble, stage, since_ms, refit, verdict_hash, ensemble.hash)


def first_slots(setup: RunSetup) -> list[Slot]:
    """Return who sits where before the first event."""
    slots = []
    for one in setup.instruments:
        if one.ensemble is None:
            slots.append(EMPTY)
        else:
            slots.append(slot_of(one.ensemble, "champion" if one.is_champion else "shadow"))
    return slots


def lanes_of(setup: RunSetup, i: int) -> tuple[int, ...]:
    """Return the lanes of instrument ``i``."""
    return (i, setup.n_instruments + i) if setup.challenger_lanes else (i,)


def champion_lane(state: State, i: int) -> int | None:
    """Return the lane in which the champion of instrument ``i`` sits."""
    for lane in lanes_of(state.setup, i):
        if state.lanes[lane].stage == "champion":
            return lane
    return None


def other_lane(state: State, i: int) -> int | None:
    """Return the lane for whoever is not champion; None: there is none.

    Without a champion both lanes are; then it is the one that is freer.
    """
    free = [x for x in lanes_of(state.setup, i) if state.lanes[x].stage != "champion"]
    order: tuple[Stage, ...] = ("empty", "withdrawn", "former", "shadow", "canary")
    free.sort(key=lambda lane: order.index(state.lanes[lane].stage))
    return free[0] if free else None


def challenger_lane(state: State, i: int) -> int | None:
    """Return the lane of the ensemble that is on its way to money, or was there before."""
    for stage in ("canary", "shadow", "former"):
        for lane in lanes_of(state.setup, i):
            if state.lanes[lane].stage == stage:
                return lane
    return None


def settle(
    state: State,
    i: int,
    slots: Mapping[int, Slot],
    previous: Ensemble | None,
    scorers: Scorers,
    own: OwnFeatures | None = None,
) -> None:
    """Make the lanes of instrument ``i`` be as ``slots`` says (lane -> slot), others as they are.

    Whoever sat in a lane before and still does keeps everything: only permission and size change.
    """
    parent = champion_lane(state, i)
    state.previous[i] = previous
    new = [lane for lane, s in slots.items() if s.hash and s.hash != state.lanes[lane].hash]
    for lane, slot in slots.items():
        state.lanes[lane] = slot
    place(state, lanes_of(state.setup, i))
    for lane in new:
        _seat(state, lane, scorers, own, parent if state.lanes[lane].refit else None)
    begin_comparison(state, i)


def _seat(
    state: State, lane: int, scorers: Scorers, own: OwnFeatures | None, parent: int | None
) -> None:
    """Begin the past of somebody new in a lane, and ask what he says of the newest bars.

    parent : lane of the champion that it is a refit of; None: it is of none.
    """
    ensemble = state.lanes[lane].ensemble
    assert ensemble is not None
    book = state.trade.book
    lived = None if parent is None else (book[parent].copy(), state.turned[parent].copy())
    state.trade.virtual[lane] = np.zeros((), VIRTUAL)
    reset_posterior(lane, seed_of(ensemble, state.setup), state.trade, state.params)
    begin_watch(state, lane)
    if lived is not None:
        _inherit(state, lane, *lived)
    for j in range(len(state.intervals.timeframe_ms)):
        state.latest.p[lane, j] = np.nan
        package = state.packages[lane, j]
        if package < 0 or not state.last_warm[lane, j]:
            continue
        row = state.features[lane, j]
        if state.windows is not None:
            if own is None:
                raise ValueError("the run has features of its user's own: hand them in")
            k = lane * len(state.intervals.timeframe_ms) + j
            values = own(bars_of(state.windows, k), int(state.intervals.timeframe_ms[j]))
            row[N_FEATURES : N_FEATURES + len(values)] = values
            if not present(values):
                continue
        state.latest.p[lane, j] = scorers[state.package_hashes[package]](row[None])[0]


def _inherit(state: State, lane: int, parent: np.void, turned: np.void) -> None:
    """Let a refit begin with what its recipe has shown while it traded.

    Newer data do not undo losses: were every refit to begin with its own validation again, a
    learner that answers each loss with a refit would keep a losing recipe at the money for ever.
    """
    for name in LIVED:
        state.trade.book[lane][name] = parent[name]
    state.turned[lane] = turned


def seed_of(ensemble: Ensemble, setup: RunSetup) -> tuple[float, float, float]:
    """Return the discounted validation trades with which its posterior begins."""
    v = ensemble.validation
    trades = min(v.trades * setup.validation_discount, setup.rules["forgetting_trades"])
    return trades, v.mean_bps, v.sd_bps


def place(state: State, lanes: Sequence[int]) -> None:
    """Write what the kernel reads of these lanes: slots, packages, permissions and sizes."""
    setup = state.setup
    seated = [state.lanes[lane].ensemble for lane in lanes]
    state.slots[list(lanes)] = slot_records(seated, setup.timeframes)
    share = 0.0 if setup.challenger_rules is None else setup.challenger_rules.canary_share
    for lane in lanes:
        slot, spec = state.lanes[lane], state.params.specs[lane]
        twin = int(spec["twin"])
        tried = twin >= 0 and state.lanes[twin].stage == "canary"
        spec["horizon_ms"] = 0 if slot.ensemble is None else slot.ensemble.horizon_ms
        spec["has_champion"] = slot.stage in TRADES
        spec["size_share"] = share if slot.stage == "canary" else 1.0 - share * tried
    _number_packages(state)


def _number_packages(state: State) -> None:
    """Give every package in use a number, by lane and timeframe."""
    places = {timeframe: j for j, timeframe in enumerate(state.setup.timeframes)}
    numbers: dict[str, int] = {}
    flat, n = state.scratch.flat_packages, len(places)
    flat[:] = [-1] * len(flat)
    for lane, slot in enumerate(state.lanes):
        for member in slot.ensemble.members if slot.ensemble else ():
            number = numbers.setdefault(member.package_hash, len(numbers))
            flat[lane * n + places[member.timeframe]] = number
    state.packages[:] = np.array(flat, np.int64).reshape(state.packages.shape)
    state.package_hashes[:] = list(numbers)


def begin_watch(state: State, lane: int) -> None:
    """Begin the test for a turned edge of the ensemble in a lane."""
    rollout, ensemble = state.setup.challenger_rules, state.lanes[lane].ensemble
    if rollout is None or ensemble is None:
        return
    bound = max(ensemble.width_min_bps, BOUND_BPS_MIN) + ensemble.cost_bps
    state.turned[lane] = bets(
        1,
        alpha=1.0 / rollout.false_alarm_trades,
        bound=bound,
        sd_guess=ensemble.validation.sd_bps or bound,
        stake_sds=TURNED_STAKE_SDS,
    )[0]


def begin_comparison(state: State, i: int) -> None:
    """Begin the comparison of an instrument's two lanes from now on."""
    rollout = state.setup.challenger_rules
    state.since_ms[i] = state.now_ms
    if rollout is None or not state.setup.challenger_lanes:
        return
    for test in (state.better, state.worse):
        test[i] = bets(
            1,
            alpha=rollout.alpha_worse,
            bound=BOUND_BPS_MIN,
            sd_guess=BOUND_BPS_MIN * BOUND_SHARE_SD,
        )[0]
    value, width = np.empty(len(state.lanes)), np.empty(len(state.lanes))
    arm_values(state.trade, state.params, value, width)
    lanes = list(lanes_of(state.setup, i))
    state.marks[lanes] = state.starts[lanes] = value[lanes]
