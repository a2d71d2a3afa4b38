"""After a run the tables say what the journal says, and the queries that users bring along work."""

from __future__ import annotations

import shutil
from collections import Counter
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine

from ares.core import orders
from ares.domain.events import (
    BarsClosed,
    BreakerChanged,
    DailyLossReached,
    DecisionMade,
    ModeChanged,
    SignalRefused,
    TradeClosed,
)
from ares.domain.order_events import (
    CancelOrder,
    OrderAccepted,
    OrderEnded,
    OrderFilled,
    SubmitOrder,
)
from ares.domain.utc import utc_sql
from ares.journal.run import entries
from ares.observe.run_report import report_run
from ares.runtime.engine.plan import RunPlan

NAMES = ("BTC/USDT", "ETH/USDT")


@pytest.fixture
def rows(world: Any, plan: RunPlan, database: Engine, fast_disk: Any) -> Engine:
    """Return a database after a run that was stopped twice."""
    for stop in (100, 300, 10**9):
        world.run(fast_disk / "rows", database, plan, stopped=world.stop_after(stop))
    shutil.rmtree(fast_disk / "rows")
    return database


def ask(database: Engine, statement: str) -> list[tuple[Any, ...]]:
    with database.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(statement).fetchall()]


def effects(done: Any, kind: type) -> list[Any]:
    return [e for entry in entries(done.folder) for e in entry.effects if type(e) is kind]


def events(done: Any, kind: type) -> list[Any]:
    return [entry.event for entry in entries(done.folder) if type(entry.event) is kind]


def test_orders_and_their_ends(done: Any, rows: Engine) -> None:
    book: dict[str, orders.Order] = {}
    for entry in entries(done.folder):
        match entry.event:
            case OrderAccepted(client_id=id_):
                orders.accept(book[id_], "", 0)
            case OrderFilled(client_id=id_, lots=lots):
                orders.execute(book[id_], entry.event.exec_id, lots)
                if book[id_].remaining_lots == 0:
                    orders.end(book[id_], "filled", 0)
            case OrderEnded(client_id=id_, reason=reason):
                orders.end(book[id_], reason, 0)
            case _:
                pass
        for effect in entry.effects:
            if isinstance(effect, SubmitOrder):
                book[effect.client_id] = orders.sent(effect, entry.seq, 0, 0)
            if isinstance(effect, CancelOrder):
                book[effect.client_id].cancel = orders.Request.SENT
    found = ask(
        rows, "SELECT symbol, kind, qty, status FROM orders WHERE refusal IS NULL ORDER BY id"
    )
    assert found == [
        (NAMES[o.instrument], o.kind, abs(o.lots) / 1_000, orders.status(o)) for o in book.values()
    ]
    assert ask(rows, "SELECT COUNT(*) FROM orders WHERE created_at IS NULL") == [(0,)]
    refused = Counter(e.code for e in effects(done, SignalRefused))
    counted = dict(ask(rows, "SELECT refusal, COUNT(*) FROM orders GROUP BY refusal"))
    assert {k: v for k, v in counted.items() if k is not None} == dict(refused)


def test_fills_and_fees(done: Any, rows: Engine) -> None:
    fills = events(done, OrderFilled)
    found = ask(rows, "SELECT side, qty, price, fee FROM fills ORDER BY id")
    assert found == [
        (
            "buy" if f.lots > 0 else "sell",
            abs(f.lots) / 1_000,
            f.price_ticks / 100,
            f.fee_units / 1e8,
        )
        for f in fills
    ]
    worst = ask(rows, "SELECT MIN(slippage_bps), MAX(slippage_bps) FROM fills")[0]
    assert -100 < worst[0] < 0 < worst[1] < 100


