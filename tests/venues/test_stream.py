"""Sessions of the private stream: begun by the venue's word, ended by silence and by nonsense."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from ares.venues.stream import PrivateStream, PrivateStreamPolicy, SessionBroken

QUICK = PrivateStreamPolicy(
    connect_s=0.3, mute_s=0.4, ping_s=0.02, wait_first_s=0.01, wait_max_s=0.02
)


class FakeClient:
    """A socket of ccxt's."""

    isConnected = True

    def __init__(self) -> None:
        self.parsed: list[str] = []
        self.pings = 0

    def handle_text_or_binary_message(self, data: Any) -> None:
        self.parsed.append(data)

    def closed(self) -> bool:
        return False

    async def send(self, _message: Any) -> None:
        self.pings += 1


class FakeExchange:
    """ccxt's side: plays a script of texts, waits (seconds) and errors; then it is silent."""

    def __init__(self, script: Sequence[Any]) -> None:
        self.script, self.is_closed = list(script), False
        self.clients: dict[str, FakeClient] = {}

    def client(self, url: str) -> FakeClient:
        return self.clients.setdefault(url, FakeClient())

    async def watch(self) -> None:
        client = self.client("ws://x")
        if not self.script:
            await asyncio.sleep(60)
        step = self.script.pop(0)
        if isinstance(step, float):
            await asyncio.sleep(step)
        elif isinstance(step, Exception):
            raise step
        else:
            client.handle_text_or_binary_message(step)
        await asyncio.sleep(0)

    async def close(self) -> None:
        self.is_closed = True


def played(
    *scripts: Sequence[Any], until: int, read: Callable[[str], bool] | None = None
) -> tuple[list[str], list[FakeExchange]]:
    """Return what happened until so many sessions have ended."""
    log: list[str] = []
    opened: list[FakeExchange] = []

    def connect() -> FakeExchange:
        index = len(opened)
        opened.append(FakeExchange(scripts[min(index, len(scripts) - 1)]))
        return opened[-1]

    async def run() -> None:
        done = asyncio.Event()

        def ended(reason: str) -> None:
            log.append(f"down: {reason}")
            if sum(line.startswith("down") for line in log) >= until:
                done.set()

        stream = PrivateStream(
            connect, lambda exchange: exchange.watch(), read or (lambda text: text == "ok"),
            lambda: log.append("up"), ended, {"method": "ping"}, QUICK,
        )  # fmt: skip
        task = asyncio.create_task(stream.run())
        await asyncio.wait_for(done.wait(), 20)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    return log, opened


def test_a_session_begins_with_the_venues_word_and_another_follows() -> None:
    log, opened = played(["{}", "ok", "{}", ConnectionError("gone")], until=2)
    assert log == ["up", "down: ConnectionError: gone"] * 2
    assert opened[0].clients["ws://x"].parsed == ["{}", "ok", "{}"]
    assert all(exchange.is_closed for exchange in opened[:2])


def test_a_session_that_is_never_confirmed_ends() -> None:
    log, _ = played(["{}", 0.1, "{}", 0.1, "{}", 0.1, "{}", 0.1, "{}"], until=1)
    assert log == ["down: the subscription was not confirmed"]


def test_a_session_that_falls_silent_ends() -> None:
    log, opened = played(["ok"], until=1)
    assert log[0] == "up"
    assert log[1].startswith("down: connected, but no message for")
    assert opened[0].clients["ws://x"].pings > 0


def test_a_message_that_cannot_be_read_ends_the_session() -> None:
    def read(text: str) -> bool:
        if text == "gap":
            raise SessionBroken("message 4 came after 2")
        if text == "odd":
            raise ValueError("odd")
        return text == "ok"

    scripts = (["ok", "gap"], ["odd"], ["<html>" + "x" * 100])
    log, _ = played(*scripts, until=3, read=read)
    assert log[1] == "down: a message cannot be read (message 4 came after 2)"
    assert log[2] == "down: a message cannot be read (ValueError: odd)"
    assert "a message is not JSON: '<html>" in log[3]
