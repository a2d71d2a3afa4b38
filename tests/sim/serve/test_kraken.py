"""Kraken's protocol over loopback, judged by ccxt."""

from __future__ import annotations

import asyncio

from tests.sim.serving import FROM_MS, START_MS, made_market, serving

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