def test_positions_are_the_real_trades_and_what_is_still_held(done: Any, rows: Engine) -> None:
    real = [t for t in effects(done, TradeClosed) if not t.virtual]
    found = ask(
        rows,
        "SELECT symbol, qty, entry_price, exit_price, opened_at, closed_at, pnl, fees"
        " FROM positions WHERE status = 'closed' ORDER BY seq",
    )
    assert found == [
        (
            NAMES[t.instrument], t.lots / 1_000, t.entry_price / 100, t.exit_price / 100,
            utc_sql(t.entry_ms), utc_sql(t.exit_ms), t.pnl_units / 1e8, t.fees_units / 1e8,
        )
        for t in real
    ]  # fmt: skip
    report = report_run(done.folder)
    held = {one.instrument.partition(":")[2]: one.open_lots for one in report.instruments}
    opened = dict(
        ask(rows, "SELECT symbol, SUM(qty) FROM positions WHERE status = 'open' GROUP BY 1")
    )
    assert {k: v / 1_000 for k, v in held.items() if v} == opened
    assert ask(rows, "SELECT COUNT(*) FROM positions WHERE virtual") == [(0,)]


def test_money_adds_up_to_the_accounts(done: Any, rows: Engine) -> None:
    """Closed profit, what open positions cost, and their fees are what the cash has become."""
    cash = effects(done, DecisionMade)[-1].cash_units / 1e8
    closed = ask(rows, "SELECT COALESCE(SUM(pnl), 0) FROM positions WHERE status = 'closed'")[0][0]
    opened = ask(
        rows,
        "SELECT COALESCE(SUM(qty * entry_price + fees), 0) FROM positions WHERE status = 'open'",
    )[0][0]
    assert 10_000.0 + closed - opened == pytest.approx(cash, abs=1e-6)


def test_outcomes_modes_and_troubles(done: Any, rows: Engine) -> None:
    trades = effects(done, TradeClosed)
    found = ask(
        rows,
        "SELECT symbol, virtual, pnl_bps, pnl_absolute, exit_reason"
        " FROM all_trade_outcomes ORDER BY id",
    )
    assert found == [
        (
            NAMES[t.instrument], int(t.virtual), t.net_bps,
            None if t.virtual else t.pnl_units / 1e8, t.reason,
        )
        for t in trades
    ]  # fmt: skip
    modes = effects(done, ModeChanged)
    assert ask(
        rows, "SELECT mode, previous_mode, mode_confidence FROM learning_states ORDER BY id"
    ) == [(m.after, m.before, m.mode_confidence) for m in modes]
    n_errors = len(effects(done, BreakerChanged)) + len(effects(done, DailyLossReached))
    assert ask(rows, "SELECT COUNT(*) FROM error_log") == [(n_errors,)]


def test_confidence_has_a_row_wherever_it_changed(done: Any, rows: Engine) -> None:
    newest: dict[int, tuple[float, ...]] = {}
    wanted, scored = [], 0
    for decision in effects(done, DecisionMade):
        outputs = np.frombuffer(decision.outputs).reshape(5, -1)
        for i in range(2):
            p, edge, _, confidence, mode = outputs[:, i].tolist()
            if np.isnan(p) or newest.get(i) == (p, confidence, mode):
                continue
            newest[i] = (p, confidence, mode)
            name = "TRADING" if mode else "LEARNING"
            wanted.append((NAMES[i], utc_sql(decision.ts_ms), p, edge, confidence, name))
        scored += int((~np.isnan(outputs[0])).sum())
    columns = "symbol, timestamp, confidence_score, edge_bps, mode_confidence, mode"
    assert ask(rows, f"SELECT {columns} FROM confidence_history ORDER BY id") == wanted
    assert 800 < len(wanted) <= scored


