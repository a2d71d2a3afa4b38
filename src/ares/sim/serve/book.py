"""An order book around the last price, made from nothing but that price and the trade's id.

Levels lie on a grid of a few ticks, so that most of them outlive a move of the price; the quantity
of a level changes every few trades. Real depth is not modelled: the book is there so that clients
of the protocol have one, with true checksums, sequences and updates.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import NamedTuple

from ares.sim.serve.wire import lots_text, text

LEVELS = 100
STEP_SHARE = 20_000
"""Levels are this part of the price apart (half a basis point), at least one tick."""

LEVEL_LIFE = 16
"""A level's quantity changes once in so many trades."""

Level = tuple[int, int]
"""Price in ticks, quantity in lots of 1e-8."""


class Book(NamedTuple):
    """The best levels first on both sides."""

    bids: list[Level]
    asks: list[Level]

    def top(self, depth: int) -> Book:
        """Return the best ``depth`` levels of each side."""
        return Book(self.bids[:depth], self.asks[:depth])


def book_at(
    ticks: int,
    first_ticks: int,
    trade_id: int,
    lot_unit: int,
    typical_lots: int,
    levels: int = LEVELS,
) -> Book:
    """Return the book after a trade at ``ticks``.

    first_ticks  : a price of the symbol that never changes; the grid follows from it.
    lot_unit     : quantities are multiples of this.
    typical_lots : size of a usual trade; a level holds up to 16 times as much.
    """
    step = max(1, first_ticks // STEP_SHARE)
    below = (ticks - 1) // step
    above = ticks // step + 1
    units = max(1, typical_lots // lot_unit)

    def level(k: int) -> Level:
        own = (k * 2_654_435_761) & 0xFFFFFFFF
        epoch = (trade_id + own) // LEVEL_LIFE
        mixed = zlib.crc32(b"%d %d" % (k, epoch))
        return k * step, lot_unit * (1 + units * (mixed % 256) // 16)

    bids = [level(below - j) for j in range(levels) if below - j > 0]
    return Book(bids, [level(above + j) for j in range(levels)])


def changes(
    before: Sequence[Level], after: Sequence[Level], depth: int, *, is_bid: bool
) -> list[Level]:
    """Return the updates that turn one side's top levels ``before`` into ``after``.

    Removals (quantity 0) come first. Where ``after`` has ``depth`` levels, only levels inside it
    are removed: one that fell out is cut off by the client, as the venues' protocols say.
    """
    held, wanted = dict(before), dict(after)
    is_full = len(after) >= depth
    worst = after[-1][0] if after else 0
    gone = [
        (price, 0)
        for price in held
        if price not in wanted and (not is_full or (price > worst if is_bid else price < worst))
    ]
    return gone + [(price, lots) for price, lots in wanted.items() if held.get(price) != lots]


def checksum(book: Book, price_decimals: int) -> int:
    """Return Kraken's CRC32 of the ten best asks and bids (its guide "Book checksum v2")."""
    parts = []
    for side in (book.asks[:10], book.bids[:10]):
        for price, lots in side:
            for number in (text(price, price_decimals), lots_text(lots)):
                parts.append(number.replace(".", "").lstrip("0"))
    return zlib.crc32("".join(parts).encode())
