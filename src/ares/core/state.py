"""The engine's whole memory: kernel arrays, orders and the place in the journal."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ares.core.orders import Order
from ares.core.series import first_series, n_columns, series_weights
from ares.core.slots import Slot, begin_comparison, begin_watch, first_slots, place, seed_of
from ares.core.windows import window_state
from ares.domain.events import BarsClosed
from ares.domain.model import Ensemble
from ares.domain.run import RunSetup
from ares.kernel.bar_aggregation import (
    BarSeries,
    ClosingBars,
    FeatureRows,
    Intervals,
    first_aggregates,
)
from ares.kernel.bars import F64, I64
from ares.kernel.e_process import BET
from ares.kernel.ensemble import Ensembles, LatestScores, slot_records, timeframe_ms
from ares.kernel.features import feature_state
from ares.kernel.jit import bind
from ares.kernel.live import (
    OUT_ROWS,
    DecisionOutputs,
    LiveCalls,
    PriceGrid,
    Scoring,
    apply_now,
    decide_now,
    score_step,
)
from ares.kernel.trade import (
    InstrumentRules,
    Rules,
    TradeParams,
    TradeRecords,
    TradeState,
    first_state,
    new_records,
    trade_params,
)
from ares.kernel.trade.layout import Records, zeros
from ares.kernel.trade.scan import log_room

Scorer = Callable[[NDArray[np.float32]], F64]
"""A model as the engine sees it: (n, n_features) float32 rows in, (n,) probabilities out."""

Scorers = dict[str, Scorer]
"""Scorers by package hash."""


@dataclass(slots=True)
class Scratch:
    """What the kernel writes and reads at each event, of no meaning between two, and views of the
    state.

    bars    : of the event that is being stepped; rows: ``State.features``, and which are due.
    records : what the trade half wrote; outputs: what it decided.
    calls   : the kernel's functions, bound to these arrays.
    flat_features, flat_p : views of ``State.features`` and ``State.latest.p``, instruments and
                            timeframes on one axis; flat_packages : ``State.packages`` as a list.
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
    _bytes: list[tuple[memoryview, memoryview, memoryview]] = field(init=False)

    def begin(self, width: int) -> None:
        """Take views of the bars' bytes: one part for each lane of the ``width`` instruments."""
        bars = self.bars
        parts = [slice(first, first + width) for first in range(0, len(bars.present), width)]
        self._bytes = [
            (
                bars.ohlcv[part].data.cast("B"),
                bars.present[part].data.cast("B"),
                bars.flat[part].data.cast("B"),
            )
            for part in parts
        ]

    def take(self, event: BarsClosed) -> None:
        """Copy an event's bars in, for every lane; ValueError where it is of another width."""
        for ohlcv, present, flat in self._bytes:
            ohlcv[:], present[:], flat[:] = event.ohlcv, event.present, event.flat


@dataclass(slots=True)
class State:
    """Everything that ``step`` reads and changes.

    features : (n_instruments, n_timeframes, n_features) float32, of the last complete bars: the
               kernel's N_FEATURES columns, then the user's own features, then external series.
    latest   : (n_instruments, n_timeframes) the newest score of each model.
    last_fill_ms : (n_instruments,) open time of the bar in which the venue last answered.
    windows  : the last bars of each series, see ``core.windows``; None without user's features.
    series   : of each external series (width,) what is known for each instrument.
    stop_ids, working_ids : client ids of the resting stop and the working market order.
    last_warm : (n_lanes, n_timeframes) whether the newest bar of each was warm.
    lanes    : (n_lanes,) who sits in each lane; previous : (width,) champions to go back to.
    turned   : (n_lanes,) tests for a turned edge; better, worse : (width,) of the challenger
               against the champion since ``since_ms``; marks, starts : (n_lanes,) values at the
               last hour, and when the comparison began.
    unreviewed : a trade has closed since the rollout was last thought about.

    With challengers the first axis of every array is lanes: instruments twice.
    """

    setup: RunSetup
    seq: int
    now_ms: int
    bar_series: BarSeries
    features: NDArray[np.float32]
    latest: LatestScores
    last_warm: NDArray[np.bool_]
    trade: TradeState
    last_fill_ms: I64
    windows: Records | None
    series: tuple[Records, ...]
    orders: dict[str, Order]
    stop_ids: list[str]
    working_ids: list[str]
    lanes: list[Slot]
    previous: list[Ensemble | None]
    turned: Records
    better: Records
    worse: Records
    marks: F64
    starts: F64
    since_ms: I64
    unreviewed: bool
    # Made from the lanes, whenever one of them changes:
    slots: Records
    params: TradeParams
    packages: I64
    package_hashes: list[str]
    # Made from the setup, never changed:
    intervals: Intervals
    price_scale: F64
    weights: tuple[F64, ...]
    scratch: Scratch = field(repr=False)