def test_the_queries_that_users_bring_along(done: Any, rows: Engine) -> None:
    """The SQLite ones of the reference deployment's notes that concern the engine, unchanged."""
    assert ask(rows, "PRAGMA integrity_check;") == [("ok",)]
    (mean, best) = ask(
        rows,
        "SELECT AVG(confidence_score), MAX(confidence_score) FROM confidence_history"
        " WHERE symbol = 'BTC/USDT' AND timestamp > datetime('now', '-24 hours');",
    )[0]
    assert (mean, best) == (None, None)  # a run over history is long ago
    (mean, best) = ask(
        rows,
        "SELECT AVG(confidence_score), MAX(confidence_score) FROM confidence_history"
        " WHERE symbol = 'BTC/USDT' AND timestamp > datetime('2024-01-02 09:00:00', '-24 hours');",
    )[0]
    assert 0.0 < mean < best <= 1.0
    errors = ask(
        rows,
        "SELECT timestamp, error_type, message FROM error_log ORDER BY timestamp DESC LIMIT 20;",
    )
    assert all(kind.startswith(("breaker_", "daily_loss")) for _, kind, _ in errors)
    losses = ask(
        rows,
        "SELECT symbol, predicted_direction, pnl_absolute, confidence FROM trade_outcomes"
        " WHERE pnl_absolute < 0 ORDER BY pnl_absolute ASC LIMIT 10;",
    )
    assert 3 < len(losses) <= 10
    assert all(s in NAMES and d == "long" and m < 0 < c < 1 for s, d, m, c in losses)
    newest = ask(rows, "SELECT * FROM trade_outcomes ORDER BY id DESC LIMIT 20;")
    assert 5 < len(newest) <= 20
    assert ask(rows, "SELECT * FROM retraining_history ORDER BY id DESC LIMIT 10;") == []
    assert len(ask(rows, "SELECT * FROM learning_states ORDER BY id DESC LIMIT 5;")) >= 1
    (total,) = ask(rows, "SELECT SUM(pnl) FROM positions WHERE status = 'closed';")[0]
    real = sum(t.pnl_units for t in effects(done, TradeClosed) if not t.virtual)
    assert total == pytest.approx(real / 1e8)


def test_the_report_reads_the_same_numbers_from_the_journal(
    world: Any, done: Any, rows: Engine
) -> None:
    report = report_run(done.folder)
    assert report.finished
    assert report.events == sum(1 for _ in entries(done.folder))
    assert report.instants == 8 * 60
    assert report.bars == sum(e.present.count(1) for e in events(done, BarsClosed) if e.decides)
    assert report.orders == len(effects(done, SubmitOrder))
    assert report.fills == len(events(done, OrderFilled))
    assert report.rejected == sum(e.reason == "rejected" for e in events(done, OrderEnded))
    assert report.fees == pytest.approx(sum(f.fee_units for f in events(done, OrderFilled)) / 1e8)
    last = effects(done, DecisionMade)[-1]
    assert report.equity_end == last.equity_units / 1e8
    assert report.net_return == pytest.approx(last.equity_units / 1e12 - 1)
    equity = np.array([10_000.0, *report.equity_quote])
    wanted = ((np.maximum.accumulate(equity) - equity) / np.maximum.accumulate(equity)).max()
    assert report.max_drawdown == pytest.approx(wanted)
    for i, one in enumerate(report.instruments):
        own = [t for t in effects(done, TradeClosed) if t.instrument == i]
        real = [t for t in own if not t.virtual]
        assert (one.real.trades, one.virtual.trades) == (len(real), len(own) - len(real))
        assert one.pnl_quote == pytest.approx(sum(t.pnl_units for t in real) / 1e8)
        assert one.real.win_rate == pytest.approx(np.mean([t.net_bps > 0 for t in real]))
        asked = [e for e in effects(done, SubmitOrder) if (e.instrument, e.kind) == (i, "entry")]
        wishes = [e for e in effects(done, SignalRefused) if e.instrument == i]
        assert one.signals == len(asked) + len(wishes)
    closed = [t for t in effects(done, TradeClosed) if not t.virtual]
    assert f"{len(closed)} closed trades" in report.verdict


def test_a_partial_report_is_marked_as_not_finished(
    world: Any, plan: RunPlan, fast_disk: Any
) -> None:
    for stop, finished in ((538, False), (1, False), (1, True)):
        world.run(fast_disk / "part", None, plan, stopped=world.stop_after(stop))
        assert report_run(fast_disk / "part").finished == finished


def test_a_run_without_a_trade_has_no_ratios(world: Any, fast_disk: Any) -> None:
    calm = world.with_(rules=type(world.rules)(edge_bps_min=1e6))
    calm.run(fast_disk / "calm")
    report = report_run(fast_disk / "calm")
    assert (report.net_return, report.max_drawdown, report.orders) == (0.0, 0.0, 0)
    for one in report.instruments:
        assert (one.real.win_rate, one.real.mean_net_bps, one.virtual.win_rate) == (None,) * 3
    assert "No signal reached strategy.edge_bps_min" in report.verdict
