"""Faults on command: what the server does wrong on purpose, when, how often, and to whom.

A fault is active for some seconds of wall time, or until it is cleared. What is random comes from
the seed and the fault's number, so that the same commands give the same faults.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import msgspec

from ares.domain.errors import UserError

FAULTS = {
    "latency": "every answer and message comes `ms` late",
    "http_429": "requests are refused: too many (Retry-After: 1)",
    "http_503": "requests and new sockets are refused: unavailable",
    "html": "an HTML page instead of JSON, in answers and messages",
    "not_json": "text that is not JSON, in answers and messages",
    "big": "a message of `bytes` (10 MB) before the real one; in answers, too",
    "drop": "messages are lost",
    "duplicate": "messages arrive twice",
    "reorder": "a message arrives after the one that follows it",
    "mute": "sockets stay open and say nothing",
    "gap": "no trades and candles on sockets for `minutes` of market time; REST has them",
    "wrong_clock": "the venue's clock is wrong by `ms`; trades and candles keep their times",
    "close": "open sockets are closed",
    "reply_lost": "requests are done, and their connection is closed instead of an answer",
    "request_late": "requests are done `ms` late, those after them are not",
    "request_orphaned": "connections are closed at once, and the requests done `ms` later",
    "error_before": "an error in an answer with status 200; the request is not done",
    "error_after": "the same, but the request is done",
    "stale": "look-ups answer with the account as it was when the fault began",
    "incomplete": "pages of orders, trades and balances lack every other entry",
    "unavailable": "the venue is in maintenance: private requests are refused in status 200",
    "key_revoked": "the API key that contains `only` is refused; its sockets get no more",
    "mute_private": "private sockets stay open and say nothing",
    "cancel_only": "a market's orders can only be cancelled (`only=BTC/USDT`)",
    "post_only": "a market takes post-only orders alone",
    "limit_only": "a market takes limit orders alone",
    "reduce_only": "a market takes sales alone",
    "maintenance": "a market is closed",
    "fill_during_cancel": "an order is filled before its cancel is done",
    "stop_cancelled": "the venue cancels stops that rest",
    "partial_fills": "fills come in up to 50 pieces, `rate` (50) a second",
}
"""Kind -> what it does."""

TIMED = ("latency", "wrong_clock", "request_late", "request_orphaned")
"""Kinds that need ``ms``."""

AT_ONCE = ("close",)
HTTP = ("latency", "http_429", "http_503", "html", "not_json", "big")
SOCKET = ("latency", "drop", "duplicate", "reorder", "mute", "html", "not_json", "big")

BIG_BYTES = 10_500_000
"""Above the 10 MiB (10,485,760 bytes) that ccxt's sockets take at most."""


