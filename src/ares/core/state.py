"""The engine's state: kernel arrays, orders, slots, and the position in the journal."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ares.core.orders import Halt, LaneOrders, Order
from ares.core.slot import Slot
from ares.domain.events import BarsClosed
from ares.domain.holding_events import DifferenceFound
from ares.domain.model import Ensemble
from ares.domain.order_events import CommandDone, CommandRefused, OrderFilled
from ares.domain.run import RunSetup
from ares.kernel.bar_aggregation import BarSeries, ClosingBars, FeatureRows, Intervals
from ares.kernel.bars import F64, I64
from ares.kernel.ensemble import Ensembles, LatestScores
from ares.kernel.jit import bind
from ares.kernel.live import (
    DecisionOutputs,
    LiveCalls,
    PriceGrid,
    Scoring,
    apply_now,
    decide_now,
    score_step,
)
from ares.kernel.trade import TradeParams, TradeRecords, TradeState
from ares.kernel.trade.layout import Records


@dataclass(slots=True)
class Scratch:
    """Arrays that the kernel reads and writes at each event, without meaning between two events;
    views of the state; the kernel's functions, bound to these arrays.

    bars     : of the event that is being processed.
    rows     : ``State.features``, and which of its rows are due.
    outputs  : what a decision was made from, see ``DecisionMade``; records: what it led to.
    flat_features, flat_p : views of ``State.features`` and ``State.latest.p`` with lanes and
               timeframes on one axis; flat_packages : ``State.packages`` as a list.
    event_sizes : of the three arrays of a ``BarsClosed``, in bytes.
    """

    bars: ClosingBars
    rows: FeatureRows
    scoring: Scoring
    ensembles: Ensembles
    grid: PriceGrid
    outputs: DecisionOutputs
    records: TradeRecords
    flat_features: NDArray[np.float32]
    flat_p: F64
    flat_packages: list[int]
    calls: LiveCalls | None = None
    event_sizes: tuple[int, int, int] = field(init=False)
    _bytes: list[tuple[memoryview, memoryview, memoryview]] = field(init=False)

    def bind(self, n_instruments: int) -> None:
        """Take views of the bars' bytes, one for the first lane of each instrument and one for
        the second.
        """
        bars = self.bars
        firsts = range(0, len(bars.present), n_instruments)
        self.event_sizes = (40 * n_instruments, n_instruments, n_instruments)
        parts = [slice(first, first + n_instruments) for first in firsts]
        self._bytes = [
            (
                bars.ohlcv[part].data.cast("B"),
                bars.present[part].data.cast("B"),
                bars.flat[part].data.cast("B"),
            )
            for part in parts
        ]

    def load(self, event: BarsClosed) -> None:
        """Copy an event's bars into every lane; ValueError where it has other instruments."""
        for ohlcv, present, flat in self._bytes:
            ohlcv[:], present[:], flat[:] = event.ohlcv, event.present, event.flat


