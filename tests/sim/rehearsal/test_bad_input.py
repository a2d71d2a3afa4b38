"""Whatever a venue, a key, a person or a proxy does: journaled, answered by policy, never a crash,
never a wrong order. The order machine trades over Kraken's protocol; what it is told is journaled.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.contracts.venue.kraken_scene import QUICK, KrakenScene, kraken_scene
from tests.contracts.venue.test_order_machine import FREE as RATES
from tests.contracts.venue.test_order_machine import Machine
from tests.sim.serving import serving

from ares.core.halts import BY_CLOCK, BY_DIFFERENCE, BY_VENUE
from ares.core.models import NO_MODELS
from ares.core.step import step
from ares.domain.api_key import ApiKey
from ares.domain.events import Command, Event
from ares.domain.order_events import (
    AccountSeen,
    ClockSkewMeasured,
    CommandDone,
    CommandGiven,
    OrderEnded,
    OrderFilled,
    SubmitOrder,
    VenueDown,
)
from ares.journal.run import RunJournal, entries
from ares.kernel.trade.decide import entry_refusal
from ares.kernel.trade.layout import REFUSED_HALTED
from ares.sim.serve.kraken_executions import trade_report
from ares.venues.kraken import KRAKEN
from ares.venues.kraken_venue import KrakenAccount

FREE = QUICK._replace(rates=RATES)
LOTS = KrakenScene.lots
ACCOUNT_MS = 1_000
"""Balances are compared so often here."""


class JournaledMachine(Machine):
    """An order machine that journals every event with its effects before anything is sent."""

    def __init__(self, scene: KrakenScene, folder: Path) -> None:
        self._folder, self._journal = folder, RunJournal(folder, 0)
        self.sent: list[SubmitOrder] = []
        self.first = len(scene.events)
        super().__init__(scene)

    def take(self, event: Event) -> None:
        at_ms = max(self.state.at_ms, self.scene.now_ms())
        effects = step(self.state, event, NO_MODELS, at_ms)
        self._journal.event(self.state.seq, event, at_ms)
        self._journal.effects(self.state.seq, effects)
        for effect in effects:
            if isinstance(effect, SubmitOrder):
                self.sent.append(effect)
            if isinstance(effect, Command):
                self.scene.send(effect)

    def halts(self) -> set[str]:
        return {halt.reason for halt in self.state.halts}

    def refuses_entries(self) -> bool:
        """Return whether the kernel would refuse an entry because of a halt."""
        state = self.state
        return entry_refusal(0, state.at_ms, state.trade, state.params) == REFUSED_HALTED

    def settle(self, how: str) -> None:
        args = {"how": how, "reason": "a test"}
        self.take(CommandGiven(f"s{self.state.seq}", self.state.at_ms, "ada", "settle", args))
        answer = next(reversed(self.state.answers.values()))
        assert isinstance(answer, CommandDone), answer

    def journaled(self) -> list[Event]:
        """Close the journal and return its events."""
        self._journal.close()
        return [entry.event for entry in entries(self._folder)]


@asynccontextmanager
async def trading(folder: Path) -> AsyncIterator[tuple[KrakenScene, JournaledMachine]]:
    """Trade on a server of its own; afterwards every order at the venue is one that was sent."""
    async with kraken_scene(deadline_ms=3_000, policy=FREE) as scene:
        scene.traits = msgspec.structs.replace(scene.traits, account_ms=ACCOUNT_MS)
        machine = JournaledMachine(scene, folder)
        await machine.until(lambda: not machine.state.reconciling and machine.state.venue_up)
        yield scene, machine
        taken = {type(event) for event in scene.events[machine.first : machine._taken]}
        assert taken <= {type(event) for event in machine.journaled()}
        ids = [o.requested.client_id for o in scene.served.account.orders.values()]
        local = [id_ for id_ in ids if id_ and id_.startswith(machine.state.setup.owner)]
        assert len(local) == len(set(local))
        known = {**machine.state.orders, **machine.state.ended}
        assert set(local) <= known.keys()


async def holding(machine: JournaledMachine) -> None:
    """Hold a position with a stop that rests."""
    machine.enter()
    await machine.until(lambda: machine.held == LOTS and machine.is_protected())
    stop = machine.state.lane_orders[0].stop
    await machine.until(lambda: machine.scene.at_venue(stop) == 1)


def run(test: Callable[[Any, Any], Any], folder: Path) -> None:
    async def main() -> None:
        async with trading(folder) as (scene, machine):
            await test(scene, machine)

    asyncio.run(main())


# --- keys --------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["wrong", "reader"])
def test_with_a_key_that_is_wrong_or_may_not_trade_nothing_is_held(
    tmp_path: Path, key: str
) -> None:
    """A wrong key never gets a session; one that only reads has its orders refused."""

    async def main() -> None:
        async with serving("kraken", speed=1.0) as served:
            traits = msgspec.structs.replace(KRAKEN.traits, deadline_ms=3_000, account_ms=1_000)
            scene = KrakenScene(served, traits)
            found = served.key("reader")
            secret = found.secret if key == "reader" else served.key("engine").secret
            account = KrakenAccount(
                ApiKey(found.key, secret), scene.now_ms, scene.lines.append, served.address,
                policy=FREE,
            )  # fmt: skip
            scene.connection = account
            scene.venue = await account.venue(["BTC/USDT", "ADA/USDT"], traits, scene.post)
            task = asyncio.create_task(scene.venue.run())
            machine = JournaledMachine(scene, tmp_path)
            try:
                if key == "wrong":
                    await machine.until(lambda: bool(scene.of(VenueDown)) and bool(scene.lines))
                    assert BY_VENUE in machine.halts()
                    assert machine.refuses_entries()
                    assert any("Invalid" in line for line in scene.lines)
                else:
                    await machine.until(lambda: not machine.state.reconciling)
                    machine.enter()
                    await machine.until(lambda: bool(scene.of(OrderEnded)))
                    assert scene.of(OrderEnded)[0].reason == "rejected"
                    assert "Permission denied" in scene.of(OrderEnded)[0].detail
                    assert int(machine.state.trade.account[0]["reserved"]) == 0
                assert machine.held == 0
                assert not served.account.orders
                assert machine.journaled()
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                await scene.venue.close()

    asyncio.run(main())


def test_while_a_key_is_revoked_nothing_is_invented_and_its_return_finds_everything(
    tmp_path: Path,
) -> None:
    async def test(scene: KrakenScene, machine: JournaledMachine) -> None:
        scene.served.fault("key_revoked", only="engine")
        machine.enter()
        await machine.until(lambda: not machine.state.orders)
        (ended,) = machine.state.ended.values()
        assert (ended.end_reason, machine.held) == ("rejected", 0)
        scene.served.venue.faults.clear()
        await machine.until(lambda: machine.state.venue_up)
        await holding(machine)
        scene.served.fault("key_revoked", only="engine")
        machine.leave()
        seen = len(scene.of(AccountSeen))
        await machine.until(lambda: len(scene.of(AccountSeen)) > seen + 2)
        assert not scene.of(AccountSeen)[-1].complete
        assert machine.held == LOTS
        scene.served.venue.faults.clear()
        await machine.until(machine.is_flat)
        assert not machine.state.differences

    run(test, tmp_path)


# --- clocks, instruments, sizes ----------------------------------------------------------------


@pytest.mark.parametrize("ahead_ms", [60_000, -60_000])
def test_a_clock_that_is_off_by_a_minute_halts_entries_and_no_exit(
    tmp_path: Path, ahead_ms: int
) -> None:
    async def test(scene: KrakenScene, machine: JournaledMachine) -> None:
        await holding(machine)
        scene.served.fault("wrong_clock", ms=ahead_ms)
        machine.take(ClockSkewMeasured(machine.state.at_ms, ahead_ms))  # the feed measures it
        assert machine.halts() == {BY_CLOCK}
        assert machine.refuses_entries()
        machine.leave()
        await machine.until(machine.is_flat)
        assert machine.held == 0
        machine.take(ClockSkewMeasured(machine.state.at_ms, 0))
        assert not machine.refuses_entries()

    run(test, tmp_path)


def test_an_instrument_in_maintenance_takes_no_order_and_its_stop_is_kept(tmp_path: Path) -> None:
    async def test(scene: KrakenScene, machine: JournaledMachine) -> None:
        scene.served.fault("maintenance", only="BTC/USDT")
        machine.enter()
        await machine.until(lambda: not machine.state.orders)
        assert machine.held == 0
        assert int(machine.state.trade.account[0]["reserved"]) == 0
        scene.served.venue.faults.clear()
        await holding(machine)
        scene.served.fault("maintenance", only="BTC/USDT")
        machine.leave()
        await machine.until(lambda: len(scene.of(OrderEnded)) > 0)
        assert machine.held == LOTS  # nothing was invented
        scene.served.venue.faults.clear()
        await machine.until(machine.is_flat)

    run(test, tmp_path)


def test_an_order_below_the_minimum_is_refused_and_gives_its_cash_back(tmp_path: Path) -> None:
    async def test(scene: KrakenScene, machine: JournaledMachine) -> None:
        machine.enter(10)
        await machine.until(lambda: not machine.state.orders)
        (ended,) = machine.state.ended.values()
        assert (ended.end_reason, machine.held) == ("rejected", 0)
        assert int(machine.state.trade.account[0]["reserved"]) == 0
        await holding(machine)  # it goes on
        assert not machine.state.differences

    run(test, tmp_path)


# --- balances, money and coins from outside ------------------------------------------------------


def test_a_negative_balance_is_a_difference(tmp_path: Path) -> None:
    async def test(scene: KrakenScene, machine: JournaledMachine) -> None:
        cash = machine.cash
        scene.served.account.account.add("BTC", -3 * 10**8)
        await machine.until(lambda: BY_DIFFERENCE in machine.halts())
        assert min(e.lots[0] for e in scene.of(AccountSeen) if e.complete) == -(10**8)
        (difference,) = machine.state.differences
        assert (difference.kind, difference.lots) == ("balance", -3 * 10**8)
        assert (machine.held, machine.cash) == (0, cash)
        machine.settle("correct")
        assert not machine.halts()
        assert machine.cash == cash

    run(test, tmp_path)


def test_deposits_and_withdrawals_are_no_profit_and_no_loss(tmp_path: Path) -> None:
    """Money is none of our business; coins are a difference, which a person leaves outside."""

    async def test(scene: KrakenScene, machine: JournaledMachine) -> None:
        await holding(machine)
        cash, account = machine.cash, scene.served.account
        equity = int(machine.state.trade.account[0]["equity"])
        account.transfer("USDT", 500 * 10**8)
        account.transfer("USDT", -900 * 10**8)
        seen = len(scene.of(AccountSeen))
        await machine.until(lambda: len(scene.of(AccountSeen)) > seen + 2)
        assert not machine.halts()
        account.transfer("ADA", 70 * 10**8)
        await machine.until(lambda: BY_DIFFERENCE in machine.halts())
        assert [h.instrument for h in machine.state.halts] == [1]  # BTC trades on
        assert not machine.refuses_entries()
        machine.settle("ignore")
        account.transfer("ADA", -70 * 10**8)
        await machine.until(lambda: BY_DIFFERENCE in machine.halts())
        machine.settle("ignore")
        assert machine.cash == cash
        assert int(machine.state.trade.account[0]["equity"]) == equity
        assert int(machine.state.trade.account[0]["realized"]) == 0
        machine.leave()
        await machine.until(machine.is_flat)

    run(test, tmp_path)


# --- fills that nobody asked for -----------------------------------------------------------------


def test_the_trade_of_a_person_is_one_difference_by_whichever_way_it_comes(tmp_path: Path) -> None:
    """By stream, twice by stream, and by every look-up; nothing of it is booked."""

    async def test(scene: KrakenScene, machine: JournaledMachine) -> None:
        await holding(machine)
        cash, sent = machine.cash, len(machine.sent)
        scene.served.fault("duplicate", on="socket", only="trade")
        exchange = scene.served.exchange("kraken", "engine")
        scene.share_nonces(exchange)
        try:
            await exchange.load_markets()
            await exchange.create_order("BTC/USDT", "market", "buy", 0.02)
        finally:
            await exchange.close()
        await machine.until(lambda: BY_DIFFERENCE in machine.halts())
        strange = [e for e in scene.of(OrderFilled) if e.lots == 2 * LOTS]
        for event in strange * 2:
            machine.take(event)
        assert sum(d.lots for d in machine.state.differences) == 2 * LOTS
        assert {d.kind for d in machine.state.differences} == {"unknown_order"}
        assert (machine.held, machine.cash, len(machine.sent)) == (LOTS, cash, sent)
        machine.settle("ignore")
        assert machine.cash == cash
        seen = len(scene.of(AccountSeen))
        await machine.until(lambda: len(scene.of(AccountSeen)) > seen + 2)
        assert not machine.state.differences  # the balance is explained by now
        machine.leave()
        await machine.until(machine.is_flat)

    run(test, tmp_path)


def test_an_execution_beyond_what_was_asked_is_one_difference(tmp_path: Path) -> None:
    """A report of the venue's own form, three times, of an order that is filled."""

    async def test(scene: KrakenScene, machine: JournaledMachine) -> None:
        await holding(machine)
        cash = machine.cash
        (entry,) = [o.client_id for o in machine.state.ended.values() if o.kind == "entry"]
        orders = scene.served.account.orders.values()
        (order,) = [o for o in orders if o.requested.client_id == entry]
        report = trade_report(order, order.executions[-1])
        report |= {"exec_id": "TBEYOND-AAAAA-BBBBBB"}
        message = {"channel": "executions", "type": "update", "data": [report]}
        text = msgspec.json.encode(message).decode()
        for _ in range(3):
            scene.connection._read(text)
        await machine.until(lambda: BY_DIFFERENCE in machine.halts())
        (difference,) = machine.state.differences
        assert difference.kind == "beyond_order"
        assert (machine.held, machine.cash) == (LOTS, cash)

    run(test, tmp_path)


