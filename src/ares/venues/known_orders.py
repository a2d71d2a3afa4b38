"""What the reports of every venue share: whose order a venue's id is, and what a message says."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import msgspec

from ares.domain.events import Event

KNOWN_MAX = 20_000


class KnownOrder(msgspec.Struct, frozen=True):
    """What the venue's id of an order stands for; sign: 1 buys, -1 sells, 0: not known."""

    client_id: str
    instrument: int
    sign: int


class KnownOrders:
    """The orders of which the venue's id is known, the newest ones."""

    def __init__(self) -> None:
        self._found: OrderedDict[str, KnownOrder] = OrderedDict()

    def add(self, venue_id: str, order: KnownOrder) -> None:
        """Keep an order."""
        self._found[venue_id] = order
        self._found.move_to_end(venue_id)
        while len(self._found) > KNOWN_MAX:
            self._found.popitem(last=False)

    def get(self, venue_id: str) -> KnownOrder | None:
        """Return an order, if it is known."""
        return self._found.get(venue_id)


class Reading(msgspec.Struct):
    """What a message of the private stream says.

    subscribed : the venue confirmed the subscription. broken: why the session must be made anew.
    unexplained : executions of which something has to be asked first, as the venue wrote them.
    look_ups   : client id and instrument of orders that have changed in a way that the message does
                 not tell.
    """

    events: list[Event] = []
    subscribed: bool = False
    broken: str = ""
    unexplained: list[Mapping[str, Any]] = []
    look_ups: list[tuple[str, int]] = []


def sign_of(side: Any) -> int:
    """Return 1 for buy, -1 for sell, else 0, however it is written.

    >>> sign_of("buy"), sign_of("SELL"), sign_of(None)
    (1, -1, 0)
    """
    return {"buy": 1, "sell": -1}.get(str(side).lower(), 0)
