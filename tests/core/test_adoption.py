"""What an account holds at its first sight is adopted or ignored, by choice, as a fact."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ares.core.adoption import STOP_BPS_MAX, STOP_BPS_MIN, stop_bps
from ares.core.models import NO_MODELS
from ares.core.money_facts import JournaledFacts, fold
from ares.core.snapshot import restore, snapshot
from ares.domain.holding_events import HoldingTaken
from ares.domain.order_events import AccountSeen, ExecutionBooked, SubmitOrder


@pytest.fixture
def unknown(two_of: Any) -> Any:
    """An engine whose account has not been seen; prices of its instruments are known."""

    def make(*, adopts: bool) -> Any:
        two = two_of(known=False)
        two.setup = two.state.setup = msgspec.structs.replace(two.setup, adopts_existing=adopts)
        for book in two.state.trade.book:
            book["last_close"], book["var_fast"], book["n_bars"] = 10_000, 1e-8, 1_440
        return two

    return make


def seen(two: Any, *lots: int) -> list[Any]:
    return list(two.take(AccountSeen(two.at_ms, two.at_ms, True, lots, ())))


def test_what_is_ignored_is_named_once_and_never_touched(unknown: Any) -> None:
    two = unknown(adopts=False)
    cash = two.cash
    effects = seen(two, 50, 0)
    (fact,) = [e for e in effects if isinstance(e, HoldingTaken)]
    assert (fact.instrument, fact.lots, fact.adopted) == (0, 50, False)
    assert (two.held(), two.cash, two.state.outside_lots) == (0, cash, [50, 0])
    assert not any(isinstance(e, HoldingTaken | SubmitOrder) for e in seen(two, 50, 0))


def test_what_is_adopted_is_a_position_paid_from_the_capital_with_a_stop(unknown: Any) -> None:
    two = unknown(adopts=True)
    cash = two.cash
    effects = seen(two, 50, 0)
    (fact,) = [e for e in effects if isinstance(e, HoldingTaken)]
    assert (fact.lots, fact.price_ticks, fact.adopted) == (50, 10_000, True)
    (stop,) = [e for e in effects if isinstance(e, SubmitOrder)]
    assert (stop.kind, stop.lots) == ("stop", -50)
    assert (two.held(), two.state.outside_lots) == (50, [0, 0])
    assert two.cash == cash - 50 * 10_000 * 1_000
    two.state = restore(two.setup, snapshot(two.state))
    assert two.state.existing_lots == [0, 0]
    assert not any(isinstance(e, HoldingTaken) for e in seen(two, 50, 0))
    assert two.state.differences == []


def test_more_than_the_capital_is_ignored_with_the_reason(unknown: Any) -> None:
    two = unknown(adopts=True)
    (fact,) = [e for e in seen(two, 10**9, 0) if isinstance(e, HoldingTaken)]
    assert not fact.adopted
    assert "of the capital are free" in fact.reason
    assert (two.held(), two.state.outside_lots[0]) == (0, 10**9)


def test_without_a_price_it_waits_for_one(unknown: Any) -> None:
    two = unknown(adopts=True)
    two.state.trade.book["last_close"] = 0
    assert not any(isinstance(e, HoldingTaken) for e in seen(two, 50, 0))
    assert two.state.existing_lots == [50, 0]
    two.state.trade.book["last_close"] = 10_000
    assert [e.adopted for e in seen(two, 50, 0) if isinstance(e, HoldingTaken)] == [True]
    assert two.state.existing_lots == [0, 0]


def test_what_has_left_the_account_meanwhile_is_not_adopted(unknown: Any) -> None:
    """A stranger sold it before a price was known: a position of nothing was made, for good."""
    two = unknown(adopts=True)
    two.state.trade.book["last_close"] = 0
    seen(two, 50, 0)
    two.state.outside_lots = [0, 0]  # a person settled the difference
    two.state.trade.book["last_close"] = 10_000
    (fact,) = [e for e in seen(two, 0, 0) if isinstance(e, HoldingTaken)]
    assert (fact.lots, fact.adopted, fact.reason) == (0, False, "it left the account")
    assert (two.held(), two.state.outside_lots, two.state.existing_lots) == (0, [0, 0], [0, 0])


def test_nothing_is_adopted_while_ledger_and_venue_disagree(unknown: Any) -> None:
    two = unknown(adopts=True)
    two.state.trade.book["last_close"] = 0
    seen(two, 50, 0)
    two.state.trade.book["last_close"] = 10_000
    assert not any(isinstance(e, HoldingTaken) for e in seen(two, 20, 0))
    assert two.state.existing_lots == [50, 0]
    assert [e.lots for e in seen(two, 50, 0) if isinstance(e, HoldingTaken)] == [50]


def test_an_adoption_after_the_start_has_its_stop_at_once(unknown: Any) -> None:
    two = unknown(adopts=True)
    two.state.trade.book["last_close"] = 0
    seen(two, 50, 0)
    two.state.trade.book["last_close"] = 10_000
    assert [(e.kind, e.lots) for e in seen(two, 50, 0) if isinstance(e, SubmitOrder)] == [
        ("stop", -50)
    ]


def test_the_stop_follows_from_the_volatility_within_bounds(unknown: Any) -> None:
    two = unknown(adopts=True)
    book = two.state.trade.book[0]
    found = []
    for variance in (1e-12, 1e-6, 1e-2):
        book["var_fast"] = variance
        found.append(stop_bps(two.state, 0))
    assert found[0] == STOP_BPS_MIN < found[1] < STOP_BPS_MAX == found[2]


def test_facts_alone_lead_to_the_same_position(unknown: Any) -> None:
    two, other = unknown(adopts=True), unknown(adopts=True)
    event = AccountSeen(two.at_ms, two.at_ms, True, (50, 0), ())
    effects = two.take(event)
    assert any(isinstance(e, ExecutionBooked) for e in effects)
    fold(other.state, [JournaledFacts(two.state.seq, two.at_ms, event, effects)], NO_MODELS)
    for name in ("outside_lots", "existing_lots"):
        assert getattr(other.state, name) == getattr(two.state, name)
    for name in ("position_lots", "stop_ticks", "cost_units", "inherited"):
        assert other.state.trade.book[0][name] == two.state.trade.book[0][name]
    assert other.cash == two.cash
