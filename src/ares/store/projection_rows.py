"""What a journal's entries are as rows: statements of the engine's tables, with their values."""

from __future__ import annotations

from typing import get_args

import numpy as np

from ares.core.slot_history import SlotHistory
from ares.domain.events import (
    BarsClosed,
    DecisionMade,
    Effect,
    Event,
    ModeChanged,
    SignalRefused,
    TradeClosed,
)
from ares.domain.feed_events import BarCorrected, FeedChanged
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
from ares.domain.stretch import BarsStretch
from ares.domain.utc import utc_sql
from ares.store import projection_sql as sql
from ares.store.confidence_rows import ConfidenceRows, Row
from ares.store.error_rows import error_row
from ares.store.execution_rows import ExecutionRows
from ares.store.market_rows import MarketRows
from ares.store.mode_alerts import ModeAlerts
from ares.store.model_rows import ModelRows
from ares.store.pending_rows import PendingBars, PendingDecisions
from ares.store.projector_state import OpenPosition, ProjectorState

UNITS = 10.0**MONEY_DECIMALS

ENDS = frozenset(get_args(EndReason))

ENDED_KEPT = 1_000
"""Orders that ended, whose expected price is kept: their last execution is reported with their end,
or after it.
"""


class ProjectionRows:
    """Collects the rows of entries until they are written.

    changes : statements with their values, in the order in which they must be executed.
    """

    def __init__(self, setup: RunSetup) -> None:
        self._environment = setup.environment
        self._specs = [row.spec for row in setup.instruments]
        self._symbols = [spec.instrument.symbol for spec in self._specs]
        self._history = SlotHistory(setup)
        self._confidence = ConfidenceRows(setup.environment, self._symbols)
        instruments = setup.instruments[: setup.n_instruments]
        self._market = MarketRows(
            setup.environment, self._specs[: len(instruments)], [row.base_ms for row in instruments]
        )
        self._models = ModelRows(setup.environment, self._symbols)
        self._executions = ExecutionRows(setup.environment, self._specs)
        self._bars = PendingBars(len(instruments))
        self.changes: list[tuple[str, Row]] = []
        self._ended: list[OrderMoved] = []
        self._decided = PendingDecisions()
        self._expected: dict[str, float] = {}  # client id -> price that slippage refers to
        self._expected_of_ended: dict[str, float] = {}
        self._held = [OpenPosition() for _ in self._specs]
        self._mode_alerts = ModeAlerts(setup)
        self._training: dict[int, int] = {}  # instrument -> seq of its start

    def restore(self, state: ProjectorState) -> None:
        """Continue after an earlier entry."""
        self._expected, self._expected_of_ended = state.expected, state.expected_of_ended
        self._held, self._training = state.held, state.training
        self._history.slots = state.slots
        self._mode_alerts.restore(state.slots, state.watches)
        self._confidence.last = np.array(state.confidence)
        self._market.restore(state.market)
        self._models.trades, self._models.virtual = state.trades, state.virtual
        self._executions.state = state.executions

    @property
    def state(self) -> ProjectorState:
        """Return what rows of later entries refer to; no decision or bar may be pending."""
        return ProjectorState(
            self._expected, self._expected_of_ended, self._held, self._training,
            self._history.slots, self._mode_alerts.watches, self._confidence.last.tolist(),
            self._market.state, self._models.trades, self._models.virtual, self._executions.state,
        )  # fmt: skip

    def __len__(self) -> int:
        """Return how many rows, decisions and bars are pending."""
        return len(self.changes) + max(len(self._decided), len(self._bars))

    def add(self, seq: int, event: Event, effects: list[Effect]) -> None:
        """Take the next entry."""
        if type(event) is BarsClosed:
            self._bars.add(seq, event, effects)
        else:
            self._on_event(seq, event)
        for k, effect in enumerate(effects):
            if type(effect) is DecisionMade:
                self._decided.add([seq], [effect.ts_ms], effect.outputs)
            else:
                self._on_effect(seq, k, event, effect)
        if self._ended:
            self._end_orders(seq)

    def add_stretch(self, stretch: BarsStretch) -> None:
        """Take the next entries, as columns."""
        times_ms = memoryview(stretch.close_ms).cast("q").tolist()
        self._decided.add(range(stretch.seq, stretch.last_seq + 1), times_ms, stretch.outputs)
        self._bars.add_stretch(stretch)
        for n, effects in stretch.facts:
            event = BarsClosed(times_ms[n], b"", b"", b"")  # its bars are in no table
            for k, effect in enumerate(effects, 1):
                self._on_effect(stretch.seq + n, k, event, effect)
            self._end_orders(stretch.seq + n)

    def _end_orders(self, seq: int) -> None:
        """Add the rows of orders that ended with an entry, once all its executions are known."""
        ended, self._ended = self._ended, []
        for end in ended:
            self.changes += self._executions.on_end(seq, end)

    def finish(self) -> list[tuple[str, Row]]:
        """Return all pending rows, each statement's together; none is pending afterwards."""
        self._decide()
        self.changes += [(sql.MARKET, row) for row in self._market.rows(*self._bars.taken())]
        changes, self.changes = self.changes, []
        changes.sort(key=lambda change: sql.RANKS[change[0]])
        return changes

    def _decide(self) -> None:
        """Turn the pending decisions into rows."""
        if not self._decided:
            return
        decided, self._decided = self._decided, PendingDecisions()
        lanes = range(len(self._specs))
        outputs = np.frombuffer(b"".join(decided.outputs), np.float64)
        rows = self._confidence.rows(
            decided.seqs,
            decided.times_ms,
            outputs.reshape(len(decided), 5, len(lanes)),
            [self._slot(lane) for lane in lanes],
        )
        self.changes += [(sql.CONFIDENCE, row) for row in rows]

    def _slot(self, lane: int) -> str:
        """Return whether a lane challenges the champion of its instrument."""
        return "challenger" if self._history.challenges_champion(lane) else "champion"

    def _add(self, statement: str, row: Row) -> None:
        self.changes.append((statement, row))

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
            case FeedChanged(state="silent"):
                found = AlertRaised(
                    event.ts_ms, event.instrument, "feed_silent", 0.0, 0.0, event.detail
                )
                self._alert(seq, found)
            case FeedChanged(state="down" | "gap" | "absent" | "refused"):
                self._feed_error(event.ts_ms, event.instrument, f"feed_{event.state}", event.detail)
            case BarCorrected():
                closes = f"close {event.before[3]:g} is now {event.after[3]:g}"
                message = f"the venue changed the bar of {utc_sql(event.ts_ms)}: {closes}"
                self._feed_error(event.ts_ms, event.instrument, "bar_corrected", message)
            case _:
                pass

    def _feed_error(self, ts_ms: int, instrument: int, kind: str, detail: str) -> None:
        where = "all instruments" if instrument < 0 else self._symbols[instrument]
        row = (self._environment, utc_sql(ts_ms), kind, f"{where}: {detail}")
        self._add(sql.ERROR, row)

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
                if effect.status in ENDS:
                    self._ended.append(effect)
            case ExecutionBooked():
                self._on_fill(seq, effect)
                self.changes += self._executions.on_fill(effect)
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
                slot = self._slot(effect.instrument)
                row = (env, seq, symbol, at, effect.after, effect.before, value, reason, slot)
                self._add(sql.MODE, row)
            case SlotChanged():
                self._decide()
                self._confidence.forget(list(self._history.apply(effect).after))
            case _:
                self._error(effect)

    def _error(self, fact: Event | Effect) -> None:
        row = error_row(fact, self._name_of)
        if row is not None:
            at = utc_sql(row.ts_ms)
            self._add(sql.ERROR, (self._environment, at, row.kind, row.message))

    def _name_of(self, lane: int) -> str:
        return "account" if lane < 0 else self._symbols[lane]

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
            event.confidence if judged else None, event.outcome == "published",
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
        self._executions.on_submit(command)

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
            trade.net_bps, trade.reason, trade.virtual, role, slot.hash or None,
        )  # fmt: skip
        self._add(sql.OUTCOME, row)
        performance = self._models.row(seq, trade, slot, role)
        if performance is not None:
            self._add(sql.MODEL, performance)
        if not trade.virtual:
            self.changes += self._executions.on_trade(trade)
            fees = trade.fees_units / UNITS
            done = (seq, qty, entry, leave, closed, pnl, fees, env, self._held[i].seq)
            self._add(sql.CLOSED, done)
            self._held[i] = OpenPosition()


def _ts_ms(event: Event) -> int:
    """Return the time of an event; those that start an engine have none."""
    return getattr(event, "ts_ms", 0)
