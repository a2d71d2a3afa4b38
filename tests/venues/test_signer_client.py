"""The way to the signer, where it is away or dies; and ccxt sent through it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.sim.serving import serving

from ares.domain.api_key import ApiKey
from ares.security.process_memory import LockedKey
from ares.security.signer import Signer, SignerKey
from ares.venues.answers import NoAnswer, NotSent
from ares.venues.ccxt_setup import prepare
from ares.venues.kraken_signing import KRAKEN_SIGNING
from ares.venues.kraken_venue import KrakenAccount
from ares.venues.signer_client import PLACEHOLDER, HeldKey, SignerClient, send_through
from ares.venues.signing import PrivateCall

BALANCE = PrivateCall("POST", "/0/private/Balance")


def test_a_signer_that_is_away_is_waited_for_a_moment(tmp_path: Path) -> None:
    async def run() -> None:
        client = SignerClient(tmp_path / "socket", back_s=0.1)
        with pytest.raises(NotSent, match="no signer at"):
            await client.send("engine", BALANCE, 1.0)
        await client.close()

    asyncio.run(run())


def test_a_signer_that_dies_in_the_middle_leaves_the_outcome_open(tmp_path: Path) -> None:
    """What was handed over may have been sent; the next request finds the signer that came back."""

    async def run() -> None:
        path, kept = tmp_path / "socket", list[asyncio.StreamWriter]()

        async def dies(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readexactly(4)
            kept.append(writer)
            writer.transport.abort()

        server = await asyncio.start_unix_server(dies, str(path))
        client = SignerClient(path, back_s=0.5)
        for _ in range(2):
            with pytest.raises(NoAnswer, match="the signer"):
                await client.send("engine", BALANCE, 5.0)
        assert len(kept) == 2
        server.close()
        await client.close()

    asyncio.run(run())


def test_the_placeholder_is_no_key() -> None:
    held = HeldKey("rehearsal/kraken", Path("socket"), "f" * 32)
    assert tuple(held) == tuple(PLACEHOLDER)
    assert held.name == "rehearsal/kraken"
    assert held.fingerprint == "f" * 32
    assert ApiKey("a", "b").fingerprint == ApiKey("a", "c").fingerprint != PLACEHOLDER.fingerprint
    KrakenAccount(ApiKey(*held), lambda: 0)


def test_ccxt_trades_through_the_signer_and_reaches_no_other_host(tmp_path: Path) -> None:
    """A patched ccxt that names other hosts and endpoints has no effect: the signer pins both."""

    async def run() -> None:
        import ccxt.pro

        elsewhere: list[bytes] = []

        async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            elsewhere.append(await reader.read(100))
            writer.close()

        evil = await asyncio.start_server(listen, "127.0.0.1", 0)
        port = evil.sockets[0].getsockname()[1]
        path = tmp_path / "socket"
        async with serving("kraken", speed=1.0) as served:
            owner = served.key("owner")  # it can withdraw, so that only the signer refuses
            held = SignerKey(
                "engine", KRAKEN_SIGNING, LockedKey(ApiKey(owner.key, owner.secret)),
                served.address, ("query", "trade", "cancel"),
            )  # fmt: skip
            signer = Signer("rehearsal/x", path, [held], lambda: 1_000, lambda _: None)
            await signer.start()
            client = SignerClient(path)
            exchange = ccxt.pro.kraken({"apiKey": PLACEHOLDER.key, "secret": PLACEHOLDER.secret})
            prepare(exchange, served.address)
            send_through(exchange, "engine", client)
            await exchange.load_markets()
            exchange.urls["api"]["private"] = f"http://127.0.0.1:{port}"
            before = dict(served.account.account.balances)
            parameters = {"clientOrderId": "a" * 32, "oflags": "fciq"}
            made = await exchange.create_order("BTC/USDT", "market", "buy", 0.01, None, parameters)
            assert made["id"] in served.account.orders
            assert served.account.account.balances != before
            after = dict(served.account.account.balances)
            asks = {"asset": "XBT", "key": "k", "amount": "1"}
            with pytest.raises(NotSent, match="is not sent with this key"):
                await exchange.privatePostWithdraw(asks)
            with pytest.raises(NotSent, match="is not sent with this key"):
                await exchange.withdraw("BTC", 1.0, "address", {"key": "k"})
            assert served.account.account.balances == after
            assert elsewhere == []
            await exchange.close()
            await client.close()
            await signer.stop()
        evil.close()

    asyncio.run(run())


def test_what_ccxt_reads_of_an_answer_is_as_without_the_signer(tmp_path: Path) -> None:
    """Errors of the venue are errors, an answer that is not JSON is none, public requests go on."""

    class Client:
        answer: Any

        async def send(self, *_: Any) -> Any:
            return self.answer

    async def run() -> None:
        import ccxt.pro

        from ares.venues.signer_messages import SignedAnswer

        exchange = ccxt.pro.kraken({"apiKey": PLACEHOLDER.key, "secret": PLACEHOLDER.secret})
        prepare(exchange, "http://127.0.0.1:9")
        client = Client()
        send_through(exchange, "engine", client)  # type: ignore[arg-type]
        client.answer = SignedAnswer(1, "", "", 200, "OK", {}, b'{"error": [], "result": {"a": 1}}')
        assert (await exchange.privatePostBalance())["result"] == {"a": 1}
        client.answer = SignedAnswer(1, "", "", 200, "OK", {}, b'{"error": ["EAPI:Invalid key"]}')
        with pytest.raises(ccxt.AuthenticationError):
            await exchange.privatePostBalance()
        client.answer = SignedAnswer(1, "", "", 200, "OK", {}, b"<html>")
        with pytest.raises(ccxt.ExchangeNotAvailable, match="is not JSON"):
            await exchange.privatePostBalance()
        client.answer = SignedAnswer(1, "", "", 503, "busy", {}, b"")
        with pytest.raises(ccxt.ExchangeNotAvailable):
            await exchange.privatePostBalance()
        with pytest.raises(ccxt.NetworkError):
            await exchange.publicGetTime()
        await exchange.close()

    asyncio.run(run())
