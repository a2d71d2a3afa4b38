"""One turn at a time, the urgent first."""

from __future__ import annotations

import asyncio

from ares.venues.priority import Turns


def test_the_urgent_one_goes_first_and_equals_in_order() -> None:
    async def run() -> list[str]:
        turns, order = Turns(), []

        async def work(name: str, rank: int) -> None:
            await turns.take(rank)
            order.append(name)
            await asyncio.sleep(0)
            turns.give_back()

        await turns.take(0)
        tasks = [
            asyncio.create_task(work(name, rank))
            for name, rank in (("balances", 3), ("entry", 1), ("stop", 0), ("exit", 0))
        ]
        await asyncio.sleep(0)
        turns.give_back()
        await asyncio.gather(*tasks)
        return order

    assert asyncio.run(run()) == ["stop", "exit", "entry", "balances"]


def test_one_that_was_cancelled_keeps_no_turn() -> None:
    async def run() -> None:
        turns = Turns()
        await turns.take(0)
        waiting = asyncio.create_task(turns.take(0))
        await asyncio.sleep(0)
        turns.give_back()  # it has the turn now, and is cancelled before it runs
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        gone = asyncio.create_task(turns.take(0))
        await asyncio.wait_for(gone, 5)
        later = asyncio.create_task(turns.take(0))
        await asyncio.sleep(0)
        later.cancel()
        await asyncio.gather(later, return_exceptions=True)
        turns.give_back()
        await asyncio.wait_for(turns.take(0), 5)

    asyncio.run(run())
