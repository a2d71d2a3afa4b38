"""The status shows what the state holds, in units that people read."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from tests.paper_engine import START_MS, PaperEngine

from ares.core.execution import submit
from ares.core.slot import slot_of
from ares.domain.events import BarsClosed
from ares.domain.feed_events import FeedChanged
from ares.domain.model import Ensemble, Member
from ares.domain.order_events import CommandGiven, OrderEnded, OrderFilled, VenueDown
from ares.domain.timeframe import Timeframe
from ares.kernel.features import WARMUP_BARS
from ares.kernel.trade.arrays import Signal
from ares.kernel.trade.layout import ENTRY, REASON_SIGNAL
from ares.runtime.engine.status import EngineStatus, InstrumentStatus, engine_status

BTC = "binance:BTC/USDT"


@pytest.fixture
def engine(tmp_path_factory: pytest.TempPathFactory) -> PaperEngine:
    return PaperEngine(tmp_path_factory.mktemp("w"))


def status_of(engine: PaperEngine) -> EngineStatus:
    """Return the status as it is read back from JSON."""
    return msgspec.json.decode(engine.status(), type=EngineStatus)


def bars(engine: PaperEngine, close: float, present: bytes = b"\1\1") -> None:
    row = [close, close, close, close, 5.0]
    event = BarsClosed(START_MS + 60_000, np.array([row, row]).tobytes(), present, b"\0\0")
    engine.take(event)


def test_at_the_start_there_is_nothing(engine: PaperEngine) -> None:
    status = status_of(engine)
    assert (status.environment, status.equity_quote, status.drawdown) == ("paper", 10_000.0, 0.0)
    assert status.instruments[0] == InstrumentStatus(
        BTC, None, None, None, "LEARNING", 0.0, "", ("empty",), 0.0, None, 0.0, 0.0, None, "", 0.0
    )
    assert (status.orders, status.halts, status.differences) == ((), (), ())
    assert {b.status for b in status.breakers} == {"closed"}
    assert (status.last_error, status.last_error_ms) == ("", None)


def test_a_position_is_shown_with_its_orders(engine: PaperEngine) -> None:
    bars(engine, 100.0, b"\1\0")
    book = engine.state.trade.book[0]
    book["expected_ticks"], book["entry_open_lots"] = 10_000, 3_000
    entry = submit(engine.state, 0, ENTRY, 3_000, 0, REASON_SIGNAL, Signal(0.6, 9.0, 100.0))
    engine.take(OrderFilled(entry.client_id, START_MS, 2_000, 10_000, 0, "x1", 0))
    book["last_close"] = 10_100
    status = engine_status(engine.state, engine.recent, START_MS + 61_500)
    row = status.instruments[0]
    assert (row.bar_ms, row.age_s) == (START_MS + 60_000, 1.5)
    assert (row.price, row.position_base, row.entry_price) == (101.0, 2.0, 100.0)
    assert (row.value_quote, row.pnl_quote, row.stop_price) == (202.0, 2.0, 99.0)
    assert status.instruments[1].bar_ms is None
    orders = {order.kind: order for order in status.orders}
    assert (orders["entry"].qty_base, orders["entry"].filled_base) == (3.0, 2.0)
    assert (orders["entry"].price, orders["entry"].status) == (None, "partly_filled")
    assert (orders["stop"].price, orders["stop"].status) == (99.0, "submitted")


def test_halts_say_who_and_why(engine: PaperEngine) -> None:
    args = {"instrument": "BTC/USDT", "reason": "news"}
    engine.take(CommandGiven("c", START_MS, "ada", "halt", args))
    (halt,) = status_of(engine).halts
    assert (halt.instrument, halt.reason, halt.detail) == (BTC, "operator", "ada: news")


def test_the_last_error_is_named_with_its_instrument(engine: PaperEngine) -> None:
    engine.take(OrderFilled("stranger", START_MS, 5, 10_000, 0, "x", 1))
    status = status_of(engine)
    assert status.last_error == "binance:ETH/USDT: unknown_order: execution x"
    assert [d.instrument for d in status.differences] == ["binance:ETH/USDT"]
    bars(engine, -1.0)
    assert status_of(engine).last_error.startswith("binance:ETH/USDT: no bar: open, high")
    engine.take(OrderEnded("nobody", START_MS, "rejected", 0, "funds"))
    assert status_of(engine).last_error == "order nobody was rejected: funds"
    engine.take(VenueDown(START_MS))
    status = status_of(engine)
    assert (status.last_error, status.venue_up) == ("the venue is down", False)


def test_what_an_instrument_lacks_is_shown_with_the_time_left(engine: PaperEngine) -> None:
    member = Member(Timeframe.M1, "m", "1", "p", 1.0)
    ensemble = Ensemble(
        BTC, (member,), Timeframe.M1, 1.0, 0.0, 12, 1.0, 10.0, 1.0, 1.0, 20.0, "recipe", "features"
    )
    engine.state.slots[0] = slot_of(ensemble, "champion")
    bars(engine, 100.0)
    engine.take(FeedChanged(START_MS, 0, "absent", "bars are not at the venue"))
    row, other = status_of(engine).instruments
    assert row.missing == "bars are not at the venue"
    assert row.features_s == (WARMUP_BARS - 1) * 60.0
    assert (other.missing, other.features_s) == ("", 0.0)
    engine.take(FeedChanged(START_MS, 0, "up", "no bar is missing"))
    engine.state.bar_series.features["age"][0] = WARMUP_BARS
    row = status_of(engine).instruments[0]
    assert (row.missing, row.features_s) == ("", 0.0)
