"""Which problems of an engine are an alarm: pure, time comes in with every call.

A problem is an alarm once it has lasted as long as its kind may last. Its end is a message too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

ProblemKind = Literal["engine", "bars", "venue", "database", "disk", "processes"]

PATIENCE_S: dict[ProblemKind, float] = {
    "engine": 20.0,  # no sign of life; a death is an event of its own
    "bars": 0.0,  # see ``bars_late_s``
    "venue": 45.0,  # reconnects take seconds
    "database": 45.0,  # a backup, or a checkpoint, holds a lock for seconds
    "disk": 10.0,
    "processes": 45.0,
}

BARS_S_MIN = 75.0
BARS_MARGIN_S = 15.0
"""A closing instant comes at most 2 s late; a reconnect and its backfill take some seconds more."""

RESEND_S = 300.0
"""A problem of a kind that comes and goes is sent so often at most."""


class Alarm(msgspec.Struct, frozen=True):
    """A message for people. over: the problem has ended."""

    kind: ProblemKind
    text: str
    over: bool = False


def bars_late_s(base_ms: int) -> float:
    """Return how long no closing instant may come before that is a problem.

    >>> bars_late_s(60_000), bars_late_s(3_600_000)
    (75.0, 3615.0)
    """
    return max(BARS_S_MIN, base_ms / 1_000.0 + BARS_MARGIN_S)


class SilenceAlarm:
    """Turns the problems that stand at each look into messages."""

    def __init__(self, patience_s: Mapping[ProblemKind, float] = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._since_s = dict[ProblemKind, float]()
        self._standing = dict[ProblemKind, str]()
        self._sent_s = dict[ProblemKind, float]()

    @property
    def standing(self) -> dict[ProblemKind, str]:
        """Return the alarms that stand."""
        return dict(self._standing)

    def look(self, now_s: float, problems: Mapping[ProblemKind, str]) -> list[Alarm]:
        """Return what is to be sent now."""
        found = []
        for kind in [kind for kind in self._since_s if kind not in problems]:
            lasted_s = now_s - self._since_s.pop(kind)
            if self._standing.pop(kind, None) is not None:
                found.append(Alarm(kind, f"{kind}: well again after {lasted_s:.0f} s", over=True))
        for kind, text in problems.items():
            since_s = self._since_s.setdefault(kind, now_s)
            if kind in self._standing or now_s - since_s < self._patience_s[kind]:
                continue
            if now_s - self._sent_s.get(kind, float("-inf")) < RESEND_S:
                continue
            self._standing[kind], self._sent_s[kind] = text, now_s
            found.append(Alarm(kind, f"{kind}: {text}"))
        return found
