"""The engine alone: answers that cannot follow, snapshots that are the state, events in order."""

from __future__ import annotations

from dataclasses import asdict

import msgspec
import numpy as np
import pytest

from ares.core.initial_state import new_state
from ares.core.models import NO_MODELS
from ares.core.orders import IllegalTransition, OrderStatus
from ares.core.snapshot import restore, snapshot
from ares.core.state import State
from ares.core.step import step
from ares.domain.events import (
    BarsClosed,
    DecisionMade,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    RunStarted,
    SubmitOrder,
)
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.run import RunInstrument, RunSetup
from ares.domain.timeframe import MINUTE_MS, Timeframe
from ares.kernel.trade import Rules
from ares.kernel.trade.layout import ENTRY

START_MS = 1_704_153_600_000


def setup_of(n: int = 2, frames: tuple[Timeframe, ...] = (Timeframe.M1, Timeframe.M5)) -> RunSetup:
    instruments = tuple(
        RunInstrument(InstrumentSpec(Instrument("test", f"T{i}/USDT"), 2, 3), MINUTE_MS, None, True)
        for i in range(n)
    )
    rules = {name: float(value) for name, value in asdict(Rules()).items()}
    return RunSetup(
        "history/x", instruments, frames, -1, START_MS, START_MS + 60 * MINUTE_MS, START_MS,
        10_000.0, rules, 0.25, {},
    )  # fmt: skip


def bars(minute: int, price: float = 100.0, n: int = 2, here: bytes = b"\1\1") -> BarsClosed:
    ohlcv = np.tile([price, price + 1.0, price - 1.0, price, 50.0], (n, 1))
    return BarsClosed(START_MS + minute * MINUTE_MS, ohlcv.tobytes(), here, b"\0" * n)


def with_entry(state: State) -> SubmitOrder:
    """Return the entry of 10 lots that the state now believes to be on its way."""
    from ares.core import orders

    command = SubmitOrder("e", 0, "entry", 10, 0, "signal", 0.6, 9.0, 100.0)
    state.orders["e"] = orders.submitted(command)
    state.working_ids[0] = "e"
    book = state.trade.book[0]
    book["working_lots"], book["working_kind"], book["entry_barrier_bps"] = 10, ENTRY, 100.0
    return command


def test_every_event_takes_one_seq_and_every_decision_one_fact() -> None:
    state = new_state(setup_of())
    assert step(state, RunStarted(state.setup), NO_MODELS) == []
    for minute in range(1, 8):
        (decided,) = step(state, bars(minute), NO_MODELS)
        assert isinstance(decided, DecisionMade)
        assert decided.ts_ms == state.now_ms == START_MS + minute * MINUTE_MS
        assert np.isnan(np.frombuffer(decided.outputs).reshape(5, 2)[:3]).all()
    assert state.seq == 8


def test_a_warmup_bar_updates_features_and_gives_no_effects() -> None:
    state = new_state(setup_of())
    assert step(state, msgspec.structs.replace(bars(1), warming=True), NO_MODELS) == []
    assert state.trade.book["last_close"].tolist() == [10_000, 10_000]
    assert state.trade.account[0]["day"] == 0


def test_an_instrument_without_a_bar_is_left_alone() -> None:
    state = new_state(setup_of())
    step(state, bars(1), NO_MODELS)
    step(state, bars(2, 200.0, here=b"\1\0"), NO_MODELS)
    assert state.trade.book["last_close"].tolist() == [20_000, 10_000]


def test_an_answer_to_an_order_we_never_sent_stops_the_engine() -> None:
    for answer in (
        OrderFilled("?", 1, 1, 1, 0, 0),
        OrderRejected("?", 1, 1, "no"),
        OrderCancelled("?", 1),
    ):
        with pytest.raises(IllegalTransition, match="unknown order"):
            step(new_state(setup_of()), answer, NO_MODELS)


def test_an_acceptance_that_was_overtaken_by_the_orders_end_is_no_news() -> None:
    state = new_state(setup_of())
    with_entry(state)
    (stop,) = step(state, OrderFilled("e", START_MS, 10, 10_000, 5, 0), NO_MODELS)
    assert isinstance(stop, SubmitOrder)
    assert (stop.kind, stop.lots, stop.price_ticks) == ("stop", -10, 9_900)
    assert state.stop_ids[0] == stop.client_id
    assert list(state.orders) == [stop.client_id]  # what has ended is let go
    assert state.working_ids[0] == ""
    before = snapshot(state)
    assert step(state, OrderAccepted("e", START_MS), NO_MODELS) == []
    state.seq -= 1
    assert snapshot(state) == before


def test_a_rejected_entry_frees_what_it_had_reserved() -> None:
    state = new_state(setup_of())
    with_entry(state)
    account, book = state.trade.account[0], state.trade.book[0]
    for record in (account, book):
        record["reserved"], record["pending_notional"] = 700, 600
    assert step(state, OrderRejected("e", START_MS, 1, "collar"), NO_MODELS) == []
    assert account["reserved"] == account["pending_notional"] == book["working_lots"] == 0
    assert state.orders == {}
    assert account["failures"] == 1


def test_ids_of_orders_are_unique_over_seqs_and_instruments() -> None:
    state = new_state(setup_of())
    with_entry(state)
    state.seq = 41
    (stop,) = step(state, OrderFilled("e", START_MS, 10, 10_000, 5, 0), NO_MODELS)
    assert isinstance(stop, SubmitOrder)
    assert stop.client_id == "history-x-42-0"


def test_a_snapshot_is_the_state() -> None:
    state = new_state(setup_of())
    with_entry(state)
    for minute in range(1, 20):
        step(state, bars(minute, 100.0 + minute), NO_MODELS)
    raw = snapshot(state)
    again = restore(state.setup, raw)
    assert snapshot(again) == raw
    assert again.orders["e"].status is OrderStatus.SUBMITTED
    for minute in range(20, 40):
        event = bars(minute, 90.0 + minute)
        assert step(state, event, NO_MODELS) == step(again, event, NO_MODELS)
    assert snapshot(again) == snapshot(state)


def test_a_restored_state_is_its_own() -> None:
    state = new_state(setup_of())
    raw = snapshot(state)
    step(restore(state.setup, raw), bars(1), NO_MODELS)
    assert snapshot(state) == raw


@pytest.mark.parametrize(
    "other", [setup_of(n=1), setup_of(frames=(Timeframe.M1,))], ids=["instruments", "timeframes"]
)
def test_a_snapshot_of_another_layout_is_refused(other: RunSetup) -> None:
    with pytest.raises(ValueError, match="other state layouts"):
        restore(other, snapshot(new_state(setup_of())))


def test_equal_states_have_equal_bytes_whatever_the_padding() -> None:
    one, other = new_state(setup_of()), new_state(setup_of())
    for state in (one, other):
        for minute in range(1, 10):
            step(state, bars(minute), NO_MODELS)
    assert snapshot(one) == snapshot(other)
