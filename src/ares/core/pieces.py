"""Splits what is to be sold into orders that the venue takes: no limit refuses an exit or stop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ares.core.orders import Order, Request

PIECES_MAX = 20
"""A venue holds so many exits or stops of a lane at once; the rest follows as these end."""


def for_sale(orders: Sequence[Order]) -> int:
    """Return the lots that these exits or stops may still sell."""
    return -sum(order.remaining_lots for order in orders)


def beyond(orders: Sequence[Order], held: int) -> list[Order]:
    """Return the exits, the newest first, without which no more than ``held`` is for sale: less may
    be held since a person has settled a difference.
    """
    return [order for k, order in enumerate(orders) if for_sale(orders[: k + 1]) > held][::-1]


def pieces_of(
    lots: int, order_lots_max: int, n_open: int = 0, order_lots_min: int = 0
) -> Iterator[int]:
    """Yield the sizes of the orders that together are for ``lots``.

    order_lots_max, order_lots_min : of the venue; 0: none. n_open: orders of the kind that are open
                     already. A rest that is too small for an order is left out.

    >>> list(pieces_of(25, order_lots_max=10)), list(pieces_of(25, order_lots_max=0))
    ([10, 10, 5], [25])
    >>> list(pieces_of(21, order_lots_max=10, order_lots_min=3))
    [10, 8, 3]
    >>> list(pieces_of(13, order_lots_max=10, order_lots_min=8))
    [10]
    """
    for k in range(PIECES_MAX - n_open):
        piece = min(lots, order_lots_max) if order_lots_max else lots
        if 0 < lots - piece < order_lots_min <= lots - order_lots_min:
            piece = lots - order_lots_min
        if piece <= 0 or (k and piece < order_lots_min):
            return
        yield piece
        lots -= piece


def remaining_wanted(
    stops: Sequence[Order], held: int, order_lots_max: int
) -> tuple[list[int], int]:
    """Return the lots that each open stop is to have remaining, and those that need a further stop.

    As few stops change as possible, the newest first; they all grow or all shrink, so that never
    more than ``held`` is for sale. What an unconfirmed amendment may have added counts as for sale.
    """
    sizes = [_size_max(stop) for stop in stops]
    wanted = [size - abs(stop.filled_lots) for size, stop in zip(sizes, stops, strict=True)]
    missing = held - sum(wanted)
    for k in reversed(range(len(stops))):
        if missing > 0:
            room = max(0, order_lots_max - sizes[k]) if order_lots_max else missing
            change = min(missing, room)
        else:
            change = max(missing, -wanted[k])
        wanted[k] += change
        missing -= change
    return wanted, missing


def _size_max(order: Order) -> int:
    """Return the most lots that the venue may hold an order for at present, without sign."""
    is_certain = order.amend is Request.NONE and not order.doubt_ms
    return abs(order.lots) if is_certain else order.largest_lots
