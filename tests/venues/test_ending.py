"""Tasks and connections end, whatever they do on the way."""

from __future__ import annotations

import asyncio

from ares.venues.ending import cancelled, closed


def test_tasks_have_ended_even_where_they_raise() -> None:
    ended: list[str] = []

    async def waits(name: str) -> None:
        try:
            await asyncio.sleep(60.0)
        finally:
            ended.append(name)
            raise RuntimeError(name)

    async def run() -> None:
        tasks = [asyncio.create_task(waits(name)) for name in ("one", "two")]
        await asyncio.sleep(0)
        await cancelled(tasks)
        assert all(task.done() for task in tasks)

    asyncio.run(run())
    assert ended == ["one", "two"]


def test_a_connection_that_fails_to_close_is_left() -> None:
    class Broken:
        async def close(self) -> None:
            raise OSError("gone")

    asyncio.run(closed(Broken()))
