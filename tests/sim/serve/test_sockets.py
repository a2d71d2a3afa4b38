"""A client's queue: it is bounded, in order, and where the faults strike."""

from __future__ import annotations

import asyncio
from typing import Any

from ares.sim.serve import sockets
from ares.sim.serve.faults import ActiveFaults, Fault
from ares.sim.serve.sockets import Socket


class Wire:
    """Takes the place of aiohttp's WebSocket: the client sends nothing, and reads or not."""

    def __init__(self, *, reads: bool = True) -> None:
        self.sent: list[str] = []
        self.closed: list[int] = []
        self._reads = reads
        self._left = asyncio.Event()

    async def send_str(self, text: str) -> None:
        if not self._reads:
            await self._left.wait()
        self.sent.append(text)

    async def close(self, *, code: int, **_more: Any) -> None:
        self.closed.append(code)
        self._left.set()

    def __aiter__(self) -> Wire:
        return self

    async def __anext__(self) -> Any:
        await self._left.wait()
        raise StopAsyncIteration


def sent(messages: list[str], *faults: Fault) -> list[str]:
    """Return what reaches the client of ``messages``."""

    async def scene() -> list[str]:
        active = ActiveFaults(lambda: 0.0)
        for fault in faults:
            active.add(fault)
        wire = Wire()
        socket = Socket(wire, active)  # type: ignore[arg-type]
        for message in messages:
            socket.send(message)
        running = asyncio.create_task(socket.run(lambda _: None))
        await asyncio.sleep(0.05)
        socket.close()
        await running
        return wire.sent

    return asyncio.run(scene())


def test_messages_leave_in_order() -> None:
    assert sent(["1", "2", "3"]) == ["1", "2", "3"]


def test_faults_strike_single_messages() -> None:
    assert sent(["1", "2", "3"], Fault("drop", only="2")) == ["1", "3"]
    assert sent(["1", "2", "3"], Fault("duplicate", only="2")) == ["1", "2", "2", "3"]
    assert sent(["1", "2", "3"], Fault("reorder", only="1")) == ["2", "1", "3"]
    assert sent(["1", "2"], Fault("html", only="1")) == [sockets.HTML, "2"]
    assert sent(["1", "2"], Fault("big", bytes=5, count=1)) == ['{"padding":"xxxxx"}', "1", "2"]
    assert sent(["1", "2"], Fault("mute")) == []


def test_a_client_that_does_not_read_is_closed() -> None:
    async def scene() -> None:
        wire = Wire(reads=False)
        socket = Socket(wire, ActiveFaults(lambda: 0.0))  # type: ignore[arg-type]
        running = asyncio.create_task(socket.run(lambda _: None))
        for _ in range(sockets.QUEUE_MAX + 1):
            socket.send("x")
        await asyncio.wait_for(running, 10.0)
        assert wire.closed == [1008]

    asyncio.run(scene())
