"""The engine: one event in, the state changed, effects out. Nobody else changes the state."""

from __future__ import annotations

import numpy as np

from ares.core import orders
from ares.core.challenger import (
    HOUR_MS,
    compare,
    observe,
    on_change_requested,
    on_published,
    review,
)
from ares.core.facts import KINDS, effects_of_records
from ares.core.series import on_series, series_facts, write_series
from ares.core.state import Scorers, State, bind_calls
from ares.core.windows import OwnFeatures, bars_of, push
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
from ares.kernel.features import N_FEATURES, VOLATILITY_20
from ares.kernel.features.columns import present
from ares.kernel.live import observe_closes
from ares.kernel.trade.layout import N_NOTICES, N_OUTCOMES, N_REQUESTS, Records


def step(
    state: State, event: Event, scorers: Scorers, own: OwnFeatures | None = None
) -> list[Effect]:
    """Advance the state by one event and return what goes out, in order.

    scorers : a function per package hash, (n, n_features) float32 -> (n,) probabilities.
    own     : the user's features, where the run has any.
    Raises IllegalTransition where the event cannot follow: a broken invariant stops the process.
    """
    state.seq += 1
    match event:
        case BarsClosed():
            effects = _on_bars(state, event, scorers, own)
            if state.setup.challenger_rules is None or event.warming:
                return effects
            if len(effects) > 1:
                observe(state, effects)
            on_the_hour = event.ts_ms % HOUR_MS == 0
            if on_the_hour:
                effects += compare(state)
            if state.unreviewed or on_the_hour:
                effects += review(state, scorers, own)
            return effects
        case OrderFilled() | OrderRejected():
            effects = _on_answer(state, event)
            observe(state, effects)
            if state.unreviewed:  # at once: whom this trade takes out does not decide the next bar
                effects += review(state, scorers, own)
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
            return on_published(state, event, scorers, own)
        case SlotChangeRequested():
            return on_change_requested(state, event, scorers, own)
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


def _on_bars(
    state: State, event: BarsClosed, scorers: Scorers, own: OwnFeatures | None
) -> list[Effect]:
    """Fold the bars, score what is due, and decide unless the run is still warming."""
    s = state.scratch
    s.take(event)
    state.now_ms = event.ts_ms
    calls = s.calls or bind_calls(state)
    n = calls.score_step(
        event.ts_ms, s.bars, state.intervals, state.bar_series, s.rows, state.latest, s.scoring,
        VOLATILITY_20,
    )  # fmt: skip
    if state.series:
        write_series(state, event.ts_ms)
    _score(state, n, scorers, own)
    if event.warming:
        for i in np.flatnonzero(s.bars.present).tolist():
            ticks = np.rint(s.bars.ohlcv[i, 3:4] * state.price_scale[i]).astype(np.int64)
            observe_closes(i, ticks, state.trade, state.params)
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


def _score(state: State, n: int, scorers: Scorers, own: OwnFeatures | None) -> None:
    """Score the ``n`` bars that are due, in one batch per model; one that is not warm has no score.

    A batch of one is a slice: it is by far the commonest, and numpy's lists of places are slow.
    """
    s = state.scratch
    if state.windows is not None:
        n = _observe(state, state.windows, n, own)
    rows, names = s.flat_features, state.package_hashes
    places = s.scoring.due_rows[:n].tolist()
    batches: dict[int, list[int]] = {}
    for place in places:
        batches.setdefault(s.flat_packages[place], []).append(place)
    for package, where in batches.items():
        if len(where) == 1:
            place = where[0]
            s.flat_p[place] = scorers[names[package]](rows[place : place + 1])[0]
        else:
            s.flat_p[where] = scorers[names[package]](rows[where])


def _observe(state: State, windows: Records, n: int, own: OwnFeatures | None) -> int:
    """Keep the bars that closed now, and write the user's columns of the ``n`` rows to be scored;
    return how many are left without those where one of these features is still in its warmup.
    """
    if own is None:
        raise ValueError("the run has features of its user's own: hand them in beside the scorers")
    for k in np.flatnonzero(state.scratch.rows.due).tolist():
        push(windows, k, state.bar_series.aggregates[k])
    places, left = state.scratch.scoring.due_rows, 0
    for k in places[:n].tolist():
        values = own(
            bars_of(windows, k),
            int(state.intervals.timeframe_ms[k % len(state.intervals.timeframe_ms)]),
        )
        state.scratch.flat_features[k, N_FEATURES : N_FEATURES + len(values)] = values
        if present(values):
            places[left] = k
            left += 1
    return left


def _on_answer(state: State, event: OrderFilled | OrderRejected) -> list[Effect]:
    """Fold a fill or a rejection into orders, account, breakers and mode."""
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
    """Return an open order, or stop: an answer to an order we never sent explains nothing."""
    if client_id not in state.orders:
        raise orders.IllegalTransition(f"an answer for the unknown order {client_id}")
    return state.orders[client_id]
