"""The server over loopback: its clock, its faults one by one, its sockets, its end."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from tests.sim.serving import Served, serving

from ares.domain.errors import ExternalError
from ares.domain.timeframe import MINUTE_MS
from ares.sim.serve.server import MarketServer

WAIT_S = 20.0
Scene = Callable[[Served, aiohttp.ClientSession], Awaitable[None]]


def play(scene: Scene, speed: float = 240.0) -> None:
    async def run() -> None:
        async with serving("kraken", speed) as served, aiohttp.ClientSession() as client:
            await scene(served, client)

    asyncio.run(run())


async def subscribed(
    served: Served, client: aiohttp.ClientSession, channel: str = "trade"
) -> aiohttp.ClientWebSocketResponse:
    """Return a socket that is subscribed to BTC/USDT and has read its acknowledgement."""
    ws = await client.ws_connect(served.socket_address + "/v2", max_msg_size=1 << 28)
    params = {"channel": channel, "symbol": ["BTC/USDT"], "snapshot": False}
    await ws.send_json({"method": "subscribe", "params": params})
    while True:
        message = json.loads(await ws.receive_str(timeout=WAIT_S))
        if message.get("method") == "subscribe":
            assert message["success"]
            return ws


async def ids(ws: aiohttp.ClientWebSocketResponse, n: int) -> list[int]:
    """Return the ids of the next ``n`` trades."""
    found: list[int] = []
    while len(found) < n:
        message = json.loads(await ws.receive_str(timeout=WAIT_S))
        if message.get("channel") == "trade":
            found += [trade["trade_id"] for trade in message["data"]]
    return found


async def disturbed(ws: aiohttp.ClientWebSocketResponse, last: int) -> tuple[int, int]:
    """Return the last id in order and the first that is not: some left before the fault was set."""
    while (found := (await ids(ws, 1))[0]) == last + 1:
        last = found
    return last, found


def test_both_clocks_are_published() -> None:
    async def scene(served: Served, client: aiohttp.ClientSession) -> None:
        async def clock() -> Any:
            async with client.get(served.address + "/sim/clock") as answer:
                return await answer.json()

        first = await clock()
        await asyncio.sleep(0.2)
        second = await clock()
        wall_ms = second["wall_ms"] - first["wall_ms"]
        assert abs(time.time_ns() // 1_000_000 - second["wall_ms"]) < 5_000
        assert (second["market_ms"] - first["market_ms"]) / 240.0 == pytest.approx(wall_ms, abs=30)
        assert first["speed"] == 240.0
        assert first["symbols"] == ["BTC/USDT", "ADA/USDT"]

    play(scene)


@pytest.mark.parametrize(
    ("kind", "status", "body"),
    [
        ("http_429", 429, "Rate limit"),
        ("http_503", 503, "Unavailable"),
        ("html", 502, "<html>"),
        ("not_json", 200, '"data": ['),
    ],
)
def test_requests_fail_as_often_as_asked_and_then_work_again(
    kind: str, status: int, body: str
) -> None:
    async def scene(served: Served, client: aiohttp.ClientSession) -> None:
        url = served.address + "/0/public/Time"
        served.fault(kind, count=1, on="rest", only="Time")
        async with client.get(served.address + "/0/public/SystemStatus") as answer:
            assert answer.status == 200
        async with client.get(url) as answer:
            assert answer.status == status
            assert body in await answer.text()
            if status == 429:
                assert answer.headers["Retry-After"] == "1"
        async with client.get(url) as answer:
            assert (await answer.json())["error"] == []

    play(scene)


def test_answers_come_late_and_large() -> None:
    async def scene(served: Served, client: aiohttp.ClientSession) -> None:
        served.fault("latency", ms=300, on="rest", count=1)
        served.fault("big", on="rest", count=1)
        started = time.monotonic()
        async with client.get(served.address + "/0/public/Time") as answer:
            body = await answer.read()
        assert time.monotonic() - started >= 0.3
        assert len(body) > 10_000_000
        assert json.loads(body)["error"] == []

    play(scene)


def test_a_refused_socket_is_refused_at_the_handshake() -> None:
    async def scene(served: Served, client: aiohttp.ClientSession) -> None:
        served.fault("http_503", on="socket", count=1)
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await client.ws_connect(served.socket_address + "/v2")
        assert caught.value.status == 503
        await (await client.ws_connect(served.socket_address + "/v2")).close()
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await client.ws_connect(served.socket_address + "/elsewhere")
        assert caught.value.status == 404

    play(scene)


def test_messages_are_lost_doubled_and_swapped() -> None:
    async def scene(served: Served, client: aiohttp.ClientSession) -> None:
        ws = await subscribed(served, client)
        last = (await ids(ws, 1))[0]
        served.fault("drop", count=1, only='"trade"')
        last, found = await disturbed(ws, last)
        assert found == last + 2
        served.fault("duplicate", count=1, only='"trade"')
        last, again = await disturbed(ws, found)
        assert again == last
        served.fault("reorder", count=1, only='"trade"')
        last, found = await disturbed(ws, last)
        assert [found, *await ids(ws, 2)] == [last + 2, last + 1, last + 3]

    play(scene)


def test_a_mute_socket_stays_open_and_speaks_again() -> None:
    async def scene(served: Served, client: aiohttp.ClientSession) -> None:
        ws = await subscribed(served, client)
        await ids(ws, 1)
        number = served.fault("mute")
        with pytest.raises(asyncio.TimeoutError):
            await ws.receive_str(timeout=1.0)  # 240 s of the market
        assert not ws.closed
        served.venue.faults.clear(number)
        assert await ids(ws, 1)

    play(scene)


@pytest.mark.parametrize(
    ("kind", "words"), [("html", "<html>"), ("not_json", '"data": ['), ("big", "padding")]
)
def test_messages_that_are_not_the_protocols(kind: str, words: str) -> None:
    async def scene(served: Served, client: aiohttp.ClientSession) -> None:
        ws = await subscribed(served, client)
        served.fault(kind, count=1)
        text = await ws.receive_str(timeout=WAIT_S)
        assert words in text
        assert kind != "big" or len(text) > 10_485_760
        assert await ids(ws, 1)

    play(scene)


def test_messages_come_late_and_no_later_for_being_many() -> None:
    async def scene(served: Served, client: aiohttp.ClientSession) -> None:
        ws = await subscribed(served, client)
        served.fault("latency", ms=400, on="socket")
        started_ms = served.venue.now_ms()
        for _ in range(3):
            message = json.loads(await ws.receive_str(timeout=WAIT_S))
            assert served.venue.now_ms() - started_ms >= 400 * 240
        await asyncio.sleep(2.0)  # some 60 trades, half of them still on their way
        sent = served.venue.market.symbols[0].next_id(served.venue.now_ms() - 1_500 * 240)
        while message.get("channel") != "trade" or message["data"][0]["trade_id"] < sent:
            message = json.loads(await ws.receive_str(timeout=0.5))

    play(scene)


def test_a_gap_withholds_trades_from_sockets_and_not_from_rest() -> None:
    async def scene(served: Served, client: aiohttp.ClientSession) -> None:
        ws = await subscribed(served, client)
        served.fault("gap", minutes=3, only="BTC")
        first = (await ids(ws, 1))[0]
        (gap,) = served.venue.faults._active.values()
        assert gap.struck > 10
        withheld, shown = served.venue.market.symbols[0].trades_from_id(first - 1, 2, 1 << 60)
        assert withheld.ts_ms < gap.gap_to_ms <= shown.ts_ms
        begun = served.venue.market.symbols[0].trades_from_id(first - gap.struck, 1, 1 << 60)
        assert gap.gap_to_ms - begun[0].ts_ms == 3 * MINUTE_MS
        async with client.get(served.address + "/0/public/Trades?pair=XBTUSDT") as answer:
            rows = (await answer.json())["result"]["XBTUSDT"]
        assert first - 1 in [row[6] for row in rows]

    play(scene)


def test_open_sockets_are_closed_and_new_ones_taken() -> None:
    async def scene(served: Served, client: aiohttp.ClientSession) -> None:
        ws = await subscribed(served, client)
        served.fault("close", count=1)
        async for _ in ws:
            pass
        assert ws.close_code == aiohttp.WSCloseCode.GOING_AWAY
        assert await ids(await subscribed(served, client), 1)

    play(scene)


def test_faults_are_made_listed_and_cleared_over_http_and_strike_no_own_door() -> None:
    async def scene(served: Served, client: aiohttp.ClientSession) -> None:
        url = served.address + "/sim/faults"
        async with client.post(url, json={"kind": "http_503", "seconds": 60}) as answer:
            number = (await answer.json())["id"]
        async with client.get(url) as answer:
            listed = await answer.json()
        assert [fault["id"] for fault in listed["faults"]] == [number]
        async with client.post(url, json={"kind": "nothing"}) as answer:
            assert answer.status == 400
            assert "unknown" in (await answer.json())["error"]
        async with client.post(url, data=b"not json") as answer:
            assert answer.status == 400
        async with client.delete(f"{url}/{number}") as answer:
            assert (await answer.json())["cleared"] == 1
        async with client.delete(url) as answer:
            assert (await answer.json())["cleared"] == 0
        async with client.get(served.address + "/0/public/Time") as answer:
            assert answer.status == 200

    play(scene)


def test_a_port_in_use_is_one_line() -> None:
    async def scene(served: Served, _client: aiohttp.ClientSession) -> None:
        port = int(served.address.rpartition(":")[2])
        second = MarketServer(served.venue, served.server.face, port=port)
        with pytest.raises(ExternalError, match=r"cannot listen .*use another --port"):
            await second.start()

    play(scene)


def test_a_client_that_does_not_read_is_closed_and_holds_nobody_up() -> None:
    async def scene(served: Served, client: aiohttp.ClientSession) -> None:
        served.fault("latency", ms=60_000, on="socket", only='"ohlc"')
        slow = await client.ws_connect(served.socket_address + "/v2")
        params = {"channel": "ohlc", "symbol": ["BTC/USDT"]}
        await slow.send_json({"method": "subscribe", "params": params})
        quick = await subscribed(served, client)
        assert len(await ids(quick, 20)) == 20

    play(scene)
