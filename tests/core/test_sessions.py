"""Starts, outages and clocks: nothing is opened until orders and balances are known."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from ares.core.halts import ALL, BY_CLOCK, BY_START, BY_UNKNOWN_ORDER, BY_VENUE
from ares.core.sessions import SKEW_MS_MAX
from ares.core.snapshot import restore, snapshot
from ares.domain.events import EngineStarted
from ares.domain.order_events import (
    AccountSeen,
    AskAccount,
    ClockSkewMeasured,
    EventRefused,
    HaltChanged,
    OrderAccepted,
    VenueDown,
    VenueUp,
)

if TYPE_CHECKING:
    from tests.core.conftest import TwoInstruments

MINUTE_MS = 60_000


def test_an_open_order_that_the_venue_does_not_list_is_looked_up(two: TwoInstruments) -> None:
    stop = two.hold(0)
    assert two.lookups_of(two.account(ids=(stop,))) == []
    assert two.lookups_of(two.account(ids=())) == [stop]
    entry = two.enter(1)
    assert two.lookups_of(two.account(ids=(stop,))) == [], "it may not have arrived yet"
    assert two.state.orders[entry].doubt_ms == 0


@pytest.mark.parametrize("is_known", ["open", "ended", "unknown"])
def test_an_open_order_with_our_digits_that_the_journal_does_not_know_needs_a_person(
    two: TwoInstruments, is_known: str
) -> None:
    """Two engines with one account, or a journal that was lost."""
    stop = two.hold(0)
    (entry,) = two.state.ended
    id_ = {"open": stop, "ended": entry, "unknown": two.owner + "f" * 24}[is_known]
    effects = two.account(ids=(stop, id_, "app-1"))
    halted = HaltChanged(ALL, two.at_ms, True, BY_UNKNOWN_ORDER, True)
    assert (halted in effects) == (is_known == "unknown")


# --- clocks, sessions, starts --------------------------------------------------------------------


@pytest.mark.parametrize("sign", [1, -1])
def test_clocks_far_apart_halt_entries_until_they_agree(two: TwoInstruments, sign: int) -> None:
    assert two.take(ClockSkewMeasured(two.at_ms, sign * SKEW_MS_MAX)) == []
    two.take(ClockSkewMeasured(two.at_ms, sign * (SKEW_MS_MAX + 1)))
    assert two.halts == [(ALL, BY_CLOCK)]
    two.take(ClockSkewMeasured(two.at_ms, 0))
    assert two.halts == []


def test_after_an_outage_all_orders_and_the_balances_are_looked_up(two: TwoInstruments) -> None:
    stop, entry = two.hold(0), two.enter(1)
    two.take(VenueDown(two.at_ms))
    assert two.halts == [(ALL, BY_VENUE)]
    effects = two.take(VenueUp(two.at_ms, 2), MINUTE_MS)
    assert sorted(two.lookups_of(effects)) == sorted([stop, entry])
    assert AskAccount(two.at_ms) in effects
    assert two.halts == []


def test_a_start_is_halted_until_balances_and_all_orders_are_known(two: TwoInstruments) -> None:
    stop, entry = two.hold(0), two.enter(1)
    two.state = restore(two.setup, snapshot(two.state))
    effects = two.take(EngineStarted({}, two.state.seq, "second"))
    assert two.halts == [(ALL, BY_START)]
    assert sorted(two.lookups_of(effects)) == sorted([stop, entry])
    two.account(10, 0)
    assert two.halts == [(ALL, BY_START)], "orders are in doubt"
    two.accept(stop)
    assert two.halts == [(ALL, BY_START)]
    assert HaltChanged(ALL, two.at_ms, False, BY_START, False) in two.take(
        OrderAccepted(entry, two.at_ms)
    )


def test_a_start_is_halted_while_balances_are_unknown(two_of: type[TwoInstruments]) -> None:
    two = two_of(known=False)
    assert two.halts == [(ALL, BY_START)]
    two.take(AccountSeen(two.at_ms, two.at_ms, False, (0, 0), ()))
    assert two.halts == [(ALL, BY_START)], "an incomplete page proves nothing"
    two.account(0, 0)
    assert two.halts == []


def test_balances_are_compared_every_five_minutes(two: TwoInstruments) -> None:
    asked = [e.ts_ms for e in two.pass_ms(3_600_000) if isinstance(e, AskAccount)]
    assert [b - a for a, b in pairwise(asked)] == [300_000] * (len(asked) - 1)
    assert len(asked) == 12


def test_a_start_ends_the_halt_of_a_session_that_was_down_before(two: TwoInstruments) -> None:
    """Found by the attacking world, seed 1238: the halt stood for ever after a restart."""
    two.take(VenueDown(two.at_ms))
    two.take(EngineStarted({}, two.state.seq, "next"))
    two.account(0, 0)
    assert two.halts == []


def test_a_clock_that_is_not_believed_is_journaled_and_halts_entries(two: TwoInstruments) -> None:
    at_ms = two.at_ms
    year_ms = at_ms + 366 * 86_400_000
    effects = two.take(EngineStarted({}, two.state.seq, "next", clock_ms=year_ms))
    (refused,) = [e for e in effects if isinstance(e, EventRefused)]
    assert f"the machine's clock says {year_ms}, the journal ends at {at_ms}" in refused.reason
    two.account(0, 0)
    assert two.halts == [(ALL, BY_CLOCK)]
    assert two.state.at_ms == at_ms
    two.take(ClockSkewMeasured(two.at_ms, 0))
    assert two.halts == []