class Fault(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A fault as it is asked for.

    seconds     : how long, in wall time; 0: until cleared (of ``gap``: see ``minutes``).
    after       : starts so many seconds from now.
    probability : that an answer or message is struck.
    count       : strikes at most so often; 0: no limit.
    only        : strikes only requests, messages or symbols whose text contains this.
    rate        : pieces a second, of ``partial_fills``.
    on          : ``rest``, ``socket``, or both where empty.
    """

    kind: str
    ms: int = 0
    seconds: float = 0.0
    after: float = 0.0
    minutes: int = 0
    probability: float = 1.0
    count: int = 0
    bytes: int = BIG_BYTES
    rate: float = 50.0
    only: str = ""
    on: str = ""


class _ActiveFault:
    """A fault with its times, its count and its random numbers."""

    def __init__(self, number: int, fault: Fault, now_s: float, seed: int) -> None:
        self.number = number
        self.fault = fault
        self.from_s = now_s + fault.after
        self.to_s = self.from_s + fault.seconds if fault.seconds else float("inf")
        self.struck = 0
        self.gap_to_ms = 0
        self._random = random.Random(f"{seed}:{number}")

    def strikes(self, text: str) -> bool:
        """Return whether the fault strikes now; counts when it does."""
        fault = self.fault
        if fault.only and fault.only not in text:
            return False
        if fault.count and self.struck >= fault.count:
            return False
        if fault.probability < 1.0 and self._random.random() >= fault.probability:
            return False
        self.struck += 1
        return True


class ActiveFaults:
    """The faults that are active.

    now_s : seconds of wall time, monotonic.
    """

    def __init__(self, now_s: Callable[[], float], seed: int = 0) -> None:
        self.now_s = now_s
        self._seed = seed
        self._numbers = itertools.count(1)
        self._active: dict[int, _ActiveFault] = {}

    def add(self, fault: Fault) -> int:
        """Start a fault and return its number; raise UserError where it makes no sense."""
        _require_valid(fault)
        number = next(self._numbers)
        self._active[number] = _ActiveFault(number, fault, self.now_s(), self._seed)
        return number

    def clear(self, number: int | None = None) -> int:
        """End one fault, or all; return how many."""
        numbers = list(self._active) if number is None else [number]
        return sum(self._active.pop(n, None) is not None for n in numbers)

    def listed(self) -> list[dict[str, Any]]:
        """Return the faults that are active or still to come."""
        now_s = self.now_s()
        return [
            {
                "id": active.number,
                "fault": msgspec.to_builtins(active.fault),
                "struck": active.struck,
                "starts_in_s": max(0.0, active.from_s - now_s),
            }
            for active in self._active.values()
            if active.to_s > now_s
        ]

    def struck(self, kind: str, on: str, text: str = "") -> Fault | None:
        """Return the fault of this kind that strikes now, if any.

        on   : ``rest`` or ``socket``.
        text : of the request or message, for ``only``.
        """
        for active in self._now(kind):
            if active.fault.on in ("", on) and active.strikes(text):
                return active.fault
        return None

    def lasts(self, kind: str, text: str = "") -> Fault | None:
        """Return a fault of this kind that is active for ``text``; chance and count aside."""
        for active in self._now(kind):
            if not active.fault.only or active.fault.only in text:
                return active.fault
        return None

    def is_active(self, kind: str) -> bool:
        """Return whether a fault of this kind is active, for whatever it strikes."""
        return bool(self._now(kind))

    def clock_error_ms(self) -> int:
        """Return by how much the venue's clock is wrong now."""
        return sum(active.fault.ms for active in self._now("wrong_clock"))

    def in_gap(self, symbol: str, ts_ms: int) -> bool:
        """Return whether a trade or candle of this time is withheld from the sockets."""
        for active in self._now("gap"):
            if active.fault.only and active.fault.only not in symbol:
                continue
            if not active.gap_to_ms:  # market time starts to count with the first trade withheld
                active.gap_to_ms = ts_ms + active.fault.minutes * 60_000
            if ts_ms < active.gap_to_ms:
                active.struck += 1
                return True
        return False

    def _now(self, kind: str) -> list[_ActiveFault]:
        if not self._active:
            return []
        now_s = self.now_s()
        for active in [a for a in self._active.values() if a.to_s <= now_s]:
            del self._active[active.number]
        return [
            active
            for active in self._active.values()
            if active.fault.kind == kind and active.from_s <= now_s
        ]


def parse_fault(text: str) -> Fault:
    """Return the fault written as ``kind:name=value,name=value``; raise UserError.

    >>> parse_fault("latency:ms=300,seconds=20").ms
    300
    """
    kind, _, rest = text.partition(":")
    values: dict[str, Any] = {"kind": kind}
    for part in filter(None, rest.split(",")):
        name, equals, value = part.partition("=")
        if not equals:
            raise UserError(f"fault '{text}': '{part}' is not NAME=VALUE")
        values[name] = value
    return fault_of(values)


def fault_of(values: dict[str, Any]) -> Fault:
    """Return the fault of a dict, as JSON or the command line give it; raise UserError."""
    try:
        fault = msgspec.convert(values, Fault, strict=False)
    except msgspec.ValidationError as error:
        raise UserError(f"fault: {error}") from None
    _require_valid(fault)
    return fault


def _require_valid(fault: Fault) -> None:
    if fault.kind not in FAULTS:
        raise UserError(f"fault '{fault.kind}' is unknown: use one of {', '.join(FAULTS)}")
    if fault.on not in ("", "rest", "socket"):
        raise UserError(f"fault: on={fault.on} is unknown: use rest or socket")
    if not 0.0 < fault.probability <= 1.0:
        raise UserError(f"fault: probability {fault.probability:g} must be above 0 and at most 1")
    if fault.seconds < 0 or fault.after < 0 or fault.minutes < 0 or fault.count < 0:
        raise UserError("fault: seconds, after, minutes and count cannot be negative")
    if fault.kind in TIMED and fault.ms == 0:
        raise UserError(f"fault {fault.kind}: give ms, such as ms=500")
    if fault.kind != "wrong_clock" and fault.ms < 0:
        raise UserError(f"fault {fault.kind}: ms cannot be negative")
    if fault.kind == "gap" and fault.minutes == 0:
        raise UserError("fault gap: give minutes of market time, such as minutes=5")
    if not 0.1 <= fault.rate <= 1_000.0:
        raise UserError("fault partial_fills: rate must be between 0.1 and 1000 a second")
    if not 1 <= fault.bytes <= 100_000_000:
        raise UserError("fault big: bytes must be between 1 and 100000000")
