"""Alpaca's market data over loopback: ccxt, ccxt.pro and the venue's own SDK, against the file."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from alpaca.data.historical.crypto import CryptoHistoricalDataClient
from alpaca.data.live.crypto import CryptoDataStream
from alpaca.data.requests import (
    CryptoBarsRequest,
    CryptoLatestOrderbookRequest,
    CryptoLatestQuoteRequest,
    CryptoSnapshotRequest,
    CryptoTradesRequest,
)
from alpaca.data.timeframe import TimeFrame
from tests.sim.serve.test_kraken_account import until
from tests.sim.serving import START_MS, made_market, serving, serving_in_thread

from ares.domain.timeframe import MINUTE_MS

BTC = "BTC/USDT"


def row_of(at_ms: int) -> list[float]:
    """Return open, high, low, close and volume of the file's bar that opens then."""
    bars = made_market()[BTC]
    row = int((at_ms - int(bars.ts_ms[0])) // MINUTE_MS)
    return [float(column[row]) for column in bars.columns[1:6]]


def agrees(at_ms: int, found: list[float]) -> bool:
    """Return whether a candle is the file's; a minute without volume is flat here."""
    wanted = row_of(at_ms)
    return found[4] == wanted[4] == 0.0 or found == pytest.approx(wanted)


def test_ccxt_reads_closed_candles_as_the_file_has_them() -> None:
    async def run() -> None:
        async with serving("alpaca") as served:
            exchange = served.exchange("alpaca")
            try:
                await exchange.load_markets()
                from_ms = START_MS - 1_500 * MINUTE_MS
                rows = await exchange.fetch_ohlcv(BTC, "1m", from_ms, 1_000)
                assert len(rows) == 1_000
                for row in rows:
                    assert agrees(row[0], row[1:])
                more = await exchange.fetch_ohlcv(BTC, "1m", rows[-1][0] + MINUTE_MS, 1_000)
                assert more[0][0] == rows[-1][0] + MINUTE_MS
                assert more[-1][0] + MINUTE_MS <= served.venue.now_ms()  # the running one is not
                ticker = await exchange.fetch_ticker(BTC)
                assert ticker["bid"] < ticker["last"] + 10 < ticker["ask"] + 20
                ahead_ms = await exchange.fetch_time() - served.venue.now_ms()
                assert abs(ahead_ms) < 60_000
            finally:
                await exchange.close()

    asyncio.run(run())


def test_ccxt_streams_candles_trades_and_a_book_that_stays_true() -> None:
    async def run() -> None:
        async with serving("alpaca") as served:
            exchange = served.exchange("alpaca")
            closed: dict[int, list[float]] = {}
            trades: dict[str, Any] = {}
            books: list[Any] = []

            async def candles() -> None:
                while True:
                    for row in await exchange.watch_ohlcv(BTC, "1m"):
                        closed[row[0]] = row[1:]

            async def prints() -> None:
                while True:
                    trades.update({t["id"]: t for t in await exchange.watch_trades(BTC)})

            async def book() -> None:
                while True:
                    books.append(await exchange.watch_order_book(BTC))

            await exchange.load_markets()
            tasks = [asyncio.create_task(work()) for work in (candles, prints, book)]
            try:
                await until(lambda: len(closed) >= 4 and len(books) > 20, "candles and books")
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await exchange.close()
            for at_ms, row in closed.items():
                assert agrees(at_ms, row)
            assert len(books[-1]["bids"]) == len(books[-1]["asks"]) == 20
            assert books[-1]["bids"][0][0] < books[-1]["asks"][0][0]
            ids = sorted(int(each) for each in trades)
            assert ids == list(range(ids[0], ids[0] + len(ids)))

    asyncio.run(run())


def test_the_venues_sdk_reads_history_page_by_page() -> None:
    with serving_in_thread("alpaca", 1.0) as served:
        client: Any = CryptoHistoricalDataClient(url_override=served.address)
        start = datetime.fromtimestamp((START_MS - 60 * MINUTE_MS) / 1000, UTC)
        bars = client.get_crypto_bars(
            CryptoBarsRequest(symbol_or_symbols=[BTC, "ADA/USDT"], timeframe=TimeFrame.Minute,
                              start=start, limit=100)
        ).data  # fmt: skip
        assert [len(bars[name]) for name in (BTC, "ADA/USDT")] == [50, 50]
        for bar in bars[BTC]:
            found = [bar.open, bar.high, bar.low, bar.close, bar.volume]
            assert agrees(int(bar.timestamp.timestamp() * 1000), found)
        trades = client.get_crypto_trades(
            CryptoTradesRequest(symbol_or_symbols=BTC, start=start, limit=40)
        ).data[BTC]
        assert [t.id for t in trades] == list(range(trades[0].id, trades[0].id + 40))
        quote = client.get_crypto_latest_quote(CryptoLatestQuoteRequest(symbol_or_symbols=BTC))
        assert quote[BTC].bid_price < quote[BTC].ask_price
        book = client.get_crypto_latest_orderbook(
            CryptoLatestOrderbookRequest(symbol_or_symbols=BTC)
        )
        assert len(book[BTC].bids) == 20
        shown = client.get_crypto_snapshot(CryptoSnapshotRequest(symbol_or_symbols=BTC))
        assert shown[BTC].latest_trade.price > 0


def test_the_venues_sdk_streams_in_message_pack() -> None:
    async def run() -> None:
        async with serving("alpaca") as served:
            own = served.key("reader")
            stream: Any = CryptoDataStream(
                own.key, own.secret, url_override=f"{served.socket_address}/v1beta3/crypto/us"
            )
            bars: list[Any] = []
            trades: list[Any] = []

            async def take_bar(bar: Any) -> None:
                bars.append(bar)

            async def take_trade(trade: Any) -> None:
                trades.append(trade)

            stream.subscribe_bars(take_bar, BTC)
            stream.subscribe_trades(take_trade, "*")
            task = asyncio.create_task(stream._run_forever())
            try:
                await until(lambda: len(bars) >= 2 and len(trades) > 10, "bars and trades")
            finally:
                await stream.stop_ws()
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            for bar in bars:
                found = [bar.open, bar.high, bar.low, bar.close, bar.volume]
                assert agrees(int(bar.timestamp.timestamp() * 1000), found)
            assert {trade.symbol for trade in trades} <= {BTC, "ADA/USDT"}

    asyncio.run(run())
