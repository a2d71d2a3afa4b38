"""Changes of slots, applied to the state: an ensemble is assigned to a lane, or its stage changes.

Only facts change slots; ``core.challenger`` decides on them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ares.core.bar_windows import bars_of
from ares.core.models import Models
from ares.core.slot import TRADING_STAGES, Slot, lane_at, lanes_of, seed_of
from ares.core.state import State
from ares.domain.model import Ensemble
from ares.domain.model_events import Stage
from ares.kernel.e_process import new_e_processes
from ares.kernel.ensemble import slot_records
from ares.kernel.features import N_FEATURES
from ares.kernel.features.columns import past_warmup
from ares.kernel.trade import reset_posterior
from ares.kernel.trade.arm_pnl import arm_values
from ares.kernel.trade.layout import VIRTUAL

EDGE_LOST_STAKE_SDS = 0.15
"""Stake of the test for a lost edge, one trade a step: optimal for a loss of 0.15 sd a trade."""

INHERITED = (
    "mode", "mode_confidence", "posterior_n", "posterior_mean", "posterior_m2", "arm_trades",
)  # fmt: skip
"""What a refit takes over from the champion with the same recipe."""

BOUND_BPS_MIN = 50.0
BOUND_SHARE_SD = 0.2
"""The first guess of a step's standard deviation, as a share of its bound."""

FREE_FIRST: tuple[Stage, ...] = ("empty", "withdrawn", "former", "shadow", "canary")
"""The order in which lanes are given to a new ensemble."""


def champion_lane(state: State, i: int) -> int | None:
    """Return the lane of the champion of instrument ``i``; None: it has no champion."""
    return lane_at(state.slots, lanes_of(state.setup, i), "champion")


def other_lane(state: State, i: int) -> int | None:
    """Return the lane for an ensemble that is not the champion; None: there is none.

    Without a champion both lanes may be used; the one that is easier to give up is returned.
    """
    return lane_at(state.slots, lanes_of(state.setup, i), *FREE_FIRST)


def challenger_lane(state: State, i: int) -> int | None:
    """Return the lane of the ensemble that may become champion, or was the last champion."""
    return lane_at(state.slots, lanes_of(state.setup, i), "canary", "shadow", "former")


def apply_slots(
    state: State, i: int, slots: Mapping[int, Slot], previous: Ensemble | None, models: Models
) -> None:
    """Change the slots of some lanes of instrument ``i`` to ``slots`` (by lane).

    An ensemble that stays in its lane keeps its position, trades and mode; only its permission to
    trade and its size change.
    """
    parent = champion_lane(state, i)
    state.previous_champions[i] = previous
    new = [lane for lane, s in slots.items() if s.hash and s.hash != state.slots[lane].hash]
    for lane, slot in slots.items():
        state.slots[lane] = slot
    write_slots(state, lanes_of(state.setup, i))
    for lane in new:
        _assign(state, lane, parent if state.slots[lane].refit else None, models)
    start_comparison(state, i)


def _assign(state: State, lane: int, parent: int | None, models: Models) -> None:
    """Reset a lane for its new ensemble, and score the newest bars with it.

    parent : lane of the champion of which it is a refit; None: it is no refit.
    """
    ensemble = state.slots[lane].ensemble
    assert ensemble is not None
    book = state.trade.book
    inherited = None if parent is None else (book[parent].copy(), state.edge_lost[parent].copy())
    state.trade.virtual[lane] = np.zeros((), VIRTUAL)
    reset_posterior(lane, seed_of(ensemble, state.setup), state.trade, state.params)
    start_edge_test(state, lane)
    if inherited is not None:
        _inherit(state, lane, *inherited)
    _score_newest(state, lane, models)


