"""The engine alone: reports that cannot follow, snapshots that are the state, events in order."""

from __future__ import annotations

from dataclasses import asdict

import msgspec
import numpy as np
import pytest

from ares.core.initial_state import new_state
from ares.core.models import NO_MODELS
from ares.core.orders import Life, Request, client_id, sent, status
from ares.core.snapshot import restore, snapshot
from ares.core.state import State
from ares.core.step import step
from ares.domain.events import BarsClosed, DecisionMade, Effect, Event, RunStarted
from ares.domain.holding_events import DifferenceFound
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.order_events import (
    AccountSeen,
    AskAccount,
    CancelRefused,
    EventRefused,
    ExecutionBooked,
    HaltChanged,
    OrderAbsent,
    OrderAccepted,
    OrderEnded,
    OrderFilled,
    OrderMoved,
    OrderUnknown,
    SubmitOrder,
)
from ares.domain.run import RunInstrument, RunSetup
from ares.domain.timeframe import MINUTE_MS, Timeframe
from ares.kernel.trade import Rules

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


def with_entry(state: State, lane: int = 0) -> SubmitOrder:
    """Return the entry of 10 lots that the state now believes to be on its way."""
    command = SubmitOrder("e", lane, "entry", 10, 0, "signal", 0.6, 9.0, 100.0)
    state.orders["e"] = sent(command, state.seq, state.seq, state.at_ms)
    state.lane_orders[lane].entry = "e"
    state.trade.book[lane]["entry_open_lots"] = 10
    return command


def filled(order: str, lots: int, exec_id: str = "x1", instrument: int = -1) -> OrderFilled:
    return OrderFilled(order, START_MS, lots, 10_000, 5, exec_id, instrument)


def test_every_event_takes_one_seq_and_every_decision_one_fact() -> None:
    state = new_state(setup_of())
    assert step(state, RunStarted(state.setup), NO_MODELS, START_MS) == [
        HaltChanged(-1, START_MS, True, "starting", False), AskAccount(START_MS),
    ]  # fmt: skip
    assert state.trade.account[0]["halted"] == 1
    for minute in range(1, 8):
        close_ms = START_MS + minute * MINUTE_MS
        (decided,) = step(state, bars(minute), NO_MODELS, close_ms)
        assert isinstance(decided, DecisionMade)
        assert decided.ts_ms == state.now_ms == START_MS + minute * MINUTE_MS
        assert np.isnan(np.frombuffer(decided.outputs).reshape(5, 2)[:3]).all()
    assert state.seq == 8
    seen = AccountSeen(START_MS, START_MS, True, (0, 0), ())
    assert step(state, seen, NO_MODELS) == [HaltChanged(-1, close_ms, False, "starting", False)]
    assert (state.seq, state.trade.account[0]["halted"]) == (9, 0)


@pytest.mark.parametrize(
    "seen",
    [
        AccountSeen(START_MS, START_MS, False, (0, 0), ()),
        AccountSeen(START_MS, START_MS - 1, True, (0, 0), ()),
    ],
    ids=["incomplete", "from before an execution"],
)
def test_a_report_of_the_account_that_proves_nothing_ends_no_halt(seen: AccountSeen) -> None:
    state = new_state(setup_of())
    step(state, RunStarted(state.setup), NO_MODELS, START_MS)
    state.ledger_ms = START_MS
    assert step(state, seen, NO_MODELS) == []
    assert state.trade.account[0]["halted"] == 1


def test_a_warmup_bar_updates_features_and_gives_no_effects() -> None:
    state = new_state(setup_of())
    assert step(state, msgspec.structs.replace(bars(1), kind="warm"), NO_MODELS) == []
    assert state.trade.book["last_close"].tolist() == [10_000, 10_000]
    assert state.trade.account[0]["day"] == 0


def test_an_instrument_without_a_bar_is_left_alone() -> None:
    state = new_state(setup_of())
    step(state, bars(1), NO_MODELS)
    step(state, bars(2, 200.0, here=b"\1\0"), NO_MODELS)
    assert state.trade.book["last_close"].tolist() == [20_000, 10_000]


def test_an_execution_of_an_order_we_never_sent_halts_its_instrument_and_no_other() -> None:
    """Journaled, it must not end this start nor the next one: it waits for a person."""
    state = new_state(setup_of())
    money = state.trade.account.tobytes()
    found = step(state, filled("?", 7, instrument=1), NO_MODELS, START_MS)
    assert found == [
        DifferenceFound(1, START_MS, "unknown_order", "execution x1", "?", 7, 10_000, 5),
        HaltChanged(1, START_MS, True, "difference", True),
    ]
    assert state.trade.book["halted"].tolist() == [0, 1]
    assert state.trade.account.tobytes() == money, "nothing of it is booked"
    assert state.trade.book["position_lots"].tolist() == [0, 0]
    assert step(state, filled("?", 7, instrument=1), NO_MODELS) == [], "reported again"
    assert len(state.differences) == 1
    again = restore(state.setup, snapshot(state))
    assert again.differences == state.differences
    assert isinstance(step(again, bars(1), NO_MODELS)[0], DecisionMade)


