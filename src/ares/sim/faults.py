"""Which faults an attacking world draws, and how often. Probabilities are per occasion."""

from __future__ import annotations

from dataclasses import dataclass, fields
from random import Random


@dataclass(frozen=True, slots=True)
class Faults:
    """Probability of each fault at each occasion for it; all 0: a world without faults.

    On the way: request_lost, answer_lost (the sender learns nothing, or of a timeout), doubled,
    delayed (by seconds; otherwise 5 to 80 ms, in any order), session_lost (reports are lost until a
    new session). At the venue: rejected, cancel_refused, stop_dropped (the venue cancels it by
    itself), partly_filled, slow_fill, late_fill (after the end was reported), beyond_order,
    unknown_order (a person's trade), other_engine (orders of another bot on the account),
    second_machine (orders with this engine's own digits), moved_capital, trigger_unsaid (the venue
    triggers a stop-limit without a word), state_changed (it takes no orders of an instrument, or
    few, for a while). Of the market: price_jump (far beyond any limit), bar_missing, bar_late,
    bar_wrong, bar_corrected, feed_mute (no bars for minutes while the venue answers). At home:
    crash, disk_full, clock_jump and clock_year (at a start: seconds, a year), command, upgrade (a
    clean stop by the old version), new_version (after a crash), crash_at_change (while it is
    upgraded or recovers),
    limit_lowered (of an order's size, at an upgrade: open stops are larger than that). Of models:
    model_published and slot_change at any moment, change_at_order (while an order is on its way).
    """

    request_lost: float = 0.0
    answer_lost: float = 0.0
    doubled: float = 0.0
    delayed: float = 0.0
    session_lost: float = 0.0
    rejected: float = 0.0
    cancel_refused: float = 0.0
    stop_dropped: float = 0.0
    partly_filled: float = 0.0
    slow_fill: float = 0.0
    late_fill: float = 0.0
    beyond_order: float = 0.0
    unknown_order: float = 0.0
    other_engine: float = 0.0
    second_machine: float = 0.0
    moved_capital: float = 0.0
    bar_missing: float = 0.0
    bar_late: float = 0.0
    bar_wrong: float = 0.0
    bar_corrected: float = 0.0
    feed_mute: float = 0.0
    crash: float = 0.0
    disk_full: float = 0.0
    clock_jump: float = 0.0
    clock_year: float = 0.0
    command: float = 0.0
    upgrade: float = 0.0
    limit_lowered: float = 0.0
    new_version: float = 0.0
    crash_at_change: float = 0.0
    model_published: float = 0.0
    slot_change: float = 0.0
    change_at_order: float = 0.0
    trigger_unsaid: float = 0.0
    price_jump: float = 0.0
    state_changed: float = 0.0


WORST = Faults(
    request_lost=0.10, answer_lost=0.10, doubled=0.15, delayed=0.15, session_lost=0.01,
    rejected=0.10, cancel_refused=0.10, stop_dropped=0.02, partly_filled=0.5, slow_fill=0.2,
    late_fill=0.05, beyond_order=0.02, unknown_order=0.002, other_engine=0.002,
    second_machine=0.001, moved_capital=0.001,
    bar_missing=0.02, bar_late=0.004, bar_wrong=0.002, bar_corrected=0.01, feed_mute=0.01,
    crash=0.003, disk_full=0.003, clock_jump=0.3, clock_year=0.1, command=0.03, upgrade=0.01,
    limit_lowered=0.6, new_version=0.9, crash_at_change=0.05, model_published=0.02,
    slot_change=0.05, change_at_order=0.1, trigger_unsaid=0.5, price_jump=0.15,
    state_changed=0.02,
)  # fmt: skip
"""Far more often than any real venue; a world draws each kind at a share of it, or not at all."""


def drawn(draw: Random) -> Faults:
    """Return the faults of one world: each kind absent, rare or frequent."""
    shares = {
        field.name: draw.choice((0.0, 0.2, 1.0)) * float(getattr(WORST, field.name))
        for field in fields(WORST)
    }
    return Faults(**shares)


Occasion = tuple[int, str]
"""The number of an occasion among those of its fault, and the name of the fault."""


class Chance:
    """Decides at each occasion whether a fault happens, and keeps which did.

    Each fault has draws and numbers of its own: one that is left out moves no other kind.

    kept : the occasions at which a fault may happen; None: all. With fewer of them the least that
           still breaks a promise is found, see ``tests.sim.shrink``.
    happened : the occasions at which one did, in order.
    """

    def __init__(
        self, draw: Random, faults: Faults, kept: frozenset[Occasion] | None = None
    ) -> None:
        self.faults = faults
        self.happened: list[Occasion] = []
        self._draws = {field.name: Random(draw.getrandbits(64)) for field in fields(faults)}
        self._occasions = dict.fromkeys(self._draws, 0)
        self._kept = kept

    def happens(self, name: str) -> bool:
        """Return whether a fault happens now."""
        self._occasions[name] += 1
        occasion = (self._occasions[name], name)
        is_drawn = self._draws[name].random() < float(getattr(self.faults, name))
        if not is_drawn or (self._kept is not None and occasion not in self._kept):
            return False
        self.happened.append(occasion)
        return True

    def calm(self) -> None:
        """End all faults."""
        self.faults = Faults()