def traded_of(setup: RunSetup) -> list[InstrumentRules]:
    """Return the instruments as the kernel wants them, validation discounted."""
    rows = []
    n = setup.n_instruments
    for lane, one in enumerate(setup.instruments):
        ensemble = one.ensemble
        seed = (0.0, 0.0, 0.0) if ensemble is None else seed_of(ensemble, setup)
        horizon_ms = 0 if ensemble is None else ensemble.horizon_ms
        twin = (lane + n) % (2 * n) if setup.challenger_lanes else -1
        rows.append(InstrumentRules(one.spec, one.base_ms, horizon_ms, one.is_champion, seed, twin))
    return rows


def rules_of(setup: RunSetup) -> Rules:
    """Return the rules of a run."""
    kinds: dict[str, Callable[[float], Any]] = {
        "sizing": int,
        "fixed_lots": int,
        "orders_per_minute": int,
        "win_rate_trades": int,
    }
    kinds |= {"failures_max": int, "trial_trades": int, "stop_enabled": bool, "gate_mode": bool}
    values: dict[str, Any] = {k: kinds.get(k, float)(v) for k, v in setup.rules.items()}
    return Rules(**values)


def new_state(setup: RunSetup) -> State:
    """Return the state before any bar."""
    n, m = len(setup.instruments), len(setup.timeframes)
    traded = traded_of(setup)
    params = trade_params(rules_of(setup), traded)
    packages = np.full((n, m), -1, np.int64)
    width = n_columns(setup)
    features = np.full((n, m, width), np.nan, np.float32)
    last_warm = np.zeros((n, m), np.bool_)
    latest = LatestScores(
        np.full((n, m), np.nan), np.zeros((n, m), np.int64), np.full((n, m), np.nan)
    )
    tf_ms = timeframe_ms(setup.timeframes)
    base_ms = np.array([one.base_ms for one in setup.instruments], np.int64)
    price_scale = np.array([10.0**one.spec.price_decimals for one in setup.instruments])
    slots = slot_records([one.ensemble for one in setup.instruments], setup.timeframes)
    state = State(
        setup=setup,
        seq=0,
        now_ms=0,
        bar_series=BarSeries(first_aggregates(n, m), feature_state(n * m, np.tile(tf_ms, n))),
        features=features,
        latest=latest,
        last_warm=last_warm,
        trade=first_state(traded, setup.cash_quote, params),
        last_fill_ms=np.zeros(n, np.int64),
        windows=window_state(n * m) if setup.user_features else None,
        series=first_series(setup),
        orders={},
        stop_ids=[""] * n,
        working_ids=[""] * n,
        lanes=first_slots(setup),
        previous=[one.previous for one in setup.instruments[: setup.n_instruments]],
        turned=zeros(BET, n),
        better=zeros(BET, setup.n_instruments),
        worse=zeros(BET, setup.n_instruments),
        marks=np.zeros(n),
        starts=np.zeros(n),
        since_ms=np.zeros(setup.n_instruments, np.int64),
        unreviewed=False,
        slots=slots,
        params=params,
        intervals=Intervals(base_ms, tf_ms, setup.reference),
        price_scale=price_scale,
        weights=series_weights(setup),
        packages=packages,
        package_hashes=[],
        scratch=Scratch(
            ClosingBars(np.zeros(n, np.bool_), np.zeros((n, 5)), np.zeros(n, np.bool_)),
            FeatureRows(features, np.zeros((n, m), np.bool_), np.zeros((n, m), np.bool_)),
            Scoring(packages, last_warm, np.zeros(n * m, np.int64)),
            Ensembles(slots, tf_ms),
            PriceGrid(price_scale, np.zeros((4, 1, n), np.int64)),
            DecisionOutputs(np.full((OUT_ROWS, n), np.nan), np.zeros(2, np.int64)),
            new_records(log_room(n)),
            features.reshape(n * m, width),
            latest.p.reshape(-1),
            packages.reshape(-1).tolist(),
        ),
    )
    state.scratch.begin(setup.n_instruments)
    place(state, range(len(state.lanes)))
    for lane in range(n):
        begin_watch(state, lane)
    for i in range(setup.n_instruments):
        begin_comparison(state, i)
    return state