@pytest.mark.parametrize(
    "report",
    [
        OrderAccepted("?", 1), OrderEnded("?", 1, "rejected"), OrderEnded("?", 1, "cancelled"),
        OrderUnknown("?", 1), OrderAbsent("?", 1, True, 1), CancelRefused("?", 1),
    ],
    ids=lambda report: type(report).__name__,
)  # fmt: skip
def test_any_other_report_on_an_order_we_never_sent_changes_nothing(report: Event) -> None:
    state = new_state(setup_of())
    before = snapshot(state)
    assert step(state, report, NO_MODELS) == []
    state.seq -= 1
    assert snapshot(state) == before


@pytest.mark.parametrize("price_ticks", [0, -5])
@pytest.mark.parametrize("order", ["e", "?"])
def test_an_execution_without_a_price_or_an_instrument_is_refused(
    price_ticks: int, order: str
) -> None:
    state = new_state(setup_of())
    with_entry(state)
    wrong = [OrderFilled(order, START_MS, 10, price_ticks, 0, "x1", 0), filled("?", 10, "x2", 2)]
    for event in (*wrong, filled("?", 10, "x3", -1)):
        before = snapshot(state)
        (refused,) = step(state, event, NO_MODELS)
        assert isinstance(refused, EventRefused)
        state.seq -= 1
        assert snapshot(state) == before


def test_an_acceptance_that_was_overtaken_by_the_orders_end_is_no_news() -> None:
    state = new_state(setup_of())
    with_entry(state)
    moved, booked, stop = step(state, filled("e", 10), NO_MODELS)
    assert moved == OrderMoved("e", 0, START_MS, "filled")
    assert booked == ExecutionBooked("e", 0, START_MS, 10, 10_000, 5, "x1")
    assert isinstance(stop, SubmitOrder)
    assert (stop.kind, stop.lots, stop.price_ticks) == ("stop", -10, 9_900)
    assert (state.lane_orders[0].entry, state.lane_orders[0].stop) == ("", stop.client_id)
    assert list(state.orders) == [stop.client_id]  # what has ended is no longer open
    assert state.ended["e"].life is Life.ENDED
    before = snapshot(state)
    assert step(state, OrderAccepted("e", START_MS), NO_MODELS) == []
    assert step(state, filled("e", 10), NO_MODELS) == [], "the same execution again"
    state.seq -= 2
    state.ledger_ms = 0
    assert snapshot(state) == before


def test_a_rejected_entry_frees_what_it_had_reserved() -> None:
    state = new_state(setup_of())
    with_entry(state)
    account, book = state.trade.account[0], state.trade.book[0]
    for record in (account, book):
        record["reserved"], record["pending_notional"] = 700, 600
    assert step(state, OrderEnded("e", START_MS, "rejected", 0, "collar", 1), NO_MODELS) == [
        OrderMoved("e", 0, START_MS, "rejected")
    ]
    assert account["reserved"] == account["pending_notional"] == book["entry_open_lots"] == 0
    assert state.orders == {}
    assert account["failures"] == 1


def test_a_cancelled_entry_frees_what_it_had_reserved_and_is_no_failure() -> None:
    state = new_state(setup_of())
    with_entry(state)
    state.orders["e"].cancel = Request.SENT
    account, book = state.trade.account[0], state.trade.book[0]
    for record in (account, book):
        record["reserved"], record["pending_notional"] = 700, 600
    assert step(state, OrderEnded("e", START_MS, "cancelled", 0), NO_MODELS) == [
        OrderMoved("e", 0, START_MS, "cancelled")
    ]
    assert account["reserved"] == account["pending_notional"] == book["entry_open_lots"] == 0
    assert account["failures"] == account["execution_count"] == 0


def sent_orders(effects: list[Effect]) -> list[str]:
    return [effect.client_id for effect in effects if isinstance(effect, SubmitOrder)]


def test_ids_of_orders_are_unique_over_seqs_instruments_and_epochs() -> None:
    setup = msgspec.structs.replace(setup_of(), owner="0a0b0c0d")
    found: list[str] = []
    for nonce, lane, seq in (("a", 0, 41), ("a", 1, 41), ("a", 0, 42), ("b", 0, 41)):
        state = new_state(setup)
        state.nonce = nonce
        with_entry(state, lane)
        state.orders_sent, state.seq = lane, seq
        (stop,) = sent_orders(step(state, filled("e", 10), NO_MODELS))
        assert stop == client_id("0a0b0c0d", nonce, seq + 1, lane + 1)
        found.append(stop)
    assert len(set(found)) == len(found)
    assert all(len(id_) == 32 and id_.startswith("0a0b0c0d") for id_ in found)


def test_a_snapshot_is_the_state() -> None:
    state = new_state(setup_of())
    with_entry(state)
    for minute in range(1, 20):
        step(state, bars(minute, 100.0 + minute), NO_MODELS)
    raw = snapshot(state)
    again = restore(state.setup, raw)
    assert snapshot(again) == raw
    assert status(again.orders["e"]) == "submitted"
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
