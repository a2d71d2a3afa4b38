"""Every command has an outcome, and none is invented."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ares.domain.events import Command, Event
from ares.domain.order_events import (
    AccountSeen,
    AmendOrder,
    AmendRefused,
    AskAccount,
    CancelOrder,
    CancelRefused,
    OrderAbsent,
    OrderAccepted,
    OrderAmended,
    OrderEnded,
    OrderUnknown,
    QueryOrder,
    SubmitOrder,
)
from ares.venues.answers import NoAnswer, NotSent, Refused
from ares.venues.ccxt_venue import CcxtVenue

NOW = 5_000
SUBMIT = SubmitOrder("a", 0, "entry", 5, 7, "signal", 0.6, 5.0, 50.0)
CANCEL, AMEND, QUERY = CancelOrder("a", 0), AmendOrder("a", 0, -4, 6), QueryOrder("a", 0)


class FakeOrders:
    """Orders that answer as each test wants; ``log`` is what was asked, in order."""

    def __init__(self, act: Callable[[str], Any]) -> None:
        self.act = act
        self.log: list[str] = []

    async def _do(self, name: str) -> Any:
        self.log.append(name)
        answer = self.act(name)
        if isinstance(answer, float):
            await asyncio.sleep(answer)
            self.log.append(f"{name} done")
            return None
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def submit(self, command: SubmitOrder) -> str:
        return str(await self._do("submit"))

    async def cancel(self, command: CancelOrder) -> None:
        await self._do("cancel")

    async def amend(self, command: AmendOrder) -> None:
        await self._do("amend")

    async def look_up(self, client_id: str, instrument: int) -> list[Event]:
        found: list[Event] = await self._do("look_up") or []
        return found

    async def account(self) -> AccountSeen:
        found: AccountSeen = await self._do("account")
        return found


def outcome(
    act: Callable[[str], Any], commands: Sequence[Command]
) -> tuple[list[Event], list[str], list[str]]:
    events: list[Event] = []
    lines: list[str] = []
    fake = FakeOrders(act)

    async def run() -> None:
        venue = CcxtVenue(fake, 1, events.append, lambda: NOW, lines.append)
        for command in commands:
            venue.send(command)
        while venue._running:
            await asyncio.sleep(0.001)
        await venue.close()

    asyncio.run(asyncio.wait_for(run(), 20))
    return events, fake.log, lines


@pytest.mark.parametrize(
    ("command", "answer", "event"),
    [
        (SUBMIT, "O1", OrderAccepted("a", NOW, "O1")),
        (SUBMIT, Refused("no money"), OrderEnded("a", NOW, "rejected", 0, "no money")),
        (SUBMIT, NotSent("late"), OrderEnded("a", NOW, "absent", 0, "late")),
        (SUBMIT, NoAnswer("timeout"), OrderUnknown("a", NOW, "timeout")),
        (SUBMIT, KeyError("x"), OrderUnknown("a", NOW, "KeyError: 'x'")),
        (CANCEL, Refused("closed"), CancelRefused("a", NOW, "closed")),
        (CANCEL, NoAnswer("timeout"), OrderUnknown("a", NOW, "timeout")),
        (AMEND, None, OrderAmended("a", NOW, -4, 6)),
        (AMEND, Refused("closed"), AmendRefused("a", NOW, "closed")),
        (AMEND, NoAnswer("timeout"), OrderUnknown("a", NOW, "timeout")),
        (QUERY, NoAnswer("timeout"), OrderAbsent("a", NOW, False)),
        (QUERY, Refused("no rights"), OrderAbsent("a", NOW, False)),
        (QUERY, ValueError("html"), OrderAbsent("a", NOW, False)),
        (QUERY, [OrderAccepted("a", NOW, "O1")], OrderAccepted("a", NOW, "O1")),
        (AskAccount(1), NoAnswer("x"), AccountSeen(NOW, NOW, False, (0,), ())),
        (AskAccount(1), AccountSeen(1, 1, True, (5,), ()), AccountSeen(1, 1, True, (5,), ())),
    ],
)
def test_the_outcome_of_a_command(command: Command, answer: Any, event: Event) -> None:
    assert outcome(lambda _: answer, [command])[0] == [event]


def test_a_cancel_that_is_accepted_ends_nothing_by_itself() -> None:
    assert outcome(lambda _: None, [CANCEL])[0] == []


def test_what_changes_an_order_keeps_its_order() -> None:
    _, log, _ = outcome(lambda _: 0.01, [SUBMIT, AMEND, CANCEL])
    assert log == ["submit", "submit done", "amend", "amend done", "cancel", "cancel done"]


def test_different_orders_do_not_wait_for_each_other() -> None:
    other = SubmitOrder("b", 0, "stop", -5, 7, "stop", 0.6, 5.0, 50.0)
    _, log, _ = outcome(lambda _: 0.01, [SUBMIT, other])
    assert log[:2] == ["submit", "submit"]


def test_look_ups_do_not_pile_up_and_do_not_hold_a_cancel_up() -> None:
    def act(name: str) -> Any:
        return 0.05 if name == "look_up" else None

    _, log, _ = outcome(act, [QUERY, QUERY, QUERY, CANCEL, QUERY, QUERY])
    assert log.count("look_up") == 2  # the second after the cancel: the first knows nothing of it
    assert log.index("cancel") < log.index("look_up done")


def test_a_fault_of_its_own_is_mentioned_and_ends_nothing() -> None:
    events, _, lines = outcome(lambda _: KeyError("x"), [AskAccount(1), QUERY])
    assert events == []
    assert sorted(lines) == ["AskAccount: KeyError: 'x'", "QueryOrder: KeyError: 'x'"]


def test_closing_leaves_without_a_word() -> None:
    events: list[Event] = []

    async def run() -> None:
        venue = CcxtVenue(FakeOrders(lambda _: 5.0), 1, events.append, lambda: NOW, lambda _: None)
        venue.send(SUBMIT)
        await asyncio.sleep(0)
        await venue.close()

    asyncio.run(asyncio.wait_for(run(), 20))
    assert events == []


def test_an_answer_may_be_followed_by_the_same_question_at_once() -> None:
    events: list[Event] = []
    wanted = 3

    async def run() -> None:
        def post(event: Event) -> None:
            events.append(event)
            if len(events) < wanted:
                venue.send(AskAccount(1))

        seen = AccountSeen(1, 1, True, (5,), ())
        venue = CcxtVenue(FakeOrders(lambda _: seen), 1, post, lambda: NOW, lambda _: None)
        venue.send(AskAccount(1))
        while venue._running:
            await asyncio.sleep(0.001)

    asyncio.run(asyncio.wait_for(run(), 20))
    assert len(events) == wanted
