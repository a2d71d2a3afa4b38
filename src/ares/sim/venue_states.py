"""States of the attacking venue's instruments, which change by themselves."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import get_args

from ares.domain.events import Event
from ares.domain.feed_events import InstrumentChanged, InstrumentState
from ares.sim.schedule import Schedule

REPORT_MS = (1, 2_000)
LASTS_MS = (1_000, 120_000)
SELLING = ("trading", "limit_only", "reduce_only")


class VenueStates:
    """Which orders the venue takes of each instrument; a change is reported a moment later."""

    def __init__(
        self, n_instruments: int, schedule: Schedule, draw: Random, post: Callable[[Event], None]
    ) -> None:
        self.now: list[InstrumentState] = ["trading"] * n_instruments
        self._schedule, self._draw, self._post = schedule, draw, post

    def takes(self, i: int, kind: str, price_ticks: int) -> bool:
        """Return whether an order would be taken; a stop sells at the market."""
        if kind == "entry":
            return self.now[i] == "trading"
        if self.now[i] == "limit_only":
            return kind == "exit" and price_ticks > 0
        return self.sells(i)

    def sells(self, i: int) -> bool:
        """Return whether anything that sells is taken."""
        return self.now[i] in SELLING

    def change(self, i: int) -> None:
        """Change the state of an instrument for a while."""
        if self.now[i] != "trading":
            return
        self._set(i, self._draw.choice(get_args(InstrumentState)))
        wait_ms = self._draw.randint(*LASTS_MS)
        self._schedule.after(wait_ms, lambda: self._set(i, "trading"))

    def report(self) -> None:
        """Report all states, as to an engine that has just started."""
        for i, state in enumerate(self.now):
            self._post(InstrumentChanged(self._schedule.now_ms, i, state))

    def _set(self, i: int, state: InstrumentState) -> None:
        self.now[i] = state
        report_ms = self._draw.randint(*REPORT_MS)
        self._schedule.after(report_ms, self.report)
