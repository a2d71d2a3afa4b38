"""The private stream of an account over ccxt's WebSocket: made anew whenever it ends or is mute."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from ares.venues.ccxt_setup import line_of
from ares.venues.ending import cancelled, closed

WORD_MAX = 32
"""Some venues send single words ("pong"); longer text that is not JSON is a fault."""


class PrivateStreamPolicy(NamedTuple):
    """Waits in seconds of wall time; a session without a message for ``mute_s`` is made anew."""

    connect_s: float = 15.0
    mute_s: float = 15.0
    ping_s: float = 3.0
    wait_first_s: float = 0.2
    wait_max_s: float = 15.0


class SessionBroken(Exception):
    """The session is to be made anew; its text says why."""


class PrivateStream:
    """Sessions with a venue, one after the other.

    connect   : returns a new exchange object of ccxt's WebSocket side, with markets and keys.
    subscribe : waits for the next message of the private channels, and subscribes the first time.
    read      : takes each message as it came; returns whether the subscription is confirmed by
                now. Raises SessionBroken, or ValueError for what cannot be read.
    began, ended : called when the subscription is confirmed, and when the session has ended.
    """

    def __init__(
        self,
        connect: Callable[[], Any],
        subscribe: Callable[[Any], Awaitable[Any]],
        read: Callable[[str], bool],
        began: Callable[[], None],
        ended: Callable[[str], None],
        ping: Mapping[str, Any] | None = None,
        policy: PrivateStreamPolicy = PrivateStreamPolicy(),
    ) -> None:
        self._connect, self._subscribe, self._read = connect, subscribe, read
        self._began, self._ended = began, ended
        self._ping, self._policy = ping, policy
        self._message_s = 0.0
        self._is_confirmed = False
        self._broken: asyncio.Future[str] | None = None

    async def run(self) -> None:
        """Keep a session until cancelled; raises nothing else."""
        wait_s = self._policy.wait_first_s
        while True:
            reason = await self._session()
            if self._is_confirmed:
                wait_s = self._policy.wait_first_s
            self._is_confirmed = False
            self._ended(reason)
            await asyncio.sleep(wait_s)
            wait_s = min(2.0 * wait_s, self._policy.wait_max_s)

    async def _session(self) -> str:
        """Connect and read until something fails; return why."""
        loop = asyncio.get_running_loop()
        self._broken, self._message_s = loop.create_future(), loop.time()
        exchange = None
        tasks: list[asyncio.Task[Any]] = []
        try:
            exchange = self._connect()
            self._watch_messages(exchange)
            tasks = [
                asyncio.create_task(self._subscribed(exchange)),
                asyncio.create_task(self._watch_health(exchange)),
            ]
            done, _ = await asyncio.wait(
                [*tasks, self._broken], return_when=asyncio.FIRST_COMPLETED
            )
            if self._broken in done:
                return self._broken.result()
            errors = [task.exception() for task in done]
            error = next((error for error in errors if error is not None), None)
            if isinstance(error, SessionBroken):
                return str(error)
            return "the stream ended" if error is None else line_of(error)
        except Exception as error:  # whatever ccxt raises
            return line_of(error)
        finally:
            await cancelled(tasks)
            if exchange is not None:
                await closed(exchange)

    async def _subscribed(self, exchange: Any) -> None:
        while True:
            await self._subscribe(exchange)

    async def _watch_health(self, exchange: Any) -> None:
        """Raise for a session that says nothing, or that never confirms; send pings."""
        loop, policy = asyncio.get_running_loop(), self._policy
        started_s = loop.time()
        while True:
            await asyncio.sleep(policy.ping_s)
            if not self._is_confirmed and loop.time() - started_s > policy.connect_s:
                raise SessionBroken("the subscription was not confirmed")
            silent_s = loop.time() - self._message_s
            if silent_s > policy.mute_s:
                raise SessionBroken(f"connected, but no message for {silent_s:.0f} s")
            for client in list((exchange.clients or {}).values()):
                if self._ping and client.isConnected and not client.closed():
                    with suppress(ConnectionError):
                        await client.send(self._ping)

    def _watch_messages(self, exchange: Any) -> None:
        """Read each message before ccxt does: what ccxt cannot read ends its loop in silence, and
        what it parses has lost digits and entries.
        """
        make = exchange.client

        def client_of(url: str) -> Any:
            client = make(url)
            if not hasattr(client, "ares_read"):
                client.ares_read = client.handle_text_or_binary_message
                client.handle_text_or_binary_message = lambda data: self._take(client, data)
            return client

        exchange.client = client_of

    def _take(self, client: Any, data: Any) -> None:
        broken = self._broken
        if broken is None or broken.done():  # what a session still sends once it was given up
            return
        self._message_s = asyncio.get_running_loop().time()
        try:
            text = data.decode() if isinstance(data, bytes) else str(data)
            if not text.startswith(("{", "[")) and len(text) > WORD_MAX:
                raise SessionBroken(f"a message is not JSON: {text[:60]!r}")  # noqa: TRY301
            is_confirmed = self._read(text)
            client.ares_read(data)
        except Exception as error:  # ours, ccxt's or the sender's: the session is not to be trusted
            reason = str(error) if isinstance(error, SessionBroken) else line_of(error)
            broken.set_result(f"a message cannot be read ({reason})")
            return
        if is_confirmed and not self._is_confirmed:
            self._is_confirmed = True
            self._began()
