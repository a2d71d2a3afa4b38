"""The engine's tables: written from the journal, off the engine's path, rebuildable from it."""

from __future__ import annotations

import numpy as np
from sqlalchemy import Connection, Engine

from ares.domain.events import (
    BreakerChanged,
    DailyLossReached,
    Decided,
    Effect,
    Event,
    ModeChanged,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    Refused,
    RunStarted,
    SubmitOrder,
    TradeClosed,
)
from ares.domain.instrument import MONEY_DECIMALS
from ares.domain.run import RunSetup
from ares.store.database import reading, writing

FLUSH_EVENTS = 4_000
UNITS = 10.0**MONEY_DECIMALS
TABLES = (
    "positions", "orders", "fills", "trade_outcomes", "confidence_history", "learning_states",
    "error_log",
)  # fmt: skip

Row = tuple[object, ...]

CONFIDENCE = (
    "INSERT INTO confidence_history (environment, seq, symbol, timestamp, confidence_score,"
    " edge_bps, mode_confidence, mode) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
ORDER = (
    "INSERT INTO orders (environment, seq, client_order_id, symbol, side, kind, qty, price, status,"
    " refusal, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
ORDER_STATUS = (
    "UPDATE orders SET status = ?, updated_at = ? WHERE environment = ? AND client_order_id = ?"
)
FILL = (
    "INSERT INTO fills (environment, seq, client_order_id, symbol, side, qty, price, fee,"
    " slippage_bps, timestamp) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
OPENED = (
    "INSERT INTO positions (environment, seq, symbol, status, qty, entry_price, opened_at, fees,"
    " virtual) VALUES (?, ?, ?, 'open', ?, ?, ?, ?, 0)"
)
CLOSED = (
    "UPDATE positions SET status = 'closed', seq = ?, qty = ?, entry_price = ?, exit_price = ?,"
    " closed_at = ?, pnl = ?, fees = ? WHERE environment = ? AND symbol = ? AND status = 'open'"
)
OUTCOME = (
    "INSERT INTO trade_outcomes (environment, seq, symbol, predicted_direction, confidence,"
    " edge_bps, entry_price, exit_price, qty, opened_at, closed_at, pnl_absolute, pnl_bps,"
    " exit_reason, virtual, slot, ensemble_hash) VALUES"
    " (?, ?, ?, 'long', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
MODE = (
    "INSERT INTO learning_states (environment, seq, symbol, timestamp, mode, previous_mode,"
    " mode_confidence, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
ERROR = "INSERT INTO error_log (environment, timestamp, error_type, message) VALUES (?, ?, ?, ?)"
PROGRESS = (
    "INSERT INTO projections (environment, seq) VALUES (?, ?)"
    " ON CONFLICT (environment) DO UPDATE SET seq = excluded.seq"
)


def projected_seq(engine: Engine, environment: str) -> int:
    """Return the seq up to which the environment's journal stands in the tables."""
    with reading(engine) as connection:
        row = connection.exec_driver_sql(
            "SELECT seq FROM projections WHERE environment = ?", (environment,)
        ).fetchone()
    return 0 if row is None else int(row[0])


def forget(engine: Engine, environment: str) -> None:
    """Empty an environment's projections, so that they can be made again from its journal."""
    with writing(engine) as connection:
        for table in (*TABLES, "projections"):
            connection.exec_driver_sql(
                f"DELETE FROM {table} WHERE environment = ?",
                (environment,),
            )


class Projector:
    """Turns entries of one environment's journal into rows, a batch a transaction.

    The batch's rows and the seq they reach are committed together: after a crash, showing it the
    journal from ``seq`` on makes no row twice and leaves none out.
    """

    def __init__(self, engine: Engine, setup: RunSetup) -> None:
        self._engine = engine
        self._environment = setup.environment
        self._specs = [one.spec for one in setup.instruments]
        self._hashes = [
            None if one.ensemble is None else one.ensemble.hash for one in setup.instruments
        ]
        self._slots = ["champion" if one.is_champion else "challenger" for one in setup.instruments]
        self.seq = projected_seq(engine, setup.environment)
        self._from = self.seq
        self._changes: list[tuple[str, Row]] = []
        self._decided: list[tuple[int, Decided]] = []
        self._symbols = [spec.instrument.symbol for spec in self._specs]
        self._orders: dict[str, SubmitOrder] = {}

    def watch(self, seq: int, event: Event, effects: list[Effect]) -> None:
        """Take one journal entry in; entries already in the tables are passed over."""
        if seq <= self.seq:
            self._remember(effects)
            return
        self.seq = seq
        if type(event) is not RunStarted:
            self._on_event(seq, event)
        for k, effect in enumerate(effects):
            if type(effect) is Decided:
                self._decided.append((seq, effect))
            else:
                self._on_effect(seq, k, effect)
        if seq - self._from >= FLUSH_EVENTS:
            self.flush()

    def _remember(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, SubmitOrder):
                self._orders[effect.client_id] = effect

    def _on_event(self, seq: int, event: Event) -> None:
        add = self._changes.append
        match event:
            case OrderAccepted(client_id=client_id, ts_ms=ts_ms):
                add((ORDER_STATUS, ("accepted", text(ts_ms), self._environment, client_id)))
            case OrderCancelled(client_id=client_id, ts_ms=ts_ms):
                add((ORDER_STATUS, ("cancelled", text(ts_ms), self._environment, client_id)))
            case OrderRejected(client_id=client_id, ts_ms=ts_ms):
                add((ORDER_STATUS, ("rejected", text(ts_ms), self._environment, client_id)))
            case OrderFilled():
                self._on_fill(seq, event)
            case _:
                pass

    def _on_fill(self, seq: int, event: OrderFilled) -> None:
        order = self._orders[event.client_id]
        spec = self._specs[order.instrument]
        price = event.price_ticks / 10**spec.price_decimals
        qty = abs(event.lots) / 10**spec.qty_decimals
        at, symbol = text(event.ts_ms), spec.instrument.symbol
        ended = event.remaining == 0
        status = "filled" if ended else "partly_filled"
        side = "buy" if event.lots > 0 else "sell"
        fee = event.fee_units / UNITS
        env = self._environment
        row = (env, seq, event.client_id, symbol, side, qty, price, fee, None, at)
        self._changes.append((FILL, row))
        self._changes.append((ORDER_STATUS, (status, at, env, event.client_id)))
        if event.lots > 0:
            self._changes.append((OPENED, (env, seq, symbol, qty, price, at, fee)))

    def _on_effect(self, seq: int, k: int, effect: Effect) -> None:
        env, add = self._environment, self._changes.append
        match effect:
            case SubmitOrder():
                self._orders[effect.client_id] = effect
                add((ORDER, self._order_row(seq, effect)))
            case Refused():
                spec = self._specs[effect.instrument]
                name, at = f"{env}-{seq}-{k}-refused", text(effect.ts_ms)
                symbol = spec.instrument.symbol
                row = (env, seq, name, symbol, "buy", "entry", 0.0, None, "refused")
                add((ORDER, (*row, effect.code, at, at)))
            case TradeClosed():
                self._on_trade(seq, effect)
            case ModeChanged():
                symbol = self._symbols[effect.instrument]
                at, value = text(effect.ts_ms), effect.mode_confidence
                reason = "mode confidence passed its threshold"
                add((MODE, (env, seq, symbol, at, effect.after, effect.before, value, reason)))
            case BreakerChanged():
                where = "account" if effect.instrument < 0 else self._symbols[effect.instrument]
                said = f"{where}: {effect.before} to {effect.after} at {effect.value:.4g}"
                add((ERROR, (env, text(effect.ts_ms), f"breaker_{effect.breaker}", said)))
            case DailyLossReached():
                said = f"lost {effect.share:.2%} of the day's equity: no entries until tomorrow"
                add((ERROR, (env, text(effect.ts_ms), "daily_loss_limit", said)))
            case _:
                pass

    def _order_row(self, seq: int, order: SubmitOrder) -> Row:
        spec = self._specs[order.instrument]
        side = "buy" if order.lots > 0 else "sell"
        qty = abs(order.lots) / 10**spec.qty_decimals
        price = order.price_ticks / 10**spec.price_decimals if order.price_ticks else None
        return (
            self._environment, seq, order.client_id, spec.instrument.symbol, side, order.kind,
            qty, price, "submitted", None, None, None,
        )  # fmt: skip

    def _on_trade(self, seq: int, trade: TradeClosed) -> None:
        i = trade.instrument
        spec = self._specs[i]
        scale = 10**spec.price_decimals
        entry, leave = trade.entry_price / scale, trade.exit_price / scale
        qty = trade.lots / 10**spec.qty_decimals
        opened, closed = text(trade.entry_ms), text(trade.exit_ms)
        pnl = None if trade.virtual else trade.pnl_units / UNITS
        symbol, env = spec.instrument.symbol, self._environment
        row = (
            env, seq, symbol, trade.p, trade.edge_bps, entry, leave, qty, opened, closed, pnl,
            trade.net_bps, trade.reason, int(trade.virtual), self._slots[i], self._hashes[i],
        )  # fmt: skip
        self._changes.append((OUTCOME, row))
        if not trade.virtual:
            fees = trade.fees_units / UNITS
            done = (seq, qty, entry, leave, closed, pnl, fees, env, symbol)
            self._changes.append((CLOSED, done))

    def flush(self) -> None:
        """Write what was taken in. Raises WorldTrouble; the journal stays the truth."""
        if self.seq == self._from:
            return
        with writing(self._engine) as connection:
            self._write(connection)
        self._from = self.seq
        self._changes.clear()
        self._decided.clear()

    def _write(self, connection: Connection) -> None:
        if self._decided:
            rows = self._confidence_rows()
            if rows:
                connection.exec_driver_sql(CONFIDENCE, rows)
        first = 0
        for k in range(1, len(self._changes) + 1):
            if k == len(self._changes) or self._changes[k][0] != self._changes[first][0]:
                batch = [row for _, row in self._changes[first:k]]
                connection.exec_driver_sql(self._changes[first][0], batch)
                first = k
        connection.exec_driver_sql(PROGRESS, (self._environment, self.seq))

    def _confidence_rows(self) -> list[Row]:
        """Return a row per instrument and instant that had an opinion."""
        n = len(self._specs)
        said = np.frombuffer(b"".join(d.said for _, d in self._decided), np.float64)
        p, edge, _, confidence, mode = said.reshape(-1, 5, n).transpose(1, 0, 2)
        seqs = [seq for seq, _ in self._decided]
        times = texts(np.array([d.ts_ms for _, d in self._decided], np.int64))
        rows, columns = np.nonzero(~np.isnan(p))
        right = np.where(edge >= 0.0, p, 1.0 - p)
        values = [a[rows, columns].tolist() for a in (right, edge, confidence, mode)]
        env, symbols = self._environment, self._symbols
        return [
            (env, seqs[r], symbols[c], times[r], a, b, d, "TRADING" if m else "LEARNING")
            for r, c, a, b, d, m in zip(rows.tolist(), columns.tolist(), *values, strict=True)
        ]


def text(ts_ms: int) -> str:
    """Return UTC text as SQLite's datetime() writes it."""
    return texts(np.array([ts_ms], np.int64))[0]


def texts(ts_ms: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[str]:
    """Return UTC texts, ``YYYY-MM-DD HH:MM:SS``."""
    stamps = np.datetime_as_string(ts_ms.astype("datetime64[ms]").astype("datetime64[s]"))
    return [stamp.replace("T", " ") for stamp in stamps.tolist()]