@dataclass(slots=True, kw_only=True)
class State:
    """Everything that ``step`` reads and changes.

    features : (n_lanes, n_timeframes, n_features) float32, of the last complete bars: the
               kernel's N_FEATURES columns, then the user's own features, then external series.
    latest   : (n_lanes, n_timeframes) the newest score of each model.
    last_warm : (n_lanes, n_timeframes) whether the newest bar of each was warm.
    last_fill_ms : (n_lanes,) open time of the bar in which the venue last answered.
    bar_windows : the last bars of each series, see ``core.bar_windows``; None without features of
               the user's own.
    series   : of each external series, (n_instruments,) what is known for each instrument.
    at_ms    : the engine's clock. ``now_ms``: the newest closing instant, in the market's time.
    orders   : open orders by client id; ended: those of the last 30 days that have ended.
    lane_orders : (n_lanes,) which open order is the entry, the exit and the stop of each lane.
    trades_begun : (n_lanes,) seq of the decision that opened the newest trade.
    nonce, orders_sent : of the client ids of this epoch.
    halts, differences : what stands.
    venue_up : a private session with the venue stands. reconciling: not since the start yet.
    outside_lots : (n_instruments,) held at the venue outside the ledger; known with the first
               ``AccountSeen``. mismatch_ms: since when balances differ; 0: they do not.
    existing_lots : (n_instruments,) of that, what is still to be adopted or ignored.
    outside_rest_units : what of that is less than a lot; dust_units: what of the ledger is, both in
               units of 1e-8 of the base currency.
    ledger_ms : when an execution was last booked. account_due_ms: when balances are compared next.
    strange_execs : executions of orders that are not ours, and when they were reported.
    kill_executions : of orders that ``ares kill`` sent, which wait until nothing of
               their lane is in doubt; see ``core.kill_orders``.
    venue_ahead_ms : what the venue's clock shows beyond ``at_ms``, in wall time.
    answers  : to the newest commands of people, by id.
    rule_changes : the kernel's rules that people changed while the engine ran, by name;
               config_version: how often. The others are those of the setup.
    taken_rules, taken_champions : what settings and registry had when they were last taken over, by
               name and by instrument; empty, or no entry: what the setup has. See
               ``core.take_over``.
    slots    : (n_lanes,) the ensemble in each lane.
    previous_champions : (n_instruments,) what a rollback restores.
    edge_lost : (n_lanes,) sequential tests for a lost edge.
    challenger_better, challenger_worse : (n_instruments,) sequential tests of the challenger
               against the champion since ``compared_since_ms``.
    hour_values, start_values : (n_lanes,) net result of one unit of notional at the last full
               hour, and when the comparison began.
    review_due : a trade has closed since the challenger rules were last applied.

    Where the run has lanes for challengers, the second half of the lanes repeats the instruments.
    Defaults are those of a state before its first event.
    """

    setup: RunSetup
    seq: int = 0
    now_ms: int = 0
    bar_series: BarSeries
    features: NDArray[np.float32]
    latest: LatestScores
    last_warm: NDArray[np.bool_]
    trade: TradeState
    last_fill_ms: I64
    bar_windows: Records | None
    series: tuple[Records, ...]
    orders: dict[str, Order] = field(default_factory=dict)
    at_ms: int = 0
    ended: dict[str, Order] = field(default_factory=dict)
    lane_orders: list[LaneOrders]
    trades_begun: list[int]
    nonce: str = ""
    orders_sent: int = 0
    halts: list[Halt] = field(default_factory=list)
    differences: list[DifferenceFound] = field(default_factory=list)
    venue_up: bool = True
    reconciling: bool = False
    account_known: bool = False
    outside_lots: list[int]
    existing_lots: list[int]
    outside_rest_units: list[int]
    dust_units: list[int]
    mismatch_ms: list[int]
    ledger_ms: int = 0
    account_due_ms: int = 0
    strange_execs: dict[str, int] = field(default_factory=dict)
    kill_executions: list[OrderFilled] = field(default_factory=list)
    venue_ahead_ms: int = 0
    answers: dict[str, CommandDone | CommandRefused] = field(default_factory=dict)
    rule_changes: dict[str, float] = field(default_factory=dict)
    config_version: int = 0
    taken_rules: dict[str, float] = field(default_factory=dict)
    taken_champions: dict[str, str] = field(default_factory=dict)
    slots: list[Slot]
    previous_champions: list[Ensemble | None]
    edge_lost: Records
    challenger_better: Records
    challenger_worse: Records
    hour_values: F64
    start_values: F64
    compared_since_ms: I64
    review_due: bool = False
    # Derived from the slots and the rules whenever one of them changes:
    slot_records: Records
    params: TradeParams
    packages: I64
    package_hashes: list[str] = field(default_factory=list)
    # Derived from the setup, constant:
    intervals: Intervals
    price_scale: F64
    weights: tuple[F64, ...]
    scratch: Scratch = field(repr=False)

    def wall(self, ms: int) -> int:
        """Return a time of the wall clock as the engine's, which runs faster in a rehearsal."""
        return ms * self.setup.traits.speed


def bind_calls(state: State) -> LiveCalls:
    """Bind the kernel's functions to this state's arrays, and keep them."""
    s = state.scratch
    s.calls = LiveCalls(
        bind(
            score_step, 0, s.bars, state.intervals, state.bar_series, s.rows, state.latest,
            s.scoring, 0, s.grid, state.trade, state.params,
        ),
        bind(
            decide_now, 0, s.bars, s.grid, s.ensembles, state.latest, state.trade, state.params,
            s.records, s.outputs,
        ),
        bind(apply_now, 0, state.trade, state.params, s.records),
    )  # fmt: skip
    return s.calls
