"""What a market data source reports as it comes in: raw values, not yet checked or put in order."""

from __future__ import annotations

import msgspec

INTERVAL_MS = 60_000  # every bar of this module is a 1m bar


class BarSeen(msgspec.Struct, frozen=True, gc=False):
    """A 1m bar as the venue shows it now.

    instrument : index into the instruments of the run.
    open_ms    : venue time at which the bar opens.
    is_closed  : the venue calls the bar final; venues change even such a bar now and then.
    """

    instrument: int
    open_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    is_closed: bool


class TradeSeen(msgspec.Struct, frozen=True, gc=False):
    """A public trade.

    ts_ms : venue time of the execution.
    """

    instrument: int
    ts_ms: int
    price: float
    qty: float


class Connected(msgspec.Struct, frozen=True, gc=False):
    """The stream is subscribed to and delivers; sent again as a heartbeat of the connection.

    ts_ms : venue time, where the venue's message carries one.
    """

    ts_ms: int | None = None


class Disconnected(msgspec.Struct, frozen=True, gc=False):
    """The stream is lost: what follows may have a gap."""

    reason: str


class SkewSeen(msgspec.Struct, frozen=True, gc=False):
    """How far the venue's clock is ahead of this machine's, in wall time."""

    venue_ahead_ms: int


RawMarketData = BarSeen | TradeSeen | Connected | Disconnected | SkewSeen
