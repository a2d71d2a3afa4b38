"""Every fault on command, as the venues' own SDKs see it over loopback."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import datetime
from typing import Any

import pytest
from binance_common.configuration import ConfigurationRestAPI, ConfigurationWebSocketStreams
from binance_sdk_spot.spot import Spot
from kraken.spot import Market, SpotWSClient
from tests.sim.serving import Served, serving_in_thread

WAIT_S = 30.0
Call = Callable[[], Any]


async def until(ready: Callable[[], bool], what: str) -> None:
    for _ in range(int(WAIT_S / 0.02)):
        if ready():
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"not within {WAIT_S} s: {what}")


# --- requests ----------------------------------------------------------------------------------


def of_kraken(served: Served) -> tuple[Call, Call]:
    """Return what asks for candles, and for the time in ms."""
    market = Market(url=served.address)

    def now_ms() -> int:
        return iso_ms(str(market.get_system_status()["timestamp"]))

    return lambda: market.get_ohlc(pair="XBTUSDT", interval=1)["XBTUSDT"], now_ms


def iso_ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1_000)


def of_binance(served: Served) -> tuple[Call, Call]:
    settings = ConfigurationRestAPI(base_path=served.address, retries=0, timeout=10_000)
    rest: Any = Spot(settings).rest_api
    return (
        lambda: rest.klines("BTCUSDT", "1m", limit=720).data(),
        lambda: rest.time().data().server_time,
    )


SDKS = {"kraken": of_kraken, "binance": of_binance}


def error_of(call: Call) -> str:
    """Return the error of a call; empty: it answered."""
    try:
        call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


@pytest.mark.parametrize("kind", ["http_429", "http_503", "html", "not_json"])
@pytest.mark.parametrize("venue", SDKS)
def test_an_answer_that_fails_is_an_error_of_the_sdk_once(venue: str, kind: str) -> None:
    with serving_in_thread(venue) as served:
        candles, _ = SDKS[venue](served)
        served.fault(kind, count=1, on="" if kind.startswith("http") else "rest")
        assert error_of(candles) != ""
        assert error_of(candles) == ""
        assert len(candles()) == 720


@pytest.mark.parametrize("venue", SDKS)
def test_answers_come_late_large_and_with_a_wrong_time(venue: str) -> None:
    with serving_in_thread(venue, speed=1.0) as served:
        candles, now_ms = SDKS[venue](served)
        served.fault("big", count=1, on="rest")
        error_of(candles)  # 10 MB more: read, or refused
        assert len(candles()) == 720
        served.fault("latency", ms=700, count=1, on="rest")
        begun = time.monotonic()
        candles()
        assert time.monotonic() - begun >= 0.7
        assert abs(now_ms() - served.venue.now_ms()) < 3_000
        served.fault("wrong_clock", ms=-90_000)
        assert abs(now_ms() + 90_000 - served.venue.now_ms()) < 3_000


# --- sockets -----------------------------------------------------------------------------------


class Seen:
    """The ids of the trades of BTC/USDT as they came, and when the newest message came."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.at_s = time.monotonic()

    def trade(self, number: int) -> None:
        self.ids.append(number)
        self.at_s = time.monotonic()

    async def more(self, n: int) -> list[int]:
        """Return the next so many ids."""
        first = len(self.ids)
        await until(lambda: len(self.ids) >= first + n, f"{n} trades")
        return self.ids[first : first + n]


@asynccontextmanager
async def trades_of_kraken(served: Served) -> AsyncIterator[Seen]:
    seen = Seen()

    async def taken(message: Any) -> None:
        if message.get("channel") == "trade" and message.get("type") == "update":
            for trade in message["data"]:
                seen.trade(int(trade["trade_id"]))

    address = served.socket_address
    client = SpotWSClient(
        callback=taken, rest_url=served.address, ws_url=address, auth_ws_url=address
    )
    await client.start()
    await client.subscribe(params={"channel": "trade", "symbol": ["BTC/USDT"]})
    try:
        yield seen
    finally:
        await client.close()


