"""Kraken's protocol over loopback, judged by ccxt and by python-kraken-sdk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from kraken.exceptions import KrakenUnknownAssetError
from kraken.spot import Market, SpotOrderBookClient, SpotWSClient
from tests.sim.serving import FROM_MS, START_MS, Served, made_market, serving, serving_in_thread

from ares.domain.timeframe import MINUTE_MS

WAIT_S = 20.0


def test_ccxt_reads_candles_trades_time_markets_and_streams() -> None:
    async def scene() -> None:
        async with serving("kraken", speed=240.0) as served:
            exchange = served.exchange("kraken")
            try:
                markets = await exchange.load_markets()
                assert set(markets) == {"BTC/USDT", "ADA/USDT"}
                assert markets["BTC/USDT"]["precision"]["price"] == 0.01
                assert abs(await exchange.fetch_time() - served.venue.now_ms()) < 5_000
                rows = await exchange.fetch_ohlcv("BTC/USDT", "1m")
                assert len(rows) == 720
                bars = made_market()["BTC/USDT"]
                for row in rows[:-1]:
                    if row[5]:
                        k = (row[0] - FROM_MS) // MINUTE_MS
                        assert row[1:] == [column[k] for column in bars.columns[1:6]]
                closed: dict[int, list[float]] = {}
                while len([open_ms for open_ms in closed if open_ms > START_MS]) < 4:
                    watched = exchange.watch_ohlcv("BTC/USDT", "1m")
                    for row in await asyncio.wait_for(watched, WAIT_S):
                        closed[row[0]] = row
                ended = sorted(open_ms for open_ms in closed if open_ms > START_MS)[:-1]
                for open_ms in ended:
                    k = (open_ms - FROM_MS) // MINUTE_MS
                    wanted = [column[k] for column in bars.columns[1:6]]
                    assert closed[open_ms][1:] == wanted
                trades = await asyncio.wait_for(exchange.watch_trades("ADA/USDT"), WAIT_S)
                assert trades[-1]["price"] > 0
                ticker = await asyncio.wait_for(exchange.watch_ticker("ADA/USDT"), WAIT_S)
                assert ticker["bid"] < ticker["ask"]
                for _ in range(3):
                    watched = exchange.watch_order_book("BTC/USDT", 25)
                    book = await asyncio.wait_for(watched, WAIT_S)
                assert len(book["bids"]) == len(book["asks"]) == 25
                assert book["bids"][0][0] < book["asks"][0][0]
            finally:
                await exchange.close()

    asyncio.run(scene())


def test_the_venues_own_sdk_reads_rest() -> None:
    with serving_in_thread("kraken", speed=60.0) as served:
        market = Market(url=served.address)
        assert market.get_system_status()["status"] == "online"
        assert set(market.get_assets()) == {"ADA", "USDT", "XXBT"}
        assert set(market.get_asset_pairs()) == {"XBTUSDT", "ADAUSDT"}
        assert len(market.get_ohlc(pair="XBTUSDT", interval=1)["XBTUSDT"]) == 720
        assert len(market.get_recent_trades(pair="ADAUSDT", count=7)["ADAUSDT"]) == 7
        book = market.get_order_book(pair="ADAUSDT", count=3)["ADAUSDT"]
        ticker = market.get_ticker(pair="ADAUSDT")["ADAUSDT"]
        assert len(book["bids"]) == 3
        assert float(ticker["b"][0]) < float(ticker["a"][0])
        with pytest.raises(KrakenUnknownAssetError):
            market.get_ohlc(pair="FOOBAR")


def test_the_venues_own_sdk_subscribes_and_unsubscribes() -> None:
    async def scene(served: Served) -> None:
        messages: list[Any] = []

        async def taken(message: Any) -> None:
            messages.append(message)

        address = served.socket_address
        client = SpotWSClient(
            callback=taken, rest_url=served.address, ws_url=address, auth_ws_url=address
        )
        await client.start()
        channels = ("ohlc", "trade", "ticker", "book")
        for channel in channels:
            await client.subscribe(params={"channel": channel, "symbol": ["BTC/USDT"]})
        await client.subscribe(params={"channel": "instrument"})

        def updated() -> set[Any]:
            return {m.get("channel") for m in messages if m.get("type") == "update"}

        await until(lambda: {*channels, "status"} <= updated(), "an update of each channel")
        assert any(m.get("method") == "pong" for m in messages)
        assert any(m.get("channel") == "instrument" for m in messages)
        assert len(client.active_public_subscriptions) == 5
        await client.unsubscribe(params={"channel": "trade", "symbol": ["BTC/USDT"]})
        await until(lambda: len(client.active_public_subscriptions) == 4, "unsubscribed")
        await client.close()

    with serving_in_thread("kraken", speed=240.0) as served:
        asyncio.run(scene(served))


@pytest.mark.parametrize("depth", [10, 100])
def test_the_venues_own_sdk_finds_every_checksum_of_the_book_right(depth: int) -> None:
    async def scene(served: Served) -> None:
        class Books(SpotOrderBookClient):
            WS_URL = served.socket_address

        valid: dict[str, list[bool]] = {"BTC/USDT": [], "ADA/USDT": []}

        async def updated(pair: str, message: dict[str, Any]) -> None:
            if message.get("type") == "update":
                valid[pair].append(books.get(pair)["valid"])

        books: Any = Books(depth=depth, callback=updated)
        books._SpotOrderBookClient__market = Market(url=served.address)
        await books.start()
        await books.add_book(pairs=list(valid))
        await until(lambda: min(len(each) for each in valid.values()) >= 20, "20 updates each")
        await books.close()
        assert all(all(each) for each in valid.values())

    with serving_in_thread("kraken", speed=240.0) as served:
        asyncio.run(scene(served))


async def until(ready: Callable[[], bool], what: str) -> None:
    for _ in range(int(WAIT_S / 0.05)):
        if ready():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"not within {WAIT_S} s: {what}")
