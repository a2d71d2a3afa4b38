"""The engine: ``step`` takes one event, changes the state and returns effects. Nothing else
changes the state.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ares.core.adoption import take_holdings
from ares.core.bar_windows import bars_of, push
from ares.core.challenger import (
    compare_hourly,
    observe_trades,
    on_change_requested,
    on_published,
    review,
)
from ares.core.commands import on_command
from ares.core.execution import submit, work
from ares.core.facts import facts_of_records, refusal_effect
from ares.core.halts import sells_everything
from ares.core.instrument_states import on_instrument
from ares.core.ledger import pay_gas
from ares.core.market import in_order, refuse_instant, refused_bars
from ares.core.models import Models
from ares.core.price_watch import on_closes, on_price
from ares.core.reconcile import forget_old, on_report, on_time
from ares.core.series import known_until_ms, on_series, series_facts, write_series
from ares.core.sessions import on_account, on_clock, on_start, on_venue_down, on_venue_up
from ares.core.state import State, bind_calls
from ares.domain.events import (
    BarsClosed,
    DecisionMade,
    Effect,
    EngineStarted,
    Event,
    RunStarted,
    SeriesPublished,
)
from ares.domain.feed_events import InstrumentChanged, PriceSeen
from ares.domain.model_events import ModelPublished, SlotChangeRequested
from ares.domain.order_events import (
    AccountSeen,
    AmendRefused,
    CancelRefused,
    ClockSkewMeasured,
    CommandGiven,
    GasPaid,
    OrderAbsent,
    OrderAccepted,
    OrderAmended,
    OrderEnded,
    OrderFilled,
    OrderUnknown,
    StopTriggered,
    TimeReached,
    VenueDown,
    VenueUp,
)
from ares.domain.timeframe import HOUR_MS
from ares.kernel.features import N_FEATURES, VOLATILITY_20
from ares.kernel.features.columns import past_warmup
from ares.kernel.live import REFUSED, observe_closes
from ares.kernel.trade.arrays import Signal
from ares.kernel.trade.layout import (
    ENTRY,
    HOLD_ALL,
    HOLD_ENTRIES,
    N_NOTICES,
    N_OUTCOMES,
    N_REQUESTS,
    REFUSAL,
    Records,
)

DAY_EVENTS = 4_096
"""Once in so many events what is too old to matter is forgotten."""


def step(state: State, event: Event, models: Models, at_ms: int = 0) -> list[Effect]:
    """Advance the state by one event and return its effects, in order.

    at_ms : the engine's clock; one that went back is not followed.

    No event raises: what cannot be true is refused with ``EventRefused``, what cannot be explained
    is a ``DifferenceFound``.
    """
    state.seq += 1
    state.at_ms = max(state.at_ms, at_ms)
    if state.seq % DAY_EVENTS == 0:
        forget_old(state)
    match event:
        case BarsClosed():
            return _on_closing(state, event, models)
        case (
            OrderAccepted()
            | OrderFilled()
            | OrderEnded()
            | OrderUnknown()
            | OrderAbsent()
            | CancelRefused()
            | OrderAmended()
            | AmendRefused()
            | StopTriggered()
        ):
            effects = on_report(state, event)
            if effects:
                observe_trades(state, effects)
            if state.review_due:  # at once: a withdrawn ensemble must not decide the next bar
                effects += review(state, models)
            return effects
        case SeriesPublished():
            on_series(state, event)
            return []
        case ModelPublished():
            return on_published(state, event, models)
        case SlotChangeRequested():
            return on_change_requested(state, event, models)
        case _:
            return _on_engine(state, event, models)


def _on_engine(state: State, event: Event, models: Models) -> list[Effect]:
    """Take what concerns the engine itself: its start, its session, time, people."""
    match event:
        case RunStarted():
            state.nonce = event.setup.nonce
            return on_start(state)
        case EngineStarted():
            state.nonce, state.orders_sent = event.nonce, 0
            return on_start(state, event.clock_ms)
        case TimeReached():
            return on_time(state)
        case PriceSeen():
            return on_price(state, event)
        case InstrumentChanged():
            return on_instrument(state, event)
        case AccountSeen():
            return on_account(state, event)
        case ClockSkewMeasured():
            return on_clock(state, event)
        case GasPaid():
            return pay_gas(state, event)
        case VenueDown():
            return on_venue_down(state)
        case VenueUp():
            return on_venue_up(state)
        case CommandGiven():
            return on_command(state, event, models)
        case _:  # facts of the learner, and the clean stop: nothing changes
            return []


def _on_closing(state: State, event: BarsClosed, models: Models) -> list[Effect]:
    """Take the bars of a closing instant, with what follows at full hours."""
    refused = refuse_instant(state, event)
    if refused:
        return refused
    if event.kind == "late":
        return _on_late(state, event, models)
    effects = _on_bars(state, event, models)
    if event.kind != "warm":
        effects += after_decision(state, event.ts_ms, effects, models)
    return effects


def after_decision(
    state: State, ts_ms: int, facts: Sequence[Effect], models: Models
) -> list[Effect]:
    """Apply the rules of challengers after a decision, whose effects are ``facts``."""
    effects: list[Effect] = []
    if state.setup.challenger_rules is None:
        return effects
    if len(facts) > 1:
        observe_trades(state, facts)
    on_the_hour = ts_ms % HOUR_MS == 0
    if on_the_hour:
        effects += compare_hourly(state)
    if state.review_due or on_the_hour:
        effects += review(state, models)
    return effects


def _on_late(state: State, event: BarsClosed, models: Models) -> list[Effect]:
    """Take bars of an instant that has passed: features, scores and volatility, no decision.

    A bar gets no score where external series have gone on since it closed: what was known at its
    close is not kept.
    """
    event, refused = in_order(state, event)
    s = state.scratch
    n, impossible = _aggregate(state, event)
    if state.series and known_until_ms(state) > event.ts_ms:
        state.last_warm[s.rows.due] = False
        n = 0
    elif state.series:
        write_series(state, event.ts_ms)
    _score(state, n, models)
    _observe_volatility(state)
    return refused + impossible


def _aggregate(state: State, event: BarsClosed) -> tuple[int, list[Effect]]:
    """Aggregate the bars; return how many rows of features are to be scored, and which bars were
    refused.
    """
    s = state.scratch
    s.load(event)
    calls = s.calls or bind_calls(state)
    n = calls.score_step(
        event.ts_ms, s.bars, state.intervals, state.bar_series, s.rows, state.latest, s.scoring,
        VOLATILITY_20, s.grid, state.trade, state.params,
    )  # fmt: skip
    return (n % REFUSED, refused_bars(state, event)) if n >= REFUSED else (n, [])


def _observe_volatility(state: State) -> None:
    """Update the volatility with the bars at hand, which are not decided on."""
    bars = state.scratch.bars
    for lane in np.flatnonzero(bars.present).tolist():
        ticks = np.rint(bars.ohlcv[lane, 3:4] * state.price_scale[lane]).astype(np.int64)
        observe_closes(lane, ticks, state.trade, state.params)


def _on_bars(state: State, event: BarsClosed, models: Models) -> list[Effect]:
    """Aggregate the bars, score what is due, and decide unless the run is still warming up."""
    state.now_ms = event.ts_ms
    n, refused = _aggregate(state, event)
    if state.series:
        write_series(state, event.ts_ms)
    _score(state, n, models)
    if event.kind == "warm":
        _observe_volatility(state)
        return refused
    _decide(state, event)
    effects = decision_effects(state, event.ts_ms, refused)
    return effects + on_closes(state, event)


def decision_effects(state: State, ts_ms: int, refused: Sequence[Effect]) -> list[Effect]:
    """Return the effects of a decision, which the kernel has just made; send its orders.

    refused : bars of the instant that were left out.
    """
    s = state.scratch
    equity, cash = s.outputs.equity_cash.tolist()
    decided = DecisionMade(ts_ms, s.outputs.lanes.tobytes(), equity, cash)
    effects: list[Effect] = [decided, *refused]
    counts = s.records.counts.tolist()
    if counts[N_OUTCOMES] or counts[N_NOTICES]:
        effects += facts_of_records(state)
    if counts[N_REQUESTS]:
        effects += _carry_out(state)
    if counts[N_NOTICES] and sells_everything(state):
        for lane in range(len(state.lane_orders)):
            effects += work(state, lane)
    if any(state.existing_lots) and state.setup.adopts_existing:
        effects += take_holdings(state)
        for lane in range(len(state.lane_orders)):
            effects += work(state, lane)
    if state.series:
        effects += series_facts(state, ts_ms)
    return effects


def _decide(state: State, event: BarsClosed) -> None:
    """Decide; in a catch-up no position is opened, and none is closed before its end."""
    s, rules = state.scratch, state.params.rules
    assert s.calls is not None
    if event.kind == "catch_up":
        rules["hold"] = HOLD_ENTRIES if event.catch_up_ends else HOLD_ALL
    s.calls.decide_now(
        event.ts_ms, s.bars, s.grid, s.ensembles, state.latest, state.trade, state.params,
        s.records, s.outputs,
    )  # fmt: skip
    if event.kind == "catch_up":
        rules["hold"] = 0


def _score(state: State, n: int, models: Models) -> None:
    """Score the ``n`` bars that are due, in one batch per model; one that is not warm has no score.

    A batch of one row is a slice: it is by far the most frequent, and numpy's fancy indexing is
    slow.
    """
    s = state.scratch
    if state.bar_windows is not None:
        n = _add_user_columns(state, state.bar_windows, n, models)
    scorers, features, hashes = models.scorers, s.flat_features, state.package_hashes
    if n == 1:
        row = int(s.scoring.due_rows[0])
        s.flat_p[row] = scorers[hashes[s.flat_packages[row]]](features[row : row + 1])[0]
        return
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
        row, interval_ms = state.scratch.flat_features[k], int(timeframe_ms[k % len(timeframe_ms)])
        values = user_columns(bars_of(windows, k), interval_ms, row)
        row[N_FEATURES : N_FEATURES + len(values)] = values
        if past_warmup(values):
            due_rows[n_warm] = k
            n_warm += 1
    return n_warm


def _carry_out(state: State) -> list[Effect]:
    """Send what the decision asked for; a refusal is a fact."""
    s = state.scratch.records
    effects: list[Effect] = []
    for k in range(s.counts[N_REQUESTS]):
        row = s.requests[k]
        lane, kind = int(row["instrument"]), int(row["kind"])
        if kind == REFUSAL:
            effects.append(refusal_effect(s.requests, k))
        elif kind == ENTRY:
            signal = Signal(float(row["p"]), float(row["edge_bps"]), float(row["barrier_bps"]))
            lots, limit = int(row["lots"]), int(row["price_ticks"])
            effects.append(submit(state, lane, ENTRY, lots, limit, int(row["reason"]), signal))
        else:
            effects += work(state, lane)
    return effects
