"""The engine's tables, from entries written by hand: every column, however it is flushed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine
from tests.postgres import plain

from ares.domain.events import (
    BarsClosed,
    BreakerChanged,
    DailyLossReached,
    DecisionMade,
    Effect,
    Event,
    ModeChanged,
    SignalRefused,
    TradeClosed,
    VirtualTradeOpened,
)
from ares.domain.feed_events import ALL, BarCorrected, FeedChanged
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.model import Ensemble
from ares.domain.model_events import AlertRaised, RetrainingEnded, RetrainingStarted
from ares.domain.order_events import (
    CancelOrder,
    ExecutionBooked,
    OrderAccepted,
    OrderEnded,
    OrderFilled,
    OrderMoved,
    SubmitOrder,
)
from ares.domain.run import RunInstrument, RunSetup
from ares.domain.timeframe import Timeframe
from ares.domain.utc import utc_sql
from ares.store.projection_sql import TABLES
from ares.store.projections import (
    ProjectionMoved,
    Projector,
    delete_rows,
    projected,
    projected_seq,
    show_environment,
)

T0 = 1_700_000_040_000  # 2023-11-14 22:14:00
ENV = "history/test"
VENUES = ("binance", "kraken")
ENSEMBLE = Ensemble(
    "binance:BTC/USDT", (), Timeframe.M1, 1.0, 0.0, 12, 1.0, 10.0, 1.0, 1.0, 20.0, "recipe",
    "features",
)  # fmt: skip


def setup_of(environment: str = ENV) -> RunSetup:
    """Return a run of one symbol on two venues: rows of one must not become the other's."""
    instruments = tuple(
        RunInstrument(
            InstrumentSpec(Instrument(venue, "BTC/USDT"), 2, 3),
            60_000,
            ENSEMBLE if k == 0 else None,
            is_champion=k == 0,
        )
        for k, venue in enumerate(VENUES)
    )
    return RunSetup(environment, instruments, (Timeframe.M1,), -1, 0, 1, 0, 100.0, {}, 0.25, {})


def bars(minute: int, close: float = 100.0) -> BarsClosed:
    ohlcv = np.full((2, 5), close)
    return BarsClosed(T0 + 60_000 * minute, ohlcv.tobytes(), b"\1\1", b"\0\0")


def submit(
    client_id: str, kind: str, lots: int, price: int, expected: int, i: int = 0
) -> SubmitOrder:
    return SubmitOrder(client_id, i, kind, lots, price, "signal", 0.6, 9.0, 40.0, expected)


def accepted(client_id: str, ts_ms: int = T0, i: int = 0) -> tuple[Event, list[Effect]]:
    return OrderAccepted(client_id, ts_ms), [OrderMoved(client_id, i, ts_ms, "accepted")]


def ended(
    client_id: str, ts_ms: int, reason: Any, price: int = 0, i: int = 0
) -> tuple[Event, list[Effect]]:
    return (
        OrderEnded(client_id, ts_ms, reason, None, "", price),
        [OrderMoved(client_id, i, ts_ms, reason)],
    )


def filled(
    client_id: str,
    lots: int,
    price: int,
    fee: int,
    *effects: Effect,
    i: int = 0,
    status: str = "filled",
) -> tuple[Event, list[Effect]]:
    """Return an execution with the facts of its booking, and what followed from it."""
    exec_id = f"{lots}@{price}"
    facts: list[Effect] = [
        OrderMoved(client_id, i, T0, status),
        ExecutionBooked(client_id, i, T0, lots, price, fee, exec_id),
    ]
    return OrderFilled(client_id, T0, lots, price, fee, exec_id), [*facts, *effects]


def closed(i: int, lots: int, entry: float, leave: float, pnl: int, **more: Any) -> TradeClosed:
    values: dict[str, Any] = {
        "virtual": False, "entry_ms": T0, "exit_ms": T0 + 60_000, "fees_units": 3, "net_bps": 12.0,
        "p": 0.6, "edge_bps": 9.0, "reason": "stop", "code": "allowed", "mode_confidence": 0.9,
    }  # fmt: skip
    return TradeClosed(
        instrument=i, entry_price=entry, exit_price=leave, lots=lots, pnl_units=pnl,
        **(values | more),
    )  # fmt: skip


