"""What a key signs goes to one host; all else goes nowhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from aiohttp import web

from ares.domain.api_key import ApiKey
from ares.domain.errors import ExternalError, UserError
from ares.security.sender import NotSendable, Sender, pinned_host
from ares.venues.alpaca_signing import ALPACA_SIGNING
from ares.venues.kraken_signing import KRAKEN_SIGNING
from ares.venues.signing import PrivateCall

KEY = ApiKey("key", "c2VjcmV0")
BALANCE = PrivateCall("POST", "/0/private/Balance")


class Server:
    """A server of this machine that records what reaches it."""

    def __init__(self) -> None:
        self.bodies: list[str] = []
        self.answer: Callable[[], web.StreamResponse] = lambda: web.Response(text="{}")

    async def start(self) -> str:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._take)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(f"{request.path} {(await request.read()).decode()}")
        return self.answer()


def run(test: Callable[[Server, Sender], object], now_ms: Callable[[], int] = lambda: 5) -> Server:
    async def main() -> Server:
        server = Server()
        sender = Sender(KRAKEN_SIGNING, lambda: KEY, now_ms, await server.start())
        try:
            await test(server, sender)  # type: ignore[misc]
        finally:
            await sender.close()
            await server.stop()
        return server

    return asyncio.run(main())


@pytest.mark.parametrize(
    "address",
    [
        *("https://api.kraken.com", "http://10.0.0.1:8600", "http://127.0.0.1.example.com"),
        *("ftp://127.0.0.1", "127.0.0.1:8600", "", "http://127.0.0.1@example.com/"),
        *("http://127.0.0.1:1/path", "http://0x7f.1.example"),
    ],
)
def test_a_rehearsal_is_on_this_machine(address: str) -> None:
    with pytest.raises(UserError, match="is not on this machine"):
        pinned_host(KRAKEN_SIGNING, address)


def test_the_host_is_the_venues_or_loopback() -> None:
    assert pinned_host(ALPACA_SIGNING, "sandbox") == "https://paper-api.alpaca.markets"
    with pytest.raises(UserError, match="kraken has no sandbox"):
        pinned_host(KRAKEN_SIGNING, "sandbox")
    assert pinned_host(KRAKEN_SIGNING, None) == "https://api.kraken.com"
    assert pinned_host(KRAKEN_SIGNING, "http://[::1]:8600") == "http://[::1]:8600"
    assert pinned_host(KRAKEN_SIGNING, "http://localhost:1/") == "http://localhost:1"


def test_nonces_increase_though_the_clock_is_set_back() -> None:
    clock = iter([1_000, 900, 5_000])

    async def test(server: Server, sender: Sender) -> None:
        for _ in range(3):
            await sender.send(BALANCE)

    server = run(test, lambda: next(clock))
    assert server.bodies == [f"/0/private/Balance nonce={n}" for n in (1_000, 1_001, 5_000)]


def test_what_is_no_trade_query_or_cancel_is_not_sent() -> None:
    async def test(server: Server, sender: Sender) -> None:
        for call in (
            PrivateCall("POST", "/0/private/Withdraw", body="asset=XBT&key=evil&amount=1"),
            PrivateCall("GET", "/0/private/Balance"),
            PrivateCall("POST", "/0/private/../public/Time"),
            PrivateCall("POST", "/0/private/Balance", body="a=1\r\nX: 2"),
            PrivateCall("POST", "@evil.example/0/private/Balance"),
        ):
            with pytest.raises(NotSendable):
                await sender.send(call)

    assert run(test).bodies == []


def test_a_reader_only_queries() -> None:
    sender = Sender(KRAKEN_SIGNING, lambda: KEY, lambda: 5, rights=("query",))
    sender.require(BALANCE)
    with pytest.raises(NotSendable, match="does not query"):
        sender.require(PrivateCall("POST", "/0/private/AddOrder"))


def test_no_redirect_is_followed() -> None:
    async def test(server: Server, sender: Sender) -> None:
        server.answer = lambda: web.Response(status=307, headers={"Location": "/elsewhere"})
        assert (await sender.send(BALANCE)).status == 307

    assert run(test).bodies == ["/0/private/Balance nonce=5"]


def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    async def test(server: Server, sender: Sender) -> None:
        assert (await sender.send(BALANCE)).status == 200

    run(test)


def test_no_answer_is_an_error_of_one_line() -> None:
    async def test(server: Server, sender: Sender) -> None:
        await server.stop()
        with pytest.raises(ConnectionError):
            await sender.send(BALANCE)
        with pytest.raises(ExternalError, match=r"kraken at http://127.0.0.1:\d+: "):
            await sender.ask(BALANCE)

    run(test)