# --- answers that are none -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["html", "not_json", "big"])
def test_answers_that_are_none_leave_the_outcome_open_and_lose_nothing(
    tmp_path: Path, kind: str
) -> None:
    async def test(scene: KrakenScene, machine: JournaledMachine) -> None:
        scene.served.fault(kind, probability=0.5, seconds=3.0)
        machine.enter()
        await machine.until(machine.is_protected)
        scene.served.venue.faults.clear()
        await machine.until(lambda: machine.state.venue_up and machine.is_protected())
        if machine.held:
            machine.leave()
        await machine.until(machine.is_flat)
        assert not machine.state.differences

    run(test, tmp_path)


@pytest.mark.parametrize("answer", [{"message": "blocked by policy"}, {}, {"error": []}, None, []])
def test_a_proxy_that_answers_for_the_venue_ends_no_order(tmp_path: Path, answer: object) -> None:
    """It never came to the venue, which a look-up proves; until then it is unknown."""

    async def test(scene: KrakenScene, machine: JournaledMachine) -> None:
        exchange = scene.venue._orders._requests._exchange  # type: ignore[attr-defined]
        fetch = exchange.fetch

        async def blocked(url: str, *rest: Any, **more: Any) -> Any:
            return answer if "AddOrder" in url else await fetch(url, *rest, **more)

        exchange.fetch = blocked
        machine.enter()
        await machine.until(lambda: bool(machine.state.orders) is False)
        exchange.fetch = fetch
        assert machine.held == 0
        (ended,) = machine.state.ended.values()
        assert ended.end_reason == "absent"
        assert not scene.served.account.orders
        await holding(machine)

    run(test, tmp_path)
