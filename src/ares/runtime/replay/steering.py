"""Where people, or the venue, steered a run: commands and halts, between two decisions.

The backtest path knows neither. A recomputation therefore ends before the first bar after them,
with the fills in it, and begins anew from the state that ``step`` has there.
"""

from __future__ import annotations

from collections.abc import Iterable

from ares.domain.events import BarsClosed, DecisionMade
from ares.domain.order_events import (
    CommandDone,
    CommandGiven,
    HaltChanged,
    OrderEnded,
    OrderFilled,
)
from ares.journal.run import JournalEntry

SAFE = frozenset({"snapshot", "stop", "learn"})
"""Verbs that change nothing of what the engine decides."""


def unsteered(
    journal: Iterable[JournalEntry], first_seq: int, last_seq: int
) -> list[tuple[int, int]]:
    """Return (first seq, last seq) of the parts of a stretch within which nobody steers.

    journal : from its first entry on.
    """
    halts: set[tuple[int, str]] = set()
    before = frozenset(halts)
    commanded = False
    firsts = [first_seq]
    for entry in journal:
        effects = entry.effects
        if _is_of_the_market(entry):
            if (commanded or before != halts) and first_seq < entry.seq <= last_seq:
                firsts.append(entry.seq)
            commanded, before = False, frozenset(halts)
        for effect in effects:
            if isinstance(effect, HaltChanged):
                scope = (effect.instrument, effect.reason)
                halts.add(scope) if effect.halted else halts.discard(scope)
            elif isinstance(effect, CommandDone):
                verb = entry.event.verb if isinstance(entry.event, CommandGiven) else ""
                commanded = commanded or verb not in SAFE
    ends = [first - 1 for first in firsts[1:]] + [last_seq]
    return list(zip(firsts, ends, strict=True))


def _is_of_the_market(entry: JournalEntry) -> bool:
    """Return whether an entry is of a bar: a fill within it, or its close that is decided on."""
    match entry.event:
        case OrderFilled() | OrderEnded(reason="rejected"):
            return True
        case BarsClosed():
            return any(isinstance(effect, DecisionMade) for effect in entry.effects[:1])
        case _:
            return False
