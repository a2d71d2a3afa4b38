"""The trades of a run as they were executed at its venue, from the journal."""

from __future__ import annotations

from dataclasses import dataclass

from ares.domain.events import BarsClosed
from ares.domain.order_events import (
    ExecutionBooked,
    GasPaid,
    OrderAmended,
    OrderMoved,
    SubmitOrder,
)
from ares.domain.run import RunSetup
from ares.journal.run import JournalEntry
from ares.runtime.replay.trade_path import TradeExecution, TradePath


@dataclass(slots=True)
class SentEntry:
    """An entry order: when it was decided, and its newest status, see ``OrderMoved``."""

    order: SubmitOrder
    decided_ms: int
    status: str = "submitted"


class ExecutedOrders:
    """Folds a journal; ``trades`` are by the client id of their entry, as ``entries`` are.

    A late execution that finds a position counts for the trade of that position, as it does in the
    ledger.
    """

    def __init__(self, setup: RunSetup) -> None:
        n = len(setup.instruments)
        self._n = setup.n_instruments
        self._orders: dict[str, tuple[SubmitOrder, int]] = {}
        self._triggers: dict[str, int] = {}
        self._holding = [0] * n
        self._trade = [TradePath() for _ in range(n)]
        self._begun_ms = [0] * n
        self._now_ms = 0
        self.entries: dict[str, SentEntry] = {}
        self.trades: dict[str, TradePath] = {}

    def add(self, entry: JournalEntry) -> None:
        """Take the next entry."""
        match entry.event:
            case BarsClosed(ts_ms=ts_ms):
                self._now_ms = max(self._now_ms, ts_ms)
            case OrderAmended(client_id=client_id, price_ticks=ticks):
                self._triggers[client_id] = ticks
            case GasPaid(instrument=i, units=units):
                self._pay(i, units)
            case _:
                pass
        for effect in entry.effects:
            match effect:
                case SubmitOrder():
                    self._orders[effect.client_id] = (effect, self._now_ms)
                    if effect.kind == "entry":
                        self.entries[effect.client_id] = SentEntry(effect, self._now_ms)
                    elif effect.kind == "stop":
                        self._triggers[effect.client_id] = effect.price_ticks
                case OrderMoved(client_id=client_id, status=status) if client_id in self.entries:
                    self.entries[client_id].status = status
                case ExecutionBooked():
                    self._book(effect, entry.at_ms)
                case _:
                    pass

    def _book(self, fact: ExecutionBooked, at_ms: int) -> None:
        lane = fact.instrument
        order, sent_ms = self._orders.get(fact.client_id, (None, 0))
        kind = "exit" if order is None else order.kind
        reason = "settled" if order is None else order.reason if kind == "exit" else kind
        if fact.lots > 0 and not self._holding[lane]:
            key = fact.client_id or f"adopted {lane} {at_ms}"
            self._trade[lane] = self.trades.setdefault(key, TradePath())
            self._begun_ms[lane] = sent_ms
        self._holding[lane] += fact.lots
        # A venue's report may carry no time, or one that lies before the trade or after now.
        ts_ms = max(self._begun_ms[lane], min(fact.ts_ms or at_ms, at_ms or fact.ts_ms))
        self._trade[lane].executions.append(
            TradeExecution(
                ts_ms, fact.lots, fact.price_ticks, fact.fee_units, kind, reason, fact.client_id,
                self._triggers.get(fact.client_id, 0),
            )
        )  # fmt: skip

    def _pay(self, i: int, units: int) -> None:
        """Count gas for the first lane of an instrument that holds something, as the ledger does.

        i : may be of no instrument: the ledger refuses that.
        """
        for lane in range(i, len(self._holding), self._n) if 0 <= i < self._n else ():
            if self._holding[lane]:
                self._trade[lane].gas_units += units
                break
