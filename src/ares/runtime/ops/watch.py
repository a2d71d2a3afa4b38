"""When an engine has given no sign of life for too long."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

START_S = 300.0
"""How long a start may take until its first sign: code is compiled, and bars are caught up."""


class EngineSigns(msgspec.Struct, frozen=True):
    """What is seen of an engine, whether or not database and disk work.

    pid     : the process that holds its journal; 0: none.
    beat_s  : when it last changed its heartbeat file; None: there is none.
    stopped : a stop file stands: it was ended by somebody, and nothing is left to do.
    """

    pid: int
    beat_s: float | None
    stopped: bool = False


class Watch:
    """Follows the signs of one engine.

    silent_s : after so long without one it is hung, or dead.
    has_ended: whether the journal says that the engine stopped by itself; asked only where no
               engine runs for too long.
    """

    def __init__(
        self, silent_s: float, has_ended: Callable[[], bool], start_s: float = START_S
    ) -> None:
        self._silent_s, self._has_ended, self._start_s = silent_s, has_ended, start_s
        self._pid = -1
        self._beat_s: float | None = None
        self._has_beaten = False
        self._changed_s = float("-inf")

    def look(self, signs: EngineSigns, now_s: float) -> str:
        """Return why somebody must act now; empty: nobody must. now_s: of a monotonic clock."""
        if signs.stopped:
            self._changed_s = now_s
            return ""
        if signs.pid != self._pid:
            self._pid, self._beat_s = signs.pid, signs.beat_s
            self._changed_s, self._has_beaten = now_s, False
        elif signs.beat_s != self._beat_s:
            self._beat_s, self._changed_s, self._has_beaten = signs.beat_s, now_s, True
        is_starting = signs.pid != 0 and not self._has_beaten
        limit_s = max(self._silent_s, self._start_s) if is_starting else self._silent_s
        if now_s - self._changed_s < limit_s:
            return ""
        self._changed_s = now_s  # looked at again after as long
        if signs.pid == 0:
            return "" if self._has_ended() else f"no engine has run for {limit_s:g} s"
        return f"the engine (process {signs.pid}) has given no sign for {limit_s:g} s"
