"""What accounts of all venues share: executions that need a question, sessions, clocks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytest

from ares.domain.api_key import ApiKey
from ares.domain.events import Event
from ares.domain.feed_events import InstrumentState
from ares.domain.order_events import OrderFilled, VenueDown, VenueUp
from ares.domain.venue import VenueTraits
from ares.venues.answers import NoAnswer
from ares.venues.ccxt_account import CcxtAccount
from ares.venues.known_orders import Reading
from ares.venues.markets import VenueMarket
from ares.venues.stream import SessionBroken

FILLED = OrderFilled("a", 1, 1, 1, 0, "T1")


class Reports:
    """Says what it is told to say."""

    reading = Reading()

    def begin_session(self) -> None: ...

    def read(self, _text: str) -> Reading:
        return self.reading


class Account(CcxtAccount):
    """An account without a venue; its first answers to a question fail."""

    name = "x"
    states: ClassVar[dict[str, InstrumentState]] = {}
    failures = 2

    def _open(self) -> Any:
        return None

    def _new_requests(self) -> Any:
        return None

    def _new_orders(self, markets: Sequence[VenueMarket], traits: VenueTraits) -> Any:
        raise NotImplementedError

    async def _read_statement(self, markets: Sequence[VenueMarket], from_ms: int) -> Any:
        raise NotImplementedError

    def _prepare_session(self, exchange: Any) -> None:
        raise NotImplementedError

    async def _state_words(self) -> Sequence[str]:
        raise NotImplementedError

    async def _next_message(self, exchange: Any) -> None:
        raise NotImplementedError

    async def _explained(self, entry: Mapping[str, Any]) -> list[Event]:
        if self.failures:
            self.failures -= 1
            raise NoAnswer("not now")
        return [FILLED]


@pytest.fixture
def account() -> Account:
    made = Account(ApiKey("k", "s"), lambda: 5)
    made.events = []  # type: ignore[attr-defined]
    made._post = made.events.append  # type: ignore[attr-defined]
    made._reports = Reports()
    return made


def posted(account: Account) -> list[Event]:
    events: list[Event] = account.events  # type: ignore[attr-defined]
    return events


def test_an_execution_is_asked_for_until_it_is_explained(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_wait(_s: float) -> None: ...

    async def run() -> None:
        monkeypatch.setattr(asyncio, "sleep", no_wait)
        account._reports.reading = Reading(unexplained=[{"id": 1}])  # type: ignore[attr-defined]
        assert account._read("{}") is False
        await asyncio.gather(*account._explaining)

    asyncio.run(run())
    assert posted(account) == [FILLED]


def test_a_broken_message_ends_the_session_after_its_events(account: Account) -> None:
    account._reports.reading = Reading([FILLED], broken="a gap")  # type: ignore[attr-defined]
    with pytest.raises(SessionBroken, match="a gap"):
        account._read("{}")
    assert posted(account) == [FILLED]


def test_a_session_that_never_began_is_not_reported_as_ended(account: Account) -> None:
    account._ended("refused")
    assert posted(account) == []
    account._began()
    account._ended("closed")
    assert posted(account) == [VenueUp(5, 1), VenueDown(5, "closed")]


def test_the_venues_clock_is_the_engines_until_it_is_known(account: Account) -> None:
    assert account.venue_ms() == 5

    async def run() -> int:
        account._venue_at = (100, 20, asyncio.get_running_loop().time())
        return account.venue_ms()

    assert 120 <= asyncio.run(run()) < 10_000
    account._speed = 60
    assert account.venue_ms() == 25
