"""What a market data connection reports: raw values of the venue, before bars are assembled.

``instrument`` is the index of the instrument in the list that the connection was started with.
Times are the venue's, in ms since 1970. All bars are 1m bars.
"""

from __future__ import annotations

import msgspec


class BarSeen(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The venue's candle as it stands: later reports of the same ``open_ms`` replace it.

    is_closed : the venue, or a later candle of the same instrument, has ended it.
    """

    instrument: int
    open_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    is_closed: bool


class TradeSeen(msgspec.Struct, frozen=True, tag=True, gc=False):
    """A public trade: the proof that the stream is alive up to ``ts_ms``."""

    instrument: int
    ts_ms: int
    price: float
    qty: float


class Connected(msgspec.Struct, frozen=True, tag=True):
    """Every subscription has delivered since the connection was made; sent again as a heartbeat.

    ts_ms : the venue's time, where its message carries one: the stream is alive up to then.
    """

    ts_ms: int | None = None


class Disconnected(msgspec.Struct, frozen=True, tag=True):
    """The connection is lost, or connected and mute; it is being made again."""

    reason: str


class SkewSeen(msgspec.Struct, frozen=True, tag=True, gc=False):
    """How far the venue's clock is ahead of the engine's, in ms of the engine's clock."""

    venue_ahead_ms: int


class Backfill(msgspec.Struct, frozen=True):
    """Past bars: all that the venue has, opening from ``from_ms`` on and before ``until_ms``.

    from_ms  : later than requested where the venue has nothing older.
    until_ms : earlier than requested where it stopped answering; ``from_ms`` where it failed.
    """

    bars: tuple[BarSeen, ...]
    from_ms: int
    until_ms: int


MarketData = BarSeen | TradeSeen | Connected | Disconnected | SkewSeen
