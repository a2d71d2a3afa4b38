"""Projects the journal to the engine's tables, outside the engine's path; they can be rebuilt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, Engine, delete, select

from ares.core import orders
from ares.core.slot_history import SlotHistory
from ares.domain.events import (
    BarsClosed,
    BreakerChanged,
    CancelOrder,
    DailyLossReached,
    DecisionMade,
    Effect,
    Event,
    ModeChanged,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    SignalRefused,
    SubmitOrder,
    TradeClosed,
)
from ares.domain.instrument import MONEY_DECIMALS
from ares.domain.model_events import AlertRaised, RetrainingEnded, RetrainingStarted, SlotChanged
from ares.domain.run import RunSetup
from ares.domain.utc import utc_sql
from ares.store import projection_sql as sql
from ares.store.database import reading, writing
from ares.store.mode_alerts import ModeAlerts
from ares.store.schema import metadata, projections

FLUSH_EVENTS = 4_000
UNITS = 10.0**MONEY_DECIMALS

Row = tuple[object, ...]


def projected_seq(engine: Engine, environment: str) -> int:
    """Return the seq up to which the environment's journal is in the tables."""
    with reading(engine) as connection:
        query = select(projections.c.seq).where(projections.c.environment == environment)
        seq = connection.execute(query).scalar()
    return 0 if seq is None else int(seq)


def delete_rows(engine: Engine, environment: str) -> None:
    """Delete an environment's projections, so that they can be rebuilt from its journal."""
    with writing(engine) as connection:
        for name in (*sql.TABLES, projections.name):
            table = metadata.tables[name]
            connection.execute(delete(table).where(table.c.environment == environment))


@dataclass(slots=True)
class _WorkingOrder:
    """An order that may still fill; ``expected_quote`` is its expected price, or 0."""

    order: orders.Order
    expected_quote: float


@dataclass(slots=True)
class _OpenPosition:
    """An open position: its lots, and the buys since it was opened at ``seq``."""

    seq: int = 0
    lots: int = 0
    bought_lots: int = 0
    bought_ticks: int = 0
    fee_units: int = 0


