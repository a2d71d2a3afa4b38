"""Projects the journal to the engine's tables, outside the engine's path; they can be rebuilt."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import numpy as np
from sqlalchemy import Connection, Engine, delete, select

from ares.core.slot_history import SlotHistory
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
)
from ares.domain.instrument import MONEY_DECIMALS
from ares.domain.model_events import AlertRaised, RetrainingEnded, RetrainingStarted, SlotChanged
from ares.domain.order_events import (
    CancelOrder,
    EndReason,
    ExecutionBooked,
    OrderMoved,
    SubmitOrder,
)
from ares.domain.run import RunSetup
from ares.domain.utc import utc_sql
from ares.store import projection_sql as sql
from ares.store.database import reading, writing
from ares.store.mode_alerts import ModeAlerts
from ares.store.projector_state import (
    OpenPosition,
    ProjectorState,
    decode_state,
    encode_state,
    stored_state,
)
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


ENDS = frozenset(get_args(EndReason))

ENDED_KEPT = 1_000
"""Orders that ended, whose expected price is kept: their last execution is reported with their end,
or after it.
"""


class Projector:
    """Writes entries of one environment's journal to the tables, one transaction per batch.

    The rows of a batch are committed together with their last seq and with what later rows refer
    to (open orders, positions, slots): after a crash, reading the journal from there, or from an
    earlier entry, writes no row twice and leaves none out.

    seq          : the last journal entry that was read, or was in the tables already.
    reads_after  : entries up to this one need not be read.
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
        self.reads_after = 0
        self.before_flush: Callable[[], None] = lambda: None
        self._writes = False
        self._changes: list[tuple[str, Row]] = []
        self._decided: list[tuple[int, DecisionMade]] = []
        self._expected: dict[str, float] = {}  # client id -> price that slippage refers to
        self._expected_of_ended: dict[str, float] = {}
        self._held = [OpenPosition() for _ in self._specs]
        self._mode_alerts = ModeAlerts(setup)
        self._training: dict[int, int] = {}  # instrument -> seq of its start
        self._resume()

    def _resume(self) -> None:
        """Continue from what was stored with the tables; without it the journal is read again."""
        raw = stored_state(self._engine, self._environment)
        if raw is None:
            return
        state = decode_state(raw)
        self._expected, self._expected_of_ended = state.expected, state.expected_of_ended
        self._held, self._training = state.held, state.training
        self._history.slots = state.slots
        self._mode_alerts.restore(state.slots, state.watches)
        self.reads_after = self.seq

    def _state(self) -> bytes:
        """Return what rows of later entries refer to."""
        slots, watches = self._history.slots, self._mode_alerts.watches
        return encode_state(
            ProjectorState(
                self._expected, self._expected_of_ended, self._held, self._training, slots, watches
            )
        )

    def watch(self, seq: int, event: Event, effects: list[Effect]) -> None:
        """Read the next entry; of those in the tables only open orders and positions count."""
        if seq <= self.reads_after:
            return
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

    def _move(self, client_id: str, status: str, ts_ms: int) -> None:
        """Update an order's row."""
        if status in ENDS:
            expected_quote = self._expected.pop(client_id, None)
            if expected_quote is not None:
                self._expected_of_ended[client_id] = expected_quote
            if len(self._expected_of_ended) > ENDED_KEPT:
                del self._expected_of_ended[next(iter(self._expected_of_ended))]
        self._add(sql.ORDER_STATUS, (status, utc_sql(ts_ms), self._environment, client_id))

    def _on_fill(self, seq: int, fill: ExecutionBooked) -> None:
        i, env = fill.instrument, self._environment
        spec, held = self._specs[i], self._held[i]
        price = fill.price_ticks / 10**spec.price_decimals
        qty = abs(fill.lots) / 10**spec.qty_decimals
        at, symbol = utc_sql(fill.ts_ms), self._symbols[i]
        bought = fill.lots > 0
        slippage: float | None = None
        ended_quote = self._expected_of_ended.get(fill.client_id, 0.0)
        expected_quote = self._expected.get(fill.client_id, ended_quote)
        if expected_quote > 0.0:
            slippage = (price / expected_quote - 1.0) * (1e4 if bought else -1e4)
        fee = fill.fee_units / UNITS
        side = "buy" if bought else "sell"
        self._add(sql.FILL, (env, seq, fill.client_id, symbol, side, qty, price, fee, slippage, at))
        if held.lots == 0:
            held.seq = seq
            self._add(sql.OPENED, (env, seq, symbol, qty, price, at, fee))
        held.lots += fill.lots
        held.fee_units += fill.fee_units
        if bought:
            held.bought_lots += fill.lots
            held.bought_ticks += fill.lots * fill.price_ticks
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
                self._move(effect.client_id, "cancelling", _ts_ms(event))
            case OrderMoved():
                self._move(effect.client_id, effect.status, effect.ts_ms)
            case ExecutionBooked():
                self._on_fill(seq, effect)
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
        self._expected[command.client_id] = command.expected_ticks / 10**spec.price_decimals
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
            self._held[i] = OpenPosition()

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
        connection.exec_driver_sql(sql.PROGRESS, (self._environment, self.seq, self._state()))

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
