"""What of a journal is an error for people: rows of ``error_log``."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ares.domain.events import BreakerChanged, DailyLossReached, Effect, Event, SeriesStale
from ares.domain.holding_events import DifferenceFound, ResidueLeft
from ares.domain.model_events import ModelRefused
from ares.domain.order_events import EventRefused, HaltChanged, StopMissing, VenueDown

STARTING = "starting"
"""Reason of the halt that every start begins with, and lifts: no error."""


class ErrorRow(NamedTuple):
    """When, what kind of error, and a message."""

    ts_ms: int
    kind: str
    message: str


def error_row(fact: Event | Effect, name_of: Callable[[int], str]) -> ErrorRow | None:
    """Return the row of an event or effect; None where it is no error.

    name_of : from an instrument's lane to its symbol; -1: the account.
    """
    match fact:
        case BreakerChanged():
            where = name_of(fact.instrument)
            message = f"{where}: {fact.before} to {fact.after} at {fact.value:.4g}"
            return ErrorRow(fact.ts_ms, f"breaker_{fact.breaker}", message)
        case DailyLossReached():
            message = f"lost {fact.share:.2%} of the day's equity: no entries until tomorrow"
            return ErrorRow(fact.ts_ms, "daily_loss_limit", message)
        case HaltChanged() if fact.halted and fact.reason != STARTING:
            where = "all instruments" if fact.instrument < 0 else name_of(fact.instrument)
            more = f": {fact.detail}" if fact.detail else ""
            until = " until a person resumes" if fact.needs_person else ""
            return ErrorRow(fact.ts_ms, f"halt_{fact.reason}", f"{where}: no entries{until}{more}")
        case DifferenceFound():
            message = f"{name_of(fact.instrument)}: {fact.detail or fact.kind}"
            return ErrorRow(fact.ts_ms, f"difference_{fact.kind}", message)
        case ResidueLeft():
            lots = f"{fact.lots} lots are below the venue's smallest order"
            message = f"{name_of(fact.instrument)}: {lots}: they belong to the account now"
            return ErrorRow(fact.ts_ms, "residue_left", message)
        case StopMissing():
            message = f"{name_of(fact.instrument)}: no stop at the venue: {fact.detail}"
            return ErrorRow(fact.ts_ms, "stop_missing", message)
        case EventRefused():
            where = "" if fact.instrument < 0 else f"{name_of(fact.instrument)}: "
            return ErrorRow(fact.ts_ms, "event_refused", f"{where}{fact.reason}")
        case SeriesStale():
            message = f"{name_of(fact.instrument)}: {fact.series} has no new value"
            return ErrorRow(fact.ts_ms, "series_stale", message)
        case VenueDown():
            return ErrorRow(fact.ts_ms, "venue_down", fact.detail or "the session ended")
        case ModelRefused():
            message = f"{name_of(fact.instrument)}: {fact.ensemble_hash[:12]}: {fact.reason}"
            return ErrorRow(fact.ts_ms, "model_refused", message)
        case _:
            return None
