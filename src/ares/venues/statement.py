"""What a venue says of an account, to be laid beside the ledger."""

from __future__ import annotations

import msgspec

from ares.domain.order_events import OrderFilled


class OpenAtVenue(msgspec.Struct, frozen=True):
    """An open order; client_id: the venue's own id where it has none. Lots are signed."""

    client_id: str
    venue_id: str
    instrument: int
    lots: int
    filled_lots: int
    price_ticks: int


class Statement(msgspec.Struct, frozen=True):
    """Balances in lots of each instrument's base currency, open orders, executions since a time.

    complete : every page was read; otherwise what is missing proves nothing.
    rest_units : (n_instruments,) see ``AccountSeen``.
    """

    lots: tuple[int, ...]
    orders: tuple[OpenAtVenue, ...]
    executions: tuple[OrderFilled, ...]
    complete: bool
    rest_units: tuple[int, ...] = ()
