"""Facts of what an account holds beside the ledger, and of what the two disagree on."""

from __future__ import annotations

import hashlib

import msgspec


class DifferenceFound(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Fact: something at the venue that the engine cannot explain. Its instrument is halted.

    kind : unknown_order, beyond_order, beyond_position, wrong_side, vanished_order or balance.
    lots, price_ticks, fee_units : what was executed and not booked; balance: lots at the venue
           beyond those of the ledger.
    """

    instrument: int
    ts_ms: int
    kind: str
    detail: str
    client_id: str
    lots: int
    price_ticks: int
    fee_units: int

    @property
    def id(self) -> str:
        """Return the name of this difference: 8 hex digits of its hash."""
        return hashlib.blake2b(msgspec.json.encode(self), digest_size=4).hexdigest()


class ResidueLeft(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Fact: what was left of a position is below the venue's smallest order and cannot be sold. It
    belongs to the account outside the ledger now, and ``units`` of capital, its value, with it.
    """

    instrument: int
    ts_ms: int
    lots: int
    price_ticks: int
    units: int


class DifferenceSettled(msgspec.Struct, frozen=True, tag=True, gc=False, omit_defaults=True):
    """Fact: a person settled a difference of an instrument.

    lots : by which the account's lots outside the ledger changed.
    cash_units : by which capital changed, profit and loss aside.
    difference : its id, see ``DifferenceFound.id``. how: correct, ignore or adopt.
    """

    instrument: int
    ts_ms: int
    who: str
    lots: int
    cash_units: int
    difference: str = ""
    how: str = "correct"


class HoldingTaken(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Fact: what the account held of an instrument at its first sight was adopted or ignored.

    price_ticks : at which it became a position; of what is ignored the newest close, 0: unknown.
    """

    instrument: int
    ts_ms: int
    lots: int
    price_ticks: int
    adopted: bool
    reason: str
