"""The engine: ``step`` takes one event, changes the state and returns effects. Nothing else
changes the state.
"""

from __future__ import annotations

import numpy as np

from ares.core import orders
from ares.core.bar_windows import bars_of, push
from ares.core.challenger import (
    compare_hourly,
    observe_trades,
    on_change_requested,
    on_published,
    review,
)
from ares.core.facts import KINDS, effects_of_records
from ares.core.models import Models
from ares.core.series import on_series, series_facts, write_series
from ares.core.state import State, bind_calls
from ares.domain.events import (
    BarsClosed,
    DecisionMade,
    Effect,
    EngineStarted,
    Event,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    RunStarted,
    SeriesPublished,
)
from ares.domain.model_events import (
    AlertRaised,
    DriftMeasured,
    ModelPublished,
    ModelRefused,
    RetrainingEnded,
    RetrainingStarted,
    SlotChangeRequested,
)
from ares.domain.timeframe import HOUR_MS
from ares.kernel.features import N_FEATURES, VOLATILITY_20
from ares.kernel.features.columns import past_warmup
from ares.kernel.live import observe_closes
from ares.kernel.trade.layout import N_NOTICES, N_OUTCOMES, N_REQUESTS, Records


def step(state: State, event: Event, models: Models) -> list[Effect]:
    """Advance the state by one event and return its effects, in order.

    Raises IllegalTransition where the event cannot follow: a broken invariant stops the process.
    """
    state.seq += 1
    match event:
        case BarsClosed():
            effects = _on_bars(state, event, models)
            if state.setup.challenger_rules is None or event.warming:
                return effects
            if len(effects) > 1:
                observe_trades(state, effects)
            on_the_hour = event.ts_ms % HOUR_MS == 0
            if on_the_hour:
                effects += compare_hourly(state)
            if state.review_due or on_the_hour:
                effects += review(state, models)
            return effects
        case OrderFilled() | OrderRejected():
            effects = _on_answer(state, event)
            observe_trades(state, effects)
            if state.review_due:  # at once: a withdrawn ensemble must not decide the next bar
                effects += review(state, models)
            return effects
        case OrderAccepted():
            if event.client_id in state.orders:
                orders.apply(state.orders[event.client_id], event)
            return []
        case OrderCancelled():
            orders.apply(_order(state, event.client_id), event)
            del state.orders[event.client_id]
            return []
        case SeriesPublished():
            on_series(state, event)
            return []
        case ModelPublished():
            return on_published(state, event, models)
        case SlotChangeRequested():
            return on_change_requested(state, event, models)
        case (
            RunStarted()
            | EngineStarted()
            | ModelRefused()
            | DriftMeasured()
            | RetrainingStarted()
            | RetrainingEnded()
            | AlertRaised()
        ):
            return []


def _on_bars(state: State, event: BarsClosed, models: Models) -> list[Effect]:
    """Aggregate the bars, score what is due, and decide unless the run is still warming up."""
    s = state.scratch
    s.load(event)
    state.now_ms = event.ts_ms
    calls = s.calls or bind_calls(state)
    n = calls.score_step(
        event.ts_ms, s.bars, state.intervals, state.bar_series, s.rows, state.latest, s.scoring,
        VOLATILITY_20,
    )  # fmt: skip
    if state.series:
        write_series(state, event.ts_ms)
    _score(state, n, models)
    if event.warming:
        for lane in np.flatnonzero(s.bars.present).tolist():
            ticks = np.rint(s.bars.ohlcv[lane, 3:4] * state.price_scale[lane]).astype(np.int64)
            observe_closes(lane, ticks, state.trade, state.params)
        return []
    calls.decide_now(
        event.ts_ms, s.bars, s.grid, s.ensembles, state.latest, state.trade, state.params,
        s.records, s.outputs,
    )  # fmt: skip
    equity, cash = s.outputs.equity_cash.tolist()
    effects: list[Effect] = [DecisionMade(event.ts_ms, s.outputs.lanes.tobytes(), equity, cash)]
    counts = s.records.counts
    if counts[N_REQUESTS] or counts[N_OUTCOMES] or counts[N_NOTICES]:
        effects += effects_of_records(state)
    if state.series:
        effects += series_facts(state, event.ts_ms)
    return effects


def _score(state: State, n: int, models: Models) -> None:
    """Score the ``n`` bars that are due, in one batch per model; one that is not warm has no score.

    A batch of one row is a slice: it is by far the most frequent, and numpy's fancy indexing is
    slow.
    """
    s = state.scratch
    if state.bar_windows is not None:
        n = _add_user_columns(state, state.bar_windows, n, models)
    scorers, features, hashes = models.scorers, s.flat_features, state.package_hashes
    batches: dict[int, list[int]] = {}
    for row in s.scoring.due_rows[:n].tolist():
        batches.setdefault(s.flat_packages[row], []).append(row)
    for package, rows in batches.items():
        if len(rows) == 1:
            row = rows[0]
            s.flat_p[row] = scorers[hashes[package]](features[row : row + 1])[0]
        else:
            s.flat_p[rows] = scorers[hashes[package]](features[rows])


def _add_user_columns(state: State, windows: Records, n: int, models: Models) -> int:
    """Keep the bars that closed now, and compute the user's columns of the ``n`` due rows.

    Returns the number of rows to score: without those where one of these features is not warm.
    """
    for k in np.flatnonzero(state.scratch.rows.due).tolist():
        push(windows, k, state.bar_series.aggregates[k])
    timeframe_ms, user_columns = state.intervals.timeframe_ms, models.require_user_columns()
    due_rows, n_warm = state.scratch.scoring.due_rows, 0
    for k in due_rows[:n].tolist():
        values = user_columns(bars_of(windows, k), int(timeframe_ms[k % len(timeframe_ms)]))
        state.scratch.flat_features[k, N_FEATURES : N_FEATURES + len(values)] = values
        if past_warmup(values):
            due_rows[n_warm] = k
            n_warm += 1
    return n_warm


def _on_answer(state: State, event: OrderFilled | OrderRejected) -> list[Effect]:
    """Apply a fill or a rejection to orders, account, breakers and mode."""
    order = _order(state, event.client_id)
    orders.apply(order, event)
    i = order.instrument
    filled = isinstance(event, OrderFilled)
    row = state.scratch.records.fills[0]
    row["ts_ms"] = event.ts_ms
    row["instrument"] = i
    row["kind"] = KINDS[order.kind]
    row["price_ticks"] = event.price_ticks
    row["lots"] = event.lots if isinstance(event, OrderFilled) else 0
    row["fee_units"] = event.fee_units if isinstance(event, OrderFilled) else 0
    row["remaining_lots"] = event.remaining if isinstance(event, OrderFilled) else 0
    row["rejected"] = not filled
    state.last_fill_ms[i] = event.ts_ms
    if not order.open:
        del state.orders[order.client_id]
        if state.stop_ids[i] == order.client_id:
            state.stop_ids[i] = ""
        if state.working_ids[i] == order.client_id:
            state.working_ids[i] = ""
    calls = state.scratch.calls or bind_calls(state)
    calls.apply_now(i, state.trade, state.params, state.scratch.records)
    return effects_of_records(state)


def _order(state: State, client_id: str) -> orders.Order:
    """Return an open order; raise IllegalTransition for one that was never sent."""
    if client_id not in state.orders:
        raise orders.IllegalTransition(f"an answer for the unknown order {client_id}")
    return state.orders[client_id]