def trained(
    i: int, outcome: str, verdict_hash: str, failed: tuple[str, ...], note: str = ""
) -> RetrainingEnded:
    judged = bool(verdict_hash)
    return RetrainingEnded(
        T0 + 60_000, i, "drift", T0, 60_000, 4_821 if judged else 0, 0.7 if judged else 0.0,
        "e" * 64 if judged else "", verdict_hash, False, failed, outcome, note,  # type: ignore[arg-type]  # str for a literal
        8 if judged else 0,
    )  # fmt: skip


STORY: list[tuple[Event, list[Effect]]] = [
    (bars(0), [submit("e", "entry", 2_000, 10_500, 10_000)]),
    accepted("e"),
    filled(
        "e", 1_500, 10_010, 7, submit("s", "stop", -1_500, 9_900, 9_900), status="partly_filled"
    ),
    ended("e", T0, "expired"),
    accepted("s"),
    (bars(1, 101.0), [CancelOrder("s", 0)]),
    (ended("s", T0 + 60_000, "cancelled")[0],
     [*ended("s", T0 + 60_000, "cancelled")[1], submit("x", "exit", -1_500, 0, 10_100)]),
    accepted("x", T0 + 60_000),
    filled("x", -500, 10_090, 2, status="partly_filled"),
    (bars(2), [submit("k", "entry", 10, 0, 10_000, i=1)]),
    filled("k", 10, 20_000, 1, i=1),
    filled("x", -1_000, 10_080, 3, closed(0, 1_500, 10_010.0, 10_083.5, 1_090)),
    (bars(3), [submit("r", "entry", 10, 10_100, 10_000)]),
    ended("r", T0 + 180_000, "rejected", 10_200),
    (RetrainingStarted(T0, 1, "loss_immediate", "a trade closed at -4.0 bps net"), []),
    (RetrainingStarted(T0, 0, "drift", "drift score 0.80"), []),
    (AlertRaised(T0 + 60_000, 0, "sharpe_low", -0.5, 1.0, "sharpe -0.50 is below 1"), []),
    (trained(1, "refused", "v" * 64, ("e_value", "trades")), []),
    (trained(0, "failed", "", (), "its worker process died"), []),
    (RetrainingStarted(T0 + 7_200_000, 1, "manual", "a person asked for it"), []),
]  # fmt: skip


NOW = "2024-01-01 00:00:00"


def recorded(
    database: Engine,
    story: list[tuple[Event, list[Effect]]],
    every: int = 10**9,
    environment: str = ENV,
) -> None:
    """Project the entries after those in the tables, written after every so many."""
    show_environment(database, ENV)
    projector = Projector(database, setup_of(environment))
    for seq, (event, effects) in enumerate(story, 1):
        if seq <= projector.seq:
            continue
        projector.add([(seq, event, effects)])
        if seq % every == 0:
            projector.flush(b"%d" % seq, NOW)
    projector.flush(b"%d" % len(story), NOW)


