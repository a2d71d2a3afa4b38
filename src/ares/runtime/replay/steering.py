"""Where people, or the venue, steered a run: commands, halts and fills within late bars, between
two decisions.

The backtest path knows none of them. A recomputation therefore ends before the first bar after
them, with the fills in it, and begins anew from the state that ``step`` has there.
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
    steered = False
    firsts, within = [first_seq], list[tuple[int, bool]]()
    for entry in journal:
        event, effects = entry.event, entry.effects
        if _is_of_the_market(entry):
            within.append((entry.seq, steered or before != halts))
            steered, before = False, frozenset(halts)
        if isinstance(event, BarsClosed):
            if event.kind == "late":  # the scan fills nothing within it
                steered = steered or bool(within)
            else:
                firsts += [seq for seq, is_new in within if is_new and first_seq < seq <= last_seq]
            within = []
        for effect in effects:
            if isinstance(effect, HaltChanged):
                scope = (effect.instrument, effect.reason)
                halts.add(scope) if effect.halted else halts.discard(scope)
            elif isinstance(effect, CommandDone):
                verb = event.verb if isinstance(event, CommandGiven) else ""
                steered = steered or verb not in SAFE
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
