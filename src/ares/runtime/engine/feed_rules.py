"""How long an assembler waits for what, and how it requests bars that are missing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from ares.runtime.engine.silence import SILENT_MS_MIN


@dataclass(frozen=True, slots=True)
class AssemblerRules:
    """How long is waited for what, in market time.

    wait_ms    : for the bars of a closing instant. ask_ms: before a missing one is requested.
    gap_ms     : for those instruments whose gap takes longer to fill than the others'.
    decide_ms  : an instant that goes out later than this is caught up, not decided on.
    behind_ms  : what closed less than this ago may still be on its way: 0 in real time, ``wait_ms``
                 of wall time where the market is so fast that a minute passes meanwhile.
    retry_ms, retry_max_ms : between two requests for the same bars, doubled each time.
    ahead_ms   : the venue's clock may be so much ahead.
    silent_ms  : the shortest silence that is an alarm.
    span_bars  : bars of one request.
    warmup_ms  : until features are complete again after a hole that cannot be filled.
    cross_checked : a minute without a trade must be missing in the venue's history too.
    """

    wait_ms: float = 2_000.0
    ask_ms: float = 500.0
    gap_ms: float = 30_000.0
    decide_ms: float = 10_000.0
    behind_ms: float = 0.0
    retry_ms: float = 5_000.0
    retry_max_ms: float = 60_000.0
    ahead_ms: float = 30_000.0
    silent_ms: float = SILENT_MS_MIN
    span_bars: int = 1_000
    warmup_ms: int = 0
    cross_checked: bool = True

    def at_speed(self, speed: float) -> AssemblerRules:
        """Return the rules of a market that is so many times faster than the wall clock."""
        names = ("wait_ms", "ask_ms", "gap_ms", "decide_ms", "retry_ms", "retry_max_ms",
                 "ahead_ms", "silent_ms")  # fmt: skip
        scaled = {name: getattr(self, name) * speed for name in names}
        return replace(self, behind_ms=max(0.0, self.wait_ms * (speed - 1.0)), **scaled)


class BackfillRequest(NamedTuple):
    """Bars to fetch: those that open from ``from_ms`` on, before ``to_ms``."""

    instrument: int
    from_ms: int
    to_ms: int
