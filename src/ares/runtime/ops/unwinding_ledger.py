"""The ledger while somebody acts in the engine's place: what the journal says, and what follows."""

from __future__ import annotations

from collections.abc import Sequence

from ares.domain.events import Event
from ares.domain.instrument import MONEY_DECIMALS
from ares.domain.kill_ids import kill_lane
from ares.domain.order_events import (
    CancelRefused,
    OrderAbsent,
    OrderAccepted,
    OrderEnded,
    OrderFilled,
    OrderUnknown,
)
from ares.domain.venue import VenueTraits
from ares.runtime.ops.journal_ledger import JournalLedger
from ares.runtime.ops.liquidation import Sale, is_own

ABSENCES_MIN = 2
LOOK_UP_S = 0.8


class PendingSale:
    """A sale whose outcome is not known: executed so far, and what its end says in all."""

    def __init__(self, sale: Sale, send_by_ms: int, look_up_s: float) -> None:
        self.lane, self.lots, self.send_by_ms = sale.lane, sale.lots, send_by_ms
        self.executed = self.absences = 0
        self.cum: int | None = None
        self.look_up_s = look_up_s
        self.waited_s = LOOK_UP_S

    @property
    def is_known(self) -> bool:
        """Return whether it has ended, and all that it executed has come."""
        return self.cum is not None and self.executed >= self.cum


class UnwindingLedger:
    """Positions by lane, and sales on their way.

    lots : (n_lanes,) held. outside: (n_instruments,) held for others.
    others : (n_instruments,) that are never sold: ``outside``, and what differences have brought.
    ended: client ids of orders that the venue says have ended.
    """

    def __init__(self, journal: JournalLedger) -> None:
        self._owner, self._n = journal.setup.owner, journal.setup.n_instruments
        self._setup = journal.setup
        self.lots = list(journal.lots)
        self.outside = journal.outside or [0] * self._n
        self.others = journal.others
        self._orders = dict(journal.orders)
        self._counted = set(journal.executions)
        self.ended: set[str] = set()
        self.pending: dict[str, PendingSale] = {}
        self.sold: dict[int, int] = {}
        self._refusals: list[str] = []

    @property
    def unresolved(self) -> dict[int, int]:
        """Return the lots of sales whose outcome is not known, by lane."""
        found: dict[int, int] = {}
        for sale in self.pending.values():
            found[sale.lane] = found.get(sale.lane, 0) + max(0, sale.lots - sale.executed)
        return found

    def selling(self, client_id: str, sale: Sale, send_by_ms: int, now_s: float) -> None:
        """Note a sale that is about to be sent."""
        self.pending[client_id] = PendingSale(sale, send_by_ms, now_s + LOOK_UP_S)

    def take(self, event: Event, now_s: float, traits: VenueTraits) -> bool:
        """Take what the venue reports; return whether it may change what is to be done."""
        match event:
            case OrderFilled():
                return self.executed(event)
            case OrderEnded():
                return self._on_end(event)
            case OrderAccepted():
                self.confirm((event.client_id,))
                return is_own(event.client_id, self._owner)
            case OrderUnknown() | CancelRefused():
                sale = self.pending.get(event.client_id)
                if sale is not None:
                    sale.look_up_s = now_s
                return True
            case OrderAbsent():
                return self._on_absent(event, traits)
            case _:
                return False

    def executed(self, event: OrderFilled) -> bool:
        """Count an execution of ours once; return whether it is new."""
        key = (event.client_id, event.exec_id)
        if not is_own(event.client_id, self._owner) or key in self._counted:
            return False
        if not 0 <= event.instrument < self._n:
            return False
        self._counted.add(key)
        self.confirm((event.client_id,))
        lane, lots = self._lane(event), event.lots
        if event.base_fee_units:
            decimals = self._setup.instruments[lane].spec.qty_decimals
            lots += -event.base_fee_units // 10 ** max(0, MONEY_DECIMALS - decimals)
        self.lots[lane] = max(0, self.lots[lane] + lots)
        sale = self.pending.get(event.client_id)
        if sale is not None:
            sale.executed += abs(event.lots)
            self._forget_known(event.client_id, sale)
        if kill_lane(event.client_id) >= 0:
            self.sold[lane] = self.sold.get(lane, 0) + abs(event.lots)
        return True

    def confirm(self, client_ids: Sequence[str]) -> None:
        """The venue has these orders: they do not arrive any more."""
        for client_id in client_ids:
            if client_id in self._orders:
                self._orders[client_id].working = True

    def until_ms(self, traits: VenueTraits) -> int:
        """Return until when an order of the engine may still arrive, in the engine's time."""
        margin_ms = traits.absence_margin_ms * traits.speed
        on_their_way = [
            order.send_by_ms + margin_ms
            for order in self._orders.values()
            if not order.working and order.client_id not in self.ended
        ]
        return max(on_their_way, default=0)

    def is_overdue(self, client_id: str, now_s: float) -> bool:
        """Return whether a sale is to be looked up now; each time the wait doubles."""
        sale = self.pending[client_id]
        if now_s < sale.look_up_s:
            return False
        sale.look_up_s = now_s + sale.waited_s
        sale.waited_s *= 2.0
        return True

    def differs_from(self, venue_lots: Sequence[int]) -> bool:
        """Return whether balances are not what ledger and others hold."""
        held = [sum(self.lots[i :: self._n]) for i in range(self._n)]
        return [h + max(0, o) for h, o in zip(held, self.outside, strict=True)] != list(venue_lots)

    def take_refusals(self) -> list[str]:
        """Return why the venue refused sales, once."""
        refusals, self._refusals = self._refusals, []
        return refusals

    def _lane(self, event: OrderFilled) -> int:
        """Return the lane of an execution: of its order, or the first of its instrument."""
        order = self._orders.get(event.client_id)
        lane = kill_lane(event.client_id) if order is None else order.lane
        is_lane = 0 <= lane < len(self.lots) and lane % self._n == event.instrument
        return lane if is_lane else event.instrument

    def _on_end(self, event: OrderEnded) -> bool:
        self.ended.add(event.client_id)
        sale = self.pending.get(event.client_id)
        if sale is None:
            return is_own(event.client_id, self._owner)
        if event.reason in ("rejected", "absent"):
            self._refusals.append(f"a sale was not taken: {event.detail or event.reason}")
        sale.cum = sale.lots if event.cum_lots is None else abs(event.cum_lots)
        if event.cum_lots is None and event.reason != "filled":
            sale.cum = sale.executed
        self._forget_known(event.client_id, sale)
        return True

    def _on_absent(self, event: OrderAbsent, traits: VenueTraits) -> bool:
        """Count proofs that a sale never arrived: after its deadline, and twice."""
        sale = self.pending.get(event.client_id)
        late_ms = traits.absence_margin_ms * traits.speed
        if sale is None or not event.complete or event.venue_ms <= sale.send_by_ms + late_ms:
            return False
        sale.absences += 1
        if sale.absences >= ABSENCES_MIN:
            del self.pending[event.client_id]
            self._refusals.append("a sale never arrived at the venue")
        return True

    def _forget_known(self, client_id: str, sale: PendingSale) -> None:
        if sale.is_known:
            del self.pending[client_id]
