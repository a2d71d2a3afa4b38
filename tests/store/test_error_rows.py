"""Which facts are errors for people, and in what words."""

from __future__ import annotations

from typing import Any

import pytest

from ares.domain.events import BreakerChanged, DailyLossReached, SeriesStale
from ares.domain.holding_events import DifferenceFound
from ares.domain.model_events import ModelRefused
from ares.domain.order_events import EventRefused, HaltChanged, StopMissing, Stopping, VenueDown
from ares.store.error_rows import error_row

NAMES = {-1: "account", 0: "BTC/USDT"}

ROWS: list[tuple[Any, str, str]] = [
    (BreakerChanged(-1, 7, "gas", "closed", "open", 0.5), "breaker_gas",
     "account: closed to open at 0.5"),
    (DailyLossReached(7, 0.05), "daily_loss_limit",
     "lost 5.00% of the day's equity: no entries until tomorrow"),
    (HaltChanged(0, 7, True, "operator", True, "ann: maintenance"), "halt_operator",
     "BTC/USDT: no entries until a person resumes: ann: maintenance"),
    (HaltChanged(-1, 7, True, "venue_down", False), "halt_venue_down",
     "all instruments: no entries"),
    (DifferenceFound(0, 7, "balance", "2 lots more", "", 2, 0, 0), "difference_balance",
     "BTC/USDT: 2 lots more"),
    (StopMissing(0, 7, 5, "rejected"), "stop_missing",
     "BTC/USDT: no stop at the venue: rejected"),
    (EventRefused(0, 7, "high is below low"), "event_refused", "BTC/USDT: high is below low"),
    (EventRefused(-1, 7, "time goes backwards"), "event_refused", "time goes backwards"),
    (SeriesStale("funding", 0, 7, 9.0), "series_stale", "BTC/USDT: funding has no new value"),
    (VenueDown(7), "venue_down", "the session ended"),
    (ModelRefused(7, 0, "a" * 64, "no file"), "model_refused", "BTC/USDT: aaaaaaaaaaaa: no file"),
]  # fmt: skip


@pytest.mark.parametrize(("fact", "kind", "message"), ROWS)
def test_an_error_is_a_row(fact: Any, kind: str, message: str) -> None:
    assert error_row(fact, NAMES.__getitem__) == (7, kind, message)


def test_starts_and_ends_of_halts_are_none() -> None:
    for fact in (
        HaltChanged(-1, 7, True, "starting", False), HaltChanged(0, 7, False, "operator", True),
        Stopping(7),
    ):  # fmt: skip
        assert error_row(fact, NAMES.__getitem__) is None