@asynccontextmanager
async def trades_of_binance(served: Served) -> AsyncIterator[Seen]:
    seen = Seen()
    settings = ConfigurationWebSocketStreams(stream_url=served.socket_address)
    spot: Any = Spot(config_ws_streams=settings)
    streams = await spot.websocket_streams.create_connection()
    stream = await streams.trade(symbol="btcusdt")
    stream.on("message", lambda message: seen.trade(int(message.t)))
    try:
        yield seen
    finally:
        with suppress(Exception):
            await streams.close_connection(close_session=True)


TRADES: dict[str, Callable[[Served], AbstractAsyncContextManager[Seen]]] = {
    "kraken": trades_of_kraken,
    "binance": trades_of_binance,
}


def play(venue: str, scene: Callable[[Served, Seen], Any], speed: float = 240.0) -> None:
    async def played(served: Served) -> None:
        async with TRADES[venue](served) as seen:
            await seen.more(3)
            await scene(served, seen)

    with serving_in_thread(venue, speed=speed) as served:
        asyncio.run(played(served))


def is_whole(ids: list[int]) -> bool:
    """Return whether no trade is missing, doubled or out of order."""
    return ids == list(range(ids[0], ids[0] + len(ids)))


@pytest.mark.parametrize("venue", TRADES)
def test_messages_are_doubled_lost_and_swapped_and_whole_again(venue: str) -> None:
    async def scene(served: Served, seen: Seen) -> None:
        assert is_whole(await seen.more(6))
        number = served.fault("duplicate", on="socket")
        ids = await seen.more(24)
        assert len(set(ids)) < len(ids)
        assert sorted(ids) == ids
        served.venue.faults.clear(number)
        number = served.fault("drop", probability=0.5, on="socket")
        ids = await seen.more(24)
        assert not is_whole(sorted(set(ids)))
        served.venue.faults.clear(number)
        number = served.fault("reorder", probability=0.5, on="socket")
        ids = await seen.more(24)
        assert sorted(ids) != ids
        served.venue.faults.clear(number)
        await seen.more(3)
        assert is_whole(await seen.more(6))

    play(venue, scene)


@pytest.mark.parametrize("venue", TRADES)
def test_a_socket_is_mute_and_speaks_again(venue: str) -> None:
    async def scene(served: Served, seen: Seen) -> None:
        served.fault("mute", seconds=2.0)
        await until(lambda: time.monotonic() - seen.at_s > 1.0, "silence")
        before = seen.ids[-1]
        ids = await seen.more(3)
        assert ids[0] > before + 1, "what was not said is not said later"

    play(venue, scene, speed=600.0)


@pytest.mark.parametrize("venue", TRADES)
def test_a_gap_hides_trades_of_one_symbol(venue: str) -> None:
    async def scene(served: Served, seen: Seen) -> None:
        served.fault("gap", minutes=6, only="BTC")
        before = seen.ids[-1]
        ids = await seen.more(6)
        assert not is_whole([before, *ids])

    play(venue, scene)


@pytest.mark.parametrize("venue", TRADES)
def test_messages_come_late(venue: str) -> None:
    async def scene(served: Served, seen: Seen) -> None:
        served.fault("latency", ms=1_500, on="socket")
        await until(lambda: time.monotonic() - seen.at_s > 1.0, "nothing for a second")
        assert sorted(set(seen.ids)) == seen.ids
        await seen.more(3)

    play(venue, scene, speed=600.0)


BREAKING = [("close", {}), ("big", {"on": "socket"}), ("html", {"on": "socket"}),
            ("not_json", {"on": "socket"})]  # fmt: skip


@pytest.mark.parametrize(("kind", "values"), BREAKING)
def test_krakens_sdk_connects_again_by_itself(kind: str, values: dict[str, str]) -> None:
    async def scene(served: Served, seen: Seen) -> None:
        served.fault(kind, count=1, **values)
        await seen.more(12)

    play("kraken", scene)


@pytest.mark.parametrize(("kind", "values"), BREAKING)
def test_a_new_connection_of_binances_sdk_is_whole(kind: str, values: dict[str, str]) -> None:
    """What is no JSON ends its reading; a socket that was closed it opens again after a while."""

    async def scene(served: Served, seen: Seen) -> None:
        served.fault(kind, count=1, **values)
        await until(
            lambda: all(fault["struck"] for fault in served.venue.faults.listed()), "struck"
        )
        async with trades_of_binance(served) as again:
            assert is_whole(await again.more(12))

    play("binance", scene)
