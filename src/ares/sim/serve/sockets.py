"""One client's socket: messages leave in order through a queue, where the faults strike.

A client that reads too slowly is closed, as venues do: it never holds up the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from types import MappingProxyType

from aiohttp import WSCloseCode, WSMsgType, web

from ares.sim.serve.faults import ActiveFaults

QUEUE_MAX = 20_000
HTML = "<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>"
NOT_JSON = '{"channel": "ohlc", "data": ['


class Socket:
    """A WebSocket of a client.

    headers    : of the request that opened it.
    is_private : a token was shown on it.
    encode, decode : between a message as text and as it travels, where that is no text.
    """

    encode: Callable[[str], bytes] | None = None
    decode: Callable[[bytes], str] | None = None

    def __init__(
        self,
        ws: web.WebSocketResponse,
        faults: ActiveFaults,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.ws = ws
        self.headers = headers
        self._faults = faults
        self._queue: asyncio.Queue[tuple[float, str]] = asyncio.Queue(QUEUE_MAX)
        self._held: str | None = None
        self.is_private = False

    def send(self, message: str) -> None:
        """Put a message into the queue; never waits."""
        try:
            self._queue.put_nowait((asyncio.get_running_loop().time(), message))
        except asyncio.QueueFull:
            self.close(WSCloseCode.POLICY_VIOLATION, b"client reads too slowly")

    def close(self, code: int = WSCloseCode.GOING_AWAY, reason: bytes = b"") -> None:
        """Close the socket, without waiting for the client."""
        _background(self.ws.close(code=code, message=reason, drain=False))

    async def run(self, receive: Callable[[str], None]) -> None:
        """Hand each message of the client to ``receive``, until either side closes."""
        writer = asyncio.create_task(self._write())
        try:
            async for message in self.ws:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    receive(self._text(message.data))
        finally:
            writer.cancel()
            with suppress(asyncio.CancelledError):
                await writer

    def _text(self, received: str | bytes) -> str:
        if isinstance(received, str):
            return received
        if self.decode is not None:
            return self.decode(received)
        return received.decode(errors="replace")

    async def _write(self) -> None:
        with suppress(ConnectionError, RuntimeError):  # closed by the client meanwhile
            while True:
                queued_s, message = await self._queue.get()
                if fault := self._faults.struck("latency", "socket", message):
                    due_s = queued_s + fault.ms / 1000.0  # the messages after it wait no longer
                    await asyncio.sleep(due_s - asyncio.get_running_loop().time())
                for each in self._struck(message):
                    if self.encode is None:
                        await self.ws.send_str(each)
                    else:
                        await self.ws.send_bytes(self.encode(each))

    def _struck(self, message: str) -> list[str]:
        """Return what is sent for a message: itself, unless faults strike."""
        struck = self._faults.struck
        if struck("mute", "socket", message) or struck("drop", "socket", message):
            return []
        if self.is_private and struck("mute_private", "socket", message):
            return []
        if struck("html", "socket", message):
            return [HTML]
        if struck("not_json", "socket", message):
            return [NOT_JSON]
        messages = [message]
        if fault := struck("big", "socket", message):
            messages = ['{"padding":"' + "x" * fault.bytes + '"}', message]
        if struck("duplicate", "socket", message):
            messages.append(message)
        if self._held is not None:
            messages, self._held = [*messages, self._held], None
        elif struck("reorder", "socket", message):
            messages, self._held = [], message
        return messages


_tasks: set[asyncio.Task[object]] = set()


def _background(work: Awaitable[object]) -> None:
    """Let ``work`` end by itself; its errors are the closed connection's."""

    async def run() -> None:
        with suppress(ConnectionError, RuntimeError):
            await work

    task: asyncio.Task[object] = asyncio.create_task(run())
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