def bind_calls(state: State) -> LiveCalls:
    """Bind the kernel's functions to this state's arrays, and keep them."""
    s = state.scratch
    s.calls = LiveCalls(
        bind(
            score_step, 0, s.bars, state.intervals, state.bar_series, s.rows, state.latest,
            s.scoring, 0,
        ),
        bind(
            decide_now, 0, s.bars, s.grid, s.ensembles, state.latest, state.trade, state.params,
            s.records, s.outputs,
        ),
        bind(apply_now, 0, state.trade, state.params, s.records),
    )  # fmt: skip
    return s.calls


class Snapshot(msgspec.Struct, frozen=True):
    """A state's bytes at one ``seq``; ``schema`` refuses a snapshot of other layouts."""

    schema: str
    seq: int
    now_ms: int
    arrays: dict[str, bytes]
    orders: list[Order]
    stop_ids: list[str]
    working_ids: list[str]
    lanes: list[Slot]
    previous: list[Ensemble | None]
    unreviewed: bool


def _arrays(state: State) -> dict[str, NDArray[Any]]:
    """Return the arrays that a snapshot holds, by name."""
    arrays = {
        "aggregates": state.bar_series.aggregates,
        "features_state": state.bar_series.features,
        "features": state.features,
        "last_p": state.latest.p,
        "last_ms": state.latest.close_ms,
        "last_sigma": state.latest.sigma,
        "last_warm": state.last_warm,
        "turned": state.turned,
        "better": state.better,
        "worse": state.worse,
        "marks": state.marks,
        "starts": state.starts,
        "since_ms": state.since_ms,
        "account": state.trade.account,
        "book": state.trade.book,
        "virtual": state.trade.virtual,
        "last_fill_ms": state.last_fill_ms,
    }
    if state.windows is not None:
        arrays["windows"] = state.windows
    return arrays | {f"series {s}": records for s, records in enumerate(state.series)}


def schema_hash(state: State) -> str:
    """Return the hash of every array's layout and shape."""
    text = ";".join(f"{k}:{a.dtype.descr}:{a.shape}" for k, a in sorted(_arrays(state).items()))
    return hashlib.sha256(text.encode()).hexdigest()


def snapshot(state: State) -> bytes:
    """Return the state as bytes; equal states give equal bytes."""
    orders = [order for order in state.orders.values() if order.open]
    return msgspec.msgpack.encode(
        Snapshot(
            schema_hash(state),
            state.seq,
            state.now_ms,
            {name: array.tobytes() for name, array in _arrays(state).items()},
            orders,
            state.stop_ids,
            state.working_ids,
            state.lanes,
            state.previous,
            state.unreviewed,
        )
    )


def restore(setup: RunSetup, raw: bytes) -> State:
    """Return the state of a snapshot; raise ValueError when its layouts are not this code's."""
    held = msgspec.msgpack.decode(raw, type=Snapshot)
    state = new_state(setup)
    if held.schema != schema_hash(state):
        raise ValueError("the snapshot was written by a version with other state layouts")
    for name, array in _arrays(state).items():
        flat = np.frombuffer(held.arrays[name], array.dtype)
        array[...] = flat.reshape(array.shape)
    state.seq = held.seq
    state.now_ms = held.now_ms
    state.orders = {order.client_id: order for order in held.orders}
    state.stop_ids = held.stop_ids
    state.working_ids = held.working_ids
    state.lanes = held.lanes
    state.previous = held.previous
    state.unreviewed = held.unreviewed
    place(state, range(len(state.lanes)))
    return state