class Projector:
    """Writes entries of one environment's journal to the tables, one transaction per batch.

    The rows of a batch are committed together with their last seq: after a crash, reading the
    journal from its start writes no row twice and leaves none out.

    seq          : the last journal entry that was read, or was in the tables already.
    before_flush : makes the journal durable, so that a table is never ahead of it.
    """

    def __init__(self, engine: Engine, setup: RunSetup) -> None:
        self._engine = engine
        self._environment = setup.environment
        self._specs = [row.spec for row in setup.instruments]
        self._symbols = [spec.instrument.symbol for spec in self._specs]
        self._history = SlotHistory(setup)
        self._n_instruments = setup.n_instruments
        self.seq = self._from = projected_seq(engine, setup.environment)
        self.before_flush: Callable[[], None] = lambda: None
        self._writes = False
        self._changes: list[tuple[str, Row]] = []
        self._decided: list[tuple[int, DecisionMade]] = []
        self._sent: dict[str, _WorkingOrder] = {}
        self._held = [_OpenPosition() for _ in self._specs]
        self._mode_alerts = ModeAlerts(setup)
        self._training: dict[int, int] = {}  # instrument -> seq of its start

    def watch(self, seq: int, event: Event, effects: list[Effect]) -> None:
        """Read the next entry; of those in the tables only open orders and positions count."""
        self._writes = seq > self.seq
        self.seq = max(self.seq, seq)
        if type(event) is not BarsClosed:
            self._on_event(seq, event)
        for k, effect in enumerate(effects):
            if type(effect) is not DecisionMade:
                self._on_effect(seq, k, event, effect)
            elif self._writes:
                self._decided.append((seq, effect))
        if seq - self._from >= FLUSH_EVENTS:
            self.flush()

    def _add(self, statement: str, row: Row) -> None:
        if self._writes:
            self._changes.append((statement, row))

    def _on_event(self, seq: int, event: Event) -> None:
        match event:
            case OrderAccepted() | OrderCancelled() | OrderRejected():
                self._move(event.client_id, event, event.ts_ms)
            case OrderFilled():
                self._on_fill(seq, event)
            case RetrainingStarted():
                self._training[event.instrument] = seq
                at, symbol = utc_sql(event.ts_ms), self._symbols[event.instrument]
                row = (self._environment, seq, symbol, at, event.trigger, event.reason)
                self._add(sql.TRAINING, row)
            case RetrainingEnded():
                self._on_trained(event)
            case AlertRaised():
                self._alert(seq, event)
            case _:
                pass

    def _move(
        self,
        client_id: str,
        event: OrderAccepted | OrderFilled | OrderRejected | OrderCancelled | CancelOrder,
        ts_ms: int,
    ) -> None:
        """Update an order and its row; an order that has ended is dropped."""
        sent = self._sent.get(client_id)
        if sent is None:
            return  # an acceptance that arrived after the end
        orders.apply(sent.order, event)
        status = sent.order.status.value
        self._add(sql.ORDER_STATUS, (status, utc_sql(ts_ms), self._environment, client_id))
        if not sent.order.open:
            del self._sent[client_id]

    def _on_fill(self, seq: int, event: OrderFilled) -> None:
        sent = self._sent[event.client_id]
        i, env = sent.order.instrument, self._environment
        spec, held = self._specs[i], self._held[i]
        price = event.price_ticks / 10**spec.price_decimals
        qty = abs(event.lots) / 10**spec.qty_decimals
        at, symbol = utc_sql(event.ts_ms), self._symbols[i]
        bought = event.lots > 0
        slippage: float | None = None
        if sent.expected_quote > 0.0:
            slippage = (price / sent.expected_quote - 1.0) * (1e4 if bought else -1e4)
        fee = event.fee_units / UNITS
        side = "buy" if bought else "sell"
        self._add(
            sql.FILL, (env, seq, event.client_id, symbol, side, qty, price, fee, slippage, at)
        )
        self._move(event.client_id, event, event.ts_ms)
        if held.lots == 0:
            held.seq = seq
            self._add(sql.OPENED, (env, seq, symbol, qty, price, at, fee))
        held.lots += event.lots
        held.fee_units += event.fee_units
        if bought:
            held.bought_lots += event.lots
            held.bought_ticks += event.lots * event.price_ticks
        if held.lots != 0 and held.seq != seq:
            mean = held.bought_ticks / held.bought_lots / 10**spec.price_decimals
            left = held.lots / 10**spec.qty_decimals
            self._add(sql.CHANGED, (left, mean, held.fee_units / UNITS, env, held.seq))

    def _on_effect(self, seq: int, k: int, event: Event, effect: Effect) -> None:
        env = self._environment
        alert = self._mode_alerts.watch(effect)
        if alert is not None:
            self._alert(seq, alert)
        match effect:
            case SubmitOrder():
                self._on_order(seq, event, effect)
            case CancelOrder():
                self._move(effect.client_id, effect, _ts_ms(event))
            case SignalRefused():
                symbol = self._symbols[effect.instrument]
                name, at = f"{env}-{seq}-{k}-refused", utc_sql(effect.ts_ms)
                head = (env, seq, name, symbol, "buy", "entry", 0.0, None, "refused")
                self._add(sql.ORDER, (*head, effect.code, at, at))
            case TradeClosed():
                self._on_trade(seq, effect)
            case ModeChanged():
                symbol = self._symbols[effect.instrument]
                at, value = utc_sql(effect.ts_ms), effect.mode_confidence
                reason = effect.reason
                row = (env, seq, symbol, at, effect.after, effect.before, value, reason)
                self._add(sql.MODE, row)
            case SlotChanged():
                self._history.apply(effect)
            case BreakerChanged():
                where = "account" if effect.instrument < 0 else self._symbols[effect.instrument]
                message = f"{where}: {effect.before} to {effect.after} at {effect.value:.4g}"
                kind = f"breaker_{effect.breaker}"
                self._add(sql.ERROR, (env, utc_sql(effect.ts_ms), kind, message))
            case DailyLossReached():
                message = f"lost {effect.share:.2%} of the day's equity: no entries until tomorrow"
                self._add(sql.ERROR, (env, utc_sql(effect.ts_ms), "daily_loss_limit", message))
            case _:
                pass

    def _alert(self, seq: int, alert: AlertRaised) -> None:
        symbol = self._symbols[alert.instrument] if alert.instrument >= 0 else None
        row = (
            self._environment, seq, symbol, utc_sql(alert.ts_ms), alert.code, alert.value,
            alert.limit, alert.message,
        )  # fmt: skip
        self._add(sql.ALERT, row)

    def _on_trained(self, event: RetrainingEnded) -> None:
        """Complete the row of a retraining; values that were not computed are null."""
        begun = self._training.pop(event.instrument, None)
        if begun is None:
            return
        judged = bool(event.verdict_hash)
        verdict = ("passed" if event.passed else "refused") if judged else None
        row = (
            utc_sql(event.ts_ms), event.duration_ms / 1e3, event.epochs or None,
            event.confidence if judged else None, int(event.outcome == "published"),
            event.ensemble_hash or None, event.note or None, event.rows or None, event.outcome,
            verdict, event.verdict_hash or None, ", ".join(event.failed) or None,
            self._environment, begun,
        )  # fmt: skip
        self._add(sql.TRAINED, row)

    def _on_order(self, seq: int, event: Event, command: SubmitOrder) -> None:
        """Add an order's row; slippage is relative to the deciding close or the stop's trigger."""
        i = command.instrument
        spec = self._specs[i]
        price = command.price_ticks / 10**spec.price_decimals
        expected = price
        if isinstance(event, BarsClosed):
            expected = float(np.frombuffer(event.ohlcv)[5 * (i % self._n_instruments) + 3])
        self._sent[command.client_id] = _WorkingOrder(orders.submitted(command), expected)
        row = (
            self._environment, seq, command.client_id, self._symbols[i],
            "buy" if command.lots > 0 else "sell", command.kind,
            abs(command.lots) / 10**spec.qty_decimals, price if command.price_ticks else None,
            "submitted", None, utc_sql(_ts_ms(event)), utc_sql(_ts_ms(event)),
        )  # fmt: skip
        self._add(sql.ORDER, row)

    def _on_trade(self, seq: int, trade: TradeClosed) -> None:
        i = trade.instrument
        spec = self._specs[i]
        scale = 10**spec.price_decimals
        entry, leave = trade.entry_price / scale, trade.exit_price / scale
        qty = trade.lots / 10**spec.qty_decimals
        opened, closed = utc_sql(trade.entry_ms), utc_sql(trade.exit_ms)
        pnl = None if trade.virtual else trade.pnl_units / UNITS
        symbol, env = self._symbols[i], self._environment
        slot = self._history.slots[i]
        role = "champion" if slot.stage == "champion" else "challenger"
        row = (
            env, seq, symbol, trade.p, trade.edge_bps, entry, leave, qty, opened, closed, pnl,
            trade.net_bps, trade.reason, int(trade.virtual), role, slot.hash or None,
        )  # fmt: skip
        self._add(sql.OUTCOME, row)
        if not trade.virtual:
            fees = trade.fees_units / UNITS
            done = (seq, qty, entry, leave, closed, pnl, fees, env, self._held[i].seq)
            self._add(sql.CLOSED, done)
            self._held[i] = _OpenPosition()

    def flush(self) -> None:
        """Write the pending rows. Raises ExternalError; the journal is not affected."""
        if self.seq == self._from:
            return
        self.before_flush()
        with writing(self._engine) as connection:
            self._write(connection)
        self._from = self.seq
        self._changes.clear()
        self._decided.clear()

    def _write(self, connection: Connection) -> None:
        rows = self._confidence_rows() if self._decided else []
        if rows:
            connection.exec_driver_sql(sql.CONFIDENCE, rows)
        first = 0
        for k in range(1, len(self._changes) + 1):
            if k == len(self._changes) or self._changes[k][0] != self._changes[first][0]:
                batch = [row for _, row in self._changes[first:k]]
                connection.exec_driver_sql(self._changes[first][0], batch)
                first = k
        connection.exec_driver_sql(sql.PROGRESS, (self._environment, self.seq))

    def _confidence_rows(self) -> list[Row]:
        """Return a row per instrument and instant with a score.

        The confidence is the probability of a profitable long trade, as in ``ares why``.
        """
        n = len(self._specs)
        outputs = np.frombuffer(b"".join(d.outputs for _, d in self._decided), np.float64)
        p, edge, _, confidence, mode = outputs.reshape(-1, 5, n).transpose(1, 0, 2)
        seqs = [seq for seq, _ in self._decided]
        times = [utc_sql(decision.ts_ms) for _, decision in self._decided]
        rows, columns = np.nonzero(~np.isnan(p))
        values = [a[rows, columns].tolist() for a in (p, edge, confidence, mode)]
        env, symbols = self._environment, self._symbols
        return [
            (env, seqs[r], symbols[c], times[r], a, b, d, "TRADING" if m else "LEARNING")
            for r, c, a, b, d, m in zip(rows.tolist(), columns.tolist(), *values, strict=True)
        ]


def _ts_ms(event: Event) -> int:
    """Return the time of an event; those that start an engine have none."""
    return getattr(event, "ts_ms", 0)