def everything(database: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows, but for their numbers."""
    return {table: [row[1:] for row in rows(database, "*", table)] for table in TABLES}


def test_a_projector_continues_from_the_tables(engine: Engine) -> None:
    recorded(engine, STORY)
    whole = everything(engine)
    for count in range(1, len(STORY)):
        delete_rows(engine, ENV)
        recorded(engine, STORY[:count])
        projector = Projector(engine, setup_of())
        assert (projector.seq, projector.position) == (count, b"%d" % count)
        recorded(engine, STORY)
        assert everything(engine) == whole, count


def test_rows_of_an_earlier_version_are_made_anew(engine: Engine) -> None:
    recorded(engine, STORY)
    whole = everything(engine)
    delete_rows(engine, ENV)
    recorded(engine, STORY[:7])
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE projections SET state = NULL")
    assert Projector(engine, setup_of()).seq == 0
    recorded(engine, STORY)
    assert everything(engine) == whole


def rows(database: Engine, columns: str, table: str, where: str = "true") -> list[tuple[Any, ...]]:
    with database.connect() as connection:
        statement = f"SELECT {columns} FROM {table} WHERE {where} ORDER BY id"
        found = connection.exec_driver_sql(statement).fetchall()
    return [tuple(plain(value) for value in row) for row in found]


def test_orders_follow_their_life(engine: Engine) -> None:
    recorded(engine, STORY)
    assert rows(engine, "client_order_id, side, kind, qty, price, status", "orders") == [
        ("e", "buy", "entry", 2.0, 105.0, "expired"),
        ("s", "sell", "stop", 1.5, 99.0, "cancelled"),
        ("x", "sell", "exit", 1.5, None, "filled"),
        ("k", "buy", "entry", 0.01, None, "filled"),
        ("r", "buy", "entry", 0.01, 101.0, "rejected"),
    ]
    created = rows(engine, "created_at, updated_at", "orders", "client_order_id = 's'")
    assert created == [("2023-11-14 22:14:00", "2023-11-14 22:15:00")]
    for count, status in ((1, "submitted"), (2, "accepted")):
        delete_rows(engine, ENV)
        recorded(engine, STORY[:count])
        assert rows(engine, "status", "orders") == [(status,)]
    delete_rows(engine, ENV)
    recorded(engine, STORY[:6])
    assert rows(engine, "status", "orders", "client_order_id = 's'") == [("cancelling",)]
    delete_rows(engine, ENV)
    recorded(engine, STORY[:9])
    assert rows(engine, "status", "orders", "client_order_id = 'x'") == [("partly_filled",)]


def test_fills_have_their_costs(engine: Engine) -> None:
    recorded(engine, STORY)
    found = rows(engine, "client_order_id, side, qty, price, fee, slippage_bps", "fills")
    assert [row[:5] for row in found] == [
        ("e", "buy", 1.5, 100.1, 7e-8),
        ("x", "sell", 0.5, 100.9, 2e-8),
        ("k", "buy", 0.01, 200.0, 1e-8),
        ("x", "sell", 1.0, 100.8, 3e-8),
    ]
    # against the close that decided: 100.1 over 100; 100.9 and 100.8 under 101
    assert [row[5] for row in found] == pytest.approx(
        [10.0, (1 - 100.9 / 101) * 1e4, 1e4, (1 - 100.8 / 101) * 1e4]
    )


def test_a_stop_is_measured_by_its_trigger(engine: Engine) -> None:
    recorded(engine, [*STORY[:5], filled("s", -1_500, 9_890, 1)])
    assert rows(engine, "slippage_bps", "fills")[1][0] == pytest.approx((1 - 98.9 / 99.0) * 1e4)


def test_an_execution_that_was_not_booked_has_no_row(engine: Engine) -> None:
    unbooked = OrderFilled("e", T0, 100, 10_000, 1, "of nobody")
    recorded(engine, [*STORY[:2], (unbooked, [])])
    assert rows(engine, "*", "fills") == rows(engine, "*", "positions") == []
    assert rows(engine, "status", "orders") == [("accepted",)]


def test_a_position_opens_shrinks_and_closes(engine: Engine) -> None:
    columns = "symbol, status, qty, entry_price, exit_price, pnl, fees, virtual"
    for count, wanted in (
        (3, [("BTC/USDT", "open", 1.5, 100.1, None, None, 7e-8, 0)]),
        (9, [("BTC/USDT", "open", 1.0, 100.1, None, None, 9e-8, 0)]),
        (
            len(STORY),
            [
                ("BTC/USDT", "closed", 1.5, 100.1, 100.835, 1.09e-5, 3e-8, 0),
                ("BTC/USDT", "open", 0.01, 200.0, None, None, 1e-8, 0),  # on the other venue
            ],
        ),
    ):
        delete_rows(engine, ENV)
        recorded(engine, STORY[:count])
        assert rows(engine, columns, "positions") == wanted


def test_an_entry_in_parts_is_one_position_at_its_mean(engine: Engine) -> None:
    parts: list[tuple[Event, list[Effect]]] = [
        STORY[0], filled("e", 500, 10_000, 1, status="partly_filled"),
        filled("e", 1_500, 10_040, 2),
    ]  # fmt: skip
    recorded(engine, parts)
    assert rows(engine, "qty, entry_price, fees", "positions") == [(2.0, 100.3, 3e-8)]


def test_a_second_position_starts_afresh(engine: Engine) -> None:
    again: list[tuple[Event, list[Effect]]] = [
        (bars(4), [submit("e2", "entry", 1_000, 0, 10_000)]),
        filled("e2", 1_000, 12_000, 5, submit("x2", "exit", -1_000, 0, 10_000)),
        filled("x2", -400, 12_100, 1, status="partly_filled"),
    ]
    recorded(engine, [*STORY, *again])
    columns = "status, qty, entry_price, fees"
    found = rows(engine, columns, "positions", "symbol = 'BTC/USDT' AND entry_price < 190")
    assert found == [("closed", 1.5, 100.1, 3e-8), ("open", 0.6, 120.0, 6e-8)]


def test_virtual_trades_have_no_money_and_no_position(engine: Engine) -> None:
    virtual = closed(0, 0, 10_000.5, 10_100.0, 0, virtual=True, code="no_champion")
    recorded(engine, [(bars(0), [virtual, closed(0, 10, 1.0, 2.0, 100)])])
    columns = "virtual, pnl_absolute, qty, pnl_bps, slot"
    in_virtual, in_real = (1, None, 0.0, 12.0, "champion"), (0, 1e-6, 0.01, 12.0, "champion")
    assert rows(engine, columns, "all_trade_outcomes") == [in_virtual, in_real]
    assert rows(engine, columns, "trade_outcomes") == [in_real]
    assert rows(engine, columns, "virtual_trades") == [in_virtual]
    assert rows(engine, "*", "positions") == []


def test_a_refusal_is_an_order_that_never_was(engine: Engine) -> None:
    recorded(engine, [(bars(0), [SignalRefused(1, T0, "no_champion", 0.7, 9.0, 30.0)])])
    assert rows(engine, "client_order_id, status, refusal, qty", "orders") == [
        (f"{ENV}-1-0-refused", "refused", "no_champion", 0.0)
    ]


def test_confidence_is_that_of_a_long_trade_and_has_a_row_where_it_changes(engine: Engine) -> None:
    outputs = np.array([[0.7, 0.3], [9.0, -9.0], [40.0, 40.0], [0.9, 0.4], [1.0, 0.0]])
    mute = outputs.copy()
    mute[0, 0] = np.nan
    recorded(
        engine,
        [
            (bars(0), [DecisionMade(T0, outputs.tobytes(), 1, 1)]),
            (bars(1), [DecisionMade(T0 + 60_000, mute.tobytes(), 1, 1)]),
        ],
    )
    columns = "seq, timestamp, confidence_score, edge_bps, mode_confidence, mode"
    assert rows(engine, columns, "confidence_history") == [
        (1, "2023-11-14 22:14:00", 0.7, 9.0, 0.9, "TRADING"),
        (1, "2023-11-14 22:14:00", 0.3, -9.0, 0.4, "LEARNING"),
    ]


def test_modes_breakers_and_the_daily_loss_are_recorded(engine: Engine) -> None:
    effects: list[Effect] = [
        ModeChanged(1, T0, "LEARNING", "TRADING", 0.81),
        BreakerChanged(-1, T0, "win_rate", "closed", "open", 0.25),
        BreakerChanged(0, T0, "volatility", "closed", "open", 3.5),
        DailyLossReached(T0, 0.0512),
        VirtualTradeOpened(0, T0, "cash", 9.0),
    ]
    recorded(engine, [(bars(0), effects)])
    assert rows(engine, "symbol, mode, previous_mode, mode_confidence", "learning_states") == [
        ("BTC/USDT", "TRADING", "LEARNING", 0.81)
    ]
    assert rows(engine, "timestamp, error_type, message", "error_log") == [
        ("2023-11-14 22:14:00", "breaker_win_rate", "account: closed to open at 0.25"),
        ("2023-11-14 22:14:00", "breaker_volatility", "BTC/USDT: closed to open at 3.5"),
        (
            "2023-11-14 22:14:00",
            "daily_loss_limit",
            "lost 5.12% of the day's equity: no entries until tomorrow",
        ),
    ]


def test_what_happens_to_the_feed_is_recorded(engine: Engine) -> None:
    story: list[tuple[Event, list[Effect]]] = [
        (FeedChanged(T0, ALL, "down", "the server closed the connection"), []),
        (FeedChanged(T0, 0, "absent", "no bar since 22:10"), []),
        (FeedChanged(T0, 0, "silent", "no trade for 41 s"), []),
        (FeedChanged(T0, ALL, "up"), []),
        (BarCorrected(T0, 1, (1.0, 2.0, 1.0, 1.5, 9.0), (1.0, 2.0, 1.0, 1.6, 9.5)), []),
    ]
    recorded(engine, story)
    changed = "the venue changed the bar of 2023-11-14 22:14:00: close 1.5 is now 1.6"
    assert rows(engine, "error_type, message", "error_log") == [
        ("feed_down", "all instruments: the server closed the connection"),
        ("feed_absent", "BTC/USDT: no bar since 22:10"),
        ("bar_corrected", f"BTC/USDT: {changed}"),
    ]
    assert rows(engine, "symbol, code, message", "alerts") == [
        ("BTC/USDT", "feed_silent", "no trade for 41 s")
    ]


def test_a_retraining_is_a_row_from_its_begin_to_its_end(engine: Engine) -> None:
    recorded(engine, STORY)
    columns = (
        "symbol, triggered_at, trigger_reason, completed_at, duration_s, epochs, rows, "
        "validation_confidence, success, outcome, verdict, failed_lines, message"
    )
    start, end = "2023-11-14 22:14:00", "2023-11-14 22:15:00"
    assert rows(engine, columns, "retraining_history") == [
        ("BTC/USDT", start, "loss_immediate", end, 60.0, 8, 4_821, 0.7, 0, "refused", "refused",
         "e_value, trades", None),
        ("BTC/USDT", start, "drift", end, 60.0, None, None, None, 0, "failed", None, None,
         "its worker process died"),
        ("BTC/USDT", "2023-11-15 00:14:00", "manual", *[None] * 10),
    ]  # fmt: skip
    assert rows(engine, "reason", "retraining_history")[1] == ("drift score 0.80",)
    assert rows(engine, "symbol, timestamp, code, value, threshold", "alerts") == [
        ("BTC/USDT", end, "sharpe_low", -0.5, 1.0)
    ]


def test_a_mode_that_goes_to_and_fro_is_an_alert_once_an_hour(engine: Engine) -> None:
    def changed(minute: int, i: int = 0) -> Effect:
        return ModeChanged(i, T0 + 60_000 * minute, "LEARNING", "TRADING", 0.8)

    story: list[tuple[Event, list[Effect]]] = [
        (bars(minute), [changed(minute)]) for minute in (0, 10, 20, 30, 40, 90, 100, 110)
    ]
    story += [(bars(200), [changed(200, 1), changed(205, 1)])]
    recorded(engine, story)
    assert rows(engine, "timestamp, code, value, threshold", "alerts") == [
        ("2023-11-14 22:34:00", "mode_transitions", 3.0, 2.0),
        ("2023-11-15 00:04:00", "mode_transitions", 3.0, 2.0),
    ]
    delete_rows(engine, ENV)
    assert rows(engine, "*", "alerts") == []
    recorded(engine, story, every=1)
    assert len(rows(engine, "*", "alerts")) == 2


@pytest.mark.parametrize("every", [1, 2, 3, 5, 7])
def test_rows_do_not_depend_on_when_they_are_written(engine: Engine, every: int) -> None:
    recorded(engine, STORY)
    wanted = {table: rows(engine, "*", table) for table in TABLES}
    delete_rows(engine, ENV)
    recorded(engine, STORY, every)
    assert {t: [r[1:] for r in rows(engine, "*", t)] for t in TABLES} == {
        t: [r[1:] for r in found] for t, found in wanted.items()
    }


@pytest.mark.parametrize("stopped", range(len(STORY)))
def test_a_projector_that_died_goes_on_exactly_where_the_tables_end(
    engine: Engine, stopped: int
) -> None:
    recorded(engine, STORY[:stopped])
    assert projected_seq(engine, ENV) == stopped
    recorded(engine, STORY)
    found = {t: [r[1:] for r in rows(engine, "*", t)] for t in TABLES}
    delete_rows(engine, ENV)
    recorded(engine, STORY)
    assert {t: [r[1:] for r in rows(engine, "*", t)] for t in TABLES} == found


def projector_with_all(engine: Engine) -> Projector:
    show_environment(engine, ENV)
    projector = Projector(engine, setup_of())
    projector.add((seq, event, effects) for seq, (event, effects) in enumerate(STORY, 1))
    return projector


def test_a_flush_is_all_or_nothing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    projector = projector_with_all(engine)
    with monkeypatch.context() as patched:
        patched.setattr("ares.store.projection_rows.sql.FILL", "INSERT INTO nowhere VALUES (?)")
        projector = projector_with_all(engine)
        with pytest.raises(Exception, match="nowhere"):
            projector.flush(b"", NOW)
    assert all(rows(engine, "*", table) == [] for table in TABLES)
    assert projected(engine, ENV) is None
    projector_with_all(engine).flush(b"", NOW)
    assert len(rows(engine, "*", "fills")) == 4


def test_of_two_projectors_the_slower_writes_nothing(engine: Engine) -> None:
    first, second = projector_with_all(engine), projector_with_all(engine)
    first.flush(b"", NOW)
    whole = everything(engine)
    with pytest.raises(ProjectionMoved, match="not at event 0 any more"):
        second.flush(b"", NOW)
    assert everything(engine) == whole
    third = Projector(engine, setup_of())
    delete_rows(engine, ENV)
    third.add([(len(STORY) + 1, *STORY[0])])
    with pytest.raises(ProjectionMoved):
        third.flush(b"", NOW)
    assert all(not found for found in everything(engine).values())


def test_progress_is_stored_with_its_position_and_time(engine: Engine) -> None:
    assert projected(engine, ENV) is None
    recorded(engine, STORY)
    found = projected(engine, ENV)
    assert found is not None
    assert (found.seq, found.position, found.updated_at) == (len(STORY), b"%d" % len(STORY), NOW)


def test_plain_names_show_one_environment_and_real_trades(engine: Engine) -> None:
    recorded(engine, STORY)
    recorded(engine, STORY, environment="paper")
    names = [table.removeprefix("all_") for table in TABLES]
    for shown in (ENV, "paper"):
        show_environment(engine, shown)
        for name in names:
            found = {row[0] for row in rows(engine, "environment", name)}
            assert found <= {shown}, name
    assert len(rows(engine, "*", "all_fills")) == 2 * len(rows(engine, "*", "fills"))


def test_environments_do_not_touch_each_other(engine: Engine) -> None:
    recorded(engine, STORY)
    before = {table: rows(engine, "*", table) for table in TABLES}
    recorded(engine, STORY, environment="history/other")
    assert {t: rows(engine, "*", t, f"environment = '{ENV}'") for t in TABLES} == before
    delete_rows(engine, "history/other")
    assert {table: rows(engine, "*", table) for table in TABLES} == before


def test_times_are_as_sqlite_writes_them(sqlite_engine: Engine) -> None:
    with sqlite_engine.connect() as connection:
        stamp = connection.exec_driver_sql(f"SELECT datetime({T0 / 1000}, 'unixepoch')").scalar()
    assert utc_sql(T0) == stamp == "2023-11-14 22:14:00"
    assert utc_sql(-1) == "1969-12-31 23:59:59"
