"""Binance's protocol over loopback, judged by ccxt and by binance-sdk-spot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from binance_common.configuration import (
    ConfigurationRestAPI,
    ConfigurationWebSocketAPI,
    ConfigurationWebSocketStreams,
)
from binance_common.errors import BadRequestError, TooManyRequestsError
from binance_sdk_spot.spot import Spot
from tests.sim.serving import FROM_MS, START_MS, Served, made_market, serving, serving_in_thread

from ares.domain.timeframe import MINUTE_MS

WAIT_S = 20.0


async def until(ready: Callable[[], bool], what: str) -> None:
    for _ in range(int(WAIT_S / 0.05)):
        if ready():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"not within {WAIT_S} s: {what}")


def test_ccxt_reads_candles_trades_time_markets_and_streams() -> None:
    async def scene() -> None:
        async with serving("binance", speed=240.0) as served:
            exchange = served.exchange("binance")
            try:
                markets = await exchange.load_markets()
                assert set(markets) == {"BTC/USDT", "ADA/USDT"}
                assert markets["BTC/USDT"]["precision"] == {
                    "price": 0.01,
                    "amount": 1e-05,
                    "base": 1e-08,
                    "quote": 1e-08,
                }
                assert abs(await exchange.fetch_time() - served.venue.now_ms()) < 240 * 200
                bars = made_market()["BTC/USDT"]

                def wanted(open_ms: int) -> list[float]:
                    row = (open_ms - FROM_MS) // MINUTE_MS
                    return [float(column[row]) for column in bars.columns[1:6]]

                rows = await exchange.fetch_ohlcv("BTC/USDT", "1m", FROM_MS, 1000)
                assert [row[0] for row in rows] == [FROM_MS + k * MINUTE_MS for k in range(1000)]
                assert all(row[1:] == wanted(row[0]) for row in rows if row[5])
                closed: dict[int, list[float]] = {}
                while len([open_ms for open_ms in closed if open_ms > START_MS]) < 4:
                    watched = exchange.watch_ohlcv("BTC/USDT", "1m")
                    for row in await asyncio.wait_for(watched, WAIT_S):
                        closed[row[0]] = row
                ended = sorted(open_ms for open_ms in closed if open_ms > START_MS)[:-1]
                assert all(closed[o][1:] == wanted(o) for o in ended if closed[o][5])
                trades = await asyncio.wait_for(exchange.watch_trades("ADA/USDT"), WAIT_S)
                assert trades[-1]["price"] > 0
                for _ in range(5):
                    watched = exchange.watch_order_book("BTC/USDT")
                    book = await asyncio.wait_for(watched, WAIT_S)  # raises where an id is missed
                assert book["bids"][0][0] < book["asks"][0][0]
            finally:
                await exchange.close()

    asyncio.run(scene())


def test_the_venues_own_sdk_reads_rest() -> None:
    with serving_in_thread("binance") as served:
        settings = ConfigurationRestAPI(base_path=served.address, retries=0)
        rest: Any = Spot(settings).rest_api
        assert abs(rest.time().data().server_time - served.venue.now_ms()) < 60 * 1000
        assert rest.exchange_info(symbol="BTCUSDT").data().symbols[0].base_asset == "BTC"
        assert len(rest.klines("BTCUSDT", "1m", limit=1000).data()) == 1000
        assert len(rest.get_trades("ADAUSDT", limit=3).data()) == 3
        assert len(rest.agg_trades("ADAUSDT", limit=3).data()) == 3
        assert len(rest.depth("ADAUSDT", limit=5).data().bids) == 5
        day = rest.ticker24hr(symbol="ADAUSDT").data().actual_instance
        assert float(day.low_price) <= float(day.last_price) <= float(day.high_price)
        assert float(rest.avg_price("ADAUSDT").data().price) > 0
        with pytest.raises(BadRequestError, match="Invalid symbol"):
            rest.klines("FOOBAR", "1m")
        served.fault("http_429", count=1)
        with pytest.raises(TooManyRequestsError):
            rest.time()


def test_the_venues_own_sdk_reads_streams() -> None:
    async def scene(served: Served) -> None:
        settings = ConfigurationWebSocketStreams(stream_url=served.socket_address)
        spot: Any = Spot(config_ws_streams=settings)
        streams = await spot.websocket_streams.create_connection()
        messages: list[Any] = []
        for stream in (
            await streams.kline(symbol="btcusdt", interval="1m"),
            await streams.trade(symbol="adausdt"),
            await streams.agg_trade(symbol="adausdt"),
            await streams.book_ticker(symbol="btcusdt"),
            await streams.diff_book_depth(symbol="btcusdt"),
            await streams.partial_book_depth(symbol="btcusdt", levels="5"),
            await streams.ticker(symbol="btcusdt"),
        ):
            stream.on("message", messages.append)
        listed = await streams.list_subscribe()
        assert len(listed["result"]) == 7
        kinds = {
            *("KlineResponse", "TradeResponse", "AggTradeResponse", "BookTickerResponse"),
            *("DiffBookDepthResponse", "PartialBookDepthResponse", "TickerResponse"),
        }
        await until(lambda: kinds <= {type(m).__name__ for m in messages}, "all kinds")
        await until(
            lambda: any(type(m).__name__ == "KlineResponse" and m.k.x for m in messages),
            "a closed candle",
        )
        await streams.close_connection(close_session=True)

    with serving_in_thread("binance", speed=240.0) as served:
        asyncio.run(scene(served))


@pytest.mark.filterwarnings("ignore:parameter 'timeout' of type 'float':DeprecationWarning")
def test_the_venues_own_sdk_uses_the_websocket_api() -> None:
    async def scene(served: Served) -> None:
        settings = ConfigurationWebSocketAPI(stream_url=served.socket_address + "/ws-api/v3")
        spot: Any = Spot(config_ws_api=settings)
        api = await spot.websocket_api.create_connection()
        time = (await api.time()).data()
        assert time.status == 200
        assert abs(time.result.server_time - served.venue.now_ms()) < 60 * 1000
        klines = (await api.klines(symbol="BTCUSDT", interval="1m", limit=3)).data()
        assert len(klines.result) == 3
        depth = (await api.depth(symbol="BTCUSDT", limit=5)).data()
        assert len(depth.result.bids) == 5
        await api.close_connection(close_session=True)

    with serving_in_thread("binance") as served:
        asyncio.run(scene(served))