def _score_newest(state: State, lane: int, models: Models) -> None:
    """Score the newest bar of each timeframe of a lane; one that is not warm has no score."""
    timeframe_ms = state.intervals.timeframe_ms
    for j in range(len(timeframe_ms)):
        state.latest.p[lane, j] = np.nan
        package = state.packages[lane, j]
        if package < 0 or not state.last_warm[lane, j]:
            continue
        row = state.features[lane, j]
        if state.bar_windows is not None:
            bars = bars_of(state.bar_windows, lane * len(timeframe_ms) + j)
            values = models.require_user_columns()(bars, int(timeframe_ms[j]), row)
            row[N_FEATURES : N_FEATURES + len(values)] = values
            if not past_warmup(values):
                continue
        state.latest.p[lane, j] = models.scorers[state.package_hashes[package]](row[None])[0]


def _inherit(state: State, lane: int, parent: np.void, edge_lost: np.void) -> None:
    """Let a refit continue the trading record of its recipe.

    Newer data do not undo losses: if every refit began with its own validation again, a learner
    that answers each loss with a refit would keep a losing recipe trading for ever.
    """
    for name in INHERITED:
        state.trade.book[lane][name] = parent[name]
    state.edge_lost[lane] = edge_lost


def write_slots(state: State, lanes: Sequence[int]) -> None:
    """Write what the kernel reads of these lanes: ensembles, packages, permissions, sizes."""
    setup = state.setup
    ensembles = [state.slots[lane].ensemble for lane in lanes]
    state.slot_records[list(lanes)] = slot_records(ensembles, setup.timeframes)
    share = 0.0 if setup.challenger_rules is None else setup.challenger_rules.canary_share
    for lane in lanes:
        slot, spec = state.slots[lane], state.params.specs[lane]
        twin = int(spec["twin"])
        has_canary = twin >= 0 and state.slots[twin].stage == "canary"
        spec["horizon_ms"] = 0 if slot.ensemble is None else slot.ensemble.horizon_ms
        spec["has_champion"] = slot.stage in TRADING_STAGES
        spec["size_share"] = share if slot.stage == "canary" else 1.0 - share * has_canary
    _number_packages(state)


def _number_packages(state: State) -> None:
    """Give every package in use a number, by lane and timeframe."""
    columns = {timeframe: j for j, timeframe in enumerate(state.setup.timeframes)}
    numbers: dict[str, int] = {}
    flat, n = state.scratch.flat_packages, len(columns)
    flat[:] = [-1] * len(flat)
    for lane, slot in enumerate(state.slots):
        for member in slot.ensemble.members if slot.ensemble else ():
            number = numbers.setdefault(member.package_hash, len(numbers))
            flat[lane * n + columns[member.timeframe]] = number
    state.packages[:] = np.array(flat, np.int64).reshape(state.packages.shape)
    state.package_hashes[:] = list(numbers)


def start_edge_test(state: State, lane: int) -> None:
    """Start the test for a lost edge of the ensemble in a lane."""
    rules, ensemble = state.setup.challenger_rules, state.slots[lane].ensemble
    if rules is None or ensemble is None:
        return
    bound = max(ensemble.width_min_bps, BOUND_BPS_MIN) + ensemble.cost_bps
    state.edge_lost[lane] = new_e_processes(
        1,
        alpha=1.0 / rules.false_alarm_trades,
        bound=bound,
        sd_guess=ensemble.validation.sd_bps or bound,
        stake_sds=EDGE_LOST_STAKE_SDS,
    )[0]


def start_comparison(state: State, i: int) -> None:
    """Start the comparison of an instrument's two lanes, from now on."""
    rules = state.setup.challenger_rules
    state.compared_since_ms[i] = state.now_ms
    if rules is None or not state.setup.challenger_lanes:
        return
    for test in (state.challenger_better, state.challenger_worse):
        test[i] = new_e_processes(
            1,
            alpha=rules.alpha_worse,
            bound=BOUND_BPS_MIN,
            sd_guess=BOUND_BPS_MIN * BOUND_SHARE_SD,
        )[0]
    value, barrier_bps = np.empty(len(state.slots)), np.empty(len(state.slots))
    arm_values(state.trade, state.params, value, barrier_bps)
    lanes = list(lanes_of(state.setup, i))
    state.hour_values[lanes] = state.start_values[lanes] = value[lanes]
