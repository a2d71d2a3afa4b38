"""Events of the market data feed and of the clock: facts, from which nothing is computed."""

from __future__ import annotations

from typing import Literal

import msgspec

ALL = -1
"""Every instrument of the feed."""

FeedState = Literal["up", "down", "silent", "gap", "absent", "refused"]


class FeedChanged(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """The feed of an instrument, or of all, changed its state.

    ts_ms      : when, in market time.
    instrument : ALL for every one.
    state      : up    : its bars come, and none is missing.
                 down  : the connection is lost.
                 silent: no trade for much longer than is usual at this hour.
                 gap   : bars are missing, and were requested from the venue.
                 absent: it has no bar at the newest instant; it is not traded until it has.
                 refused: what it delivered cannot be true, and was left out.
    detail     : for a person.
    """

    ts_ms: int
    instrument: int
    state: FeedState
    detail: str = ""


InstrumentState = Literal[
    "trading", "post_only", "limit_only", "reduce_only", "cancel_only", "halted", "maintenance",
    "delisted",
]  # fmt: skip
"""What a venue does with orders of an instrument. ``halted``: it takes none, or says a word that is
not known here.
"""


class InstrumentChanged(msgspec.Struct, frozen=True, tag=True, gc=False, omit_defaults=True):
    """The venue says in which state an instrument is.

    detail : its own word, where that is another.
    """

    ts_ms: int
    instrument: int
    state: InstrumentState
    detail: str = ""


class PriceSeen(msgspec.Struct, frozen=True, tag=True, gc=False):
    """An instrument trades at a price that something depends on, see ``core.price_watch``. Other
    prices are not journaled.
    """

    ts_ms: int
    instrument: int
    price_ticks: int


class BarCorrected(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The venue changed a bar that had closed. Nothing is computed again.

    ts_ms  : the closing instant of the bar.
    before : open, high, low, close, volume that the engine was given. after: as the venue has them.
    """

    ts_ms: int
    instrument: int
    before: tuple[float, float, float, float, float]
    after: tuple[float, float, float, float, float]


class ClockSet(msgspec.Struct, frozen=True, tag=True):
    """The engine's clock, which shows market time, was set.

    ts_ms   : market time at that moment. wall_ms: time of the machine.
    speed   : market time passes so many times faster than wall time.
    """

    ts_ms: int
    wall_ms: int
    speed: float
