"""The live stream against the rehearsal server: it delivers, and survives every fault of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from tests.sim.serving import FROM_MS, START_MS, Served, made_market, serving

from ares.adapters.ccxt_backfill import BackfillPolicy
from ares.adapters.ccxt_stream import CcxtStream, StreamPolicy
from ares.domain.errors import UserError
from ares.domain.market_data import (
    BarSeen,
    Connected,
    Disconnected,
    MarketData,
    SkewSeen,
    TradeSeen,
)
from ares.domain.timeframe import MINUTE_MS

SYMBOLS = ("BTC/USDT", "ADA/USDT")
SPEED = 240.0
WAIT_S = 40.0
QUICK = StreamPolicy(
    mute_s=1.5, mute_max_s=6.0, first_s=10.0, wait_first_s=0.05, heartbeat_s=0.1, skew_every_s=1.0
)
AT_ONCE = BackfillPolicy(attempts=3, wait_first_s=0.05, wait_max_s=0.1, skew_sample_apart_s=0.23)
"""A time in whole seconds is within 250 ms after five requests that fall anywhere in the second."""

T = TypeVar("T", BarSeen, TradeSeen, Connected, Disconnected, SkewSeen)


class Watching:
    """A stream that runs, what it has delivered, and its lines."""

    def __init__(
        self, served: Served, symbols: tuple[str, ...] = SYMBOLS, venue: str = "kraken"
    ) -> None:
        self.seen: list[MarketData] = []
        self.lines: list[str] = []
        self.stream = CcxtStream(
            *(venue, symbols, served.venue.now_ms, self.seen.append, self.lines.append),
            *(served.address, QUICK, AT_ONCE),
        )
        for exchange in (self.stream._rest_exchange,):
            exchange.enableRateLimit = False

    def of(self, kind: type[T], since: int = 0) -> list[T]:
        return [value for value in self.seen[since:] if isinstance(value, kind)]

    async def until(self, ready: Callable[[], object], what: str) -> None:
        for _ in range(int(WAIT_S / 0.05)):
            if ready():
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"not within {WAIT_S} s: {what}; lines: {self.lines[-5:]}")

    async def connected(self, since: int = 0) -> None:
        await self.until(lambda: self.of(Connected, since), "connected")


Scene = Callable[[Served, Watching], Awaitable[None]]


def play(scene: Scene, speed: float = SPEED, protocol: str = "kraken", **more: Any) -> None:
    """Run a scene beside a running stream; the stream must not have ended by itself."""

    async def run() -> None:
        problems: list[str] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: problems.append(str(context)))
        async with serving(protocol, speed) as served:
            watching = Watching(served, venue=protocol, **more)
            running = asyncio.create_task(watching.stream.run())
            try:
                await scene(served, watching)
                assert not running.done()
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
        assert problems == []
        assert all("\n" not in line for line in watching.lines)

    asyncio.run(run())


def are_true(bars: list[BarSeen]) -> bool:
    """Return whether every bar is that of the market, where it had a volume."""
    for bar in bars:
        columns = made_market()[SYMBOLS[bar.instrument]].columns
        row = (bar.open_ms - FROM_MS) // MINUTE_MS
        wanted = [float(column[row]) for column in columns[1:6]]
        if wanted[-1] and [bar.open, bar.high, bar.low, bar.close, bar.volume] != wanted:
            return False
    return True


def newest(bars: list[BarSeen]) -> list[BarSeen]:
    """Return the last report of each closed bar."""
    return list({(b.instrument, b.open_ms): b for b in bars if b.is_closed}.values())


def test_bars_trades_heartbeats_and_skew_are_delivered() -> None:
    async def scene(served: Served, watching: Watching) -> None:
        await watching.until(
            lambda: len([b for b in newest(watching.of(BarSeen)) if b.open_ms > START_MS]) >= 6,
            "six closed bars",
        )
        bars = newest(watching.of(BarSeen))
        assert are_true(bars)
        await watching.until(
            lambda: (
                {trade.instrument for trade in watching.of(TradeSeen)} == {0, 1}
                and {bar.instrument for bar in newest(watching.of(BarSeen))} == {0, 1}
            ),
            "both instruments",
        )
        await watching.until(lambda: watching.of(SkewSeen), "skew")
        assert abs(watching.of(SkewSeen)[0].venue_ahead_ms) < 0.2 * 1000 * SPEED
        await watching.until(lambda: watching.of(Connected)[-1].ts_ms, "a heartbeat with a time")
        assert abs((watching.of(Connected)[-1].ts_ms or 0) - served.venue.now_ms()) < 2_000 * SPEED
        assert watching.of(Disconnected) == []
        assert watching.lines == []

    play(scene)


@pytest.mark.parametrize(
    ("kind", "values", "words"),
    [
        ("close", {"count": 1}, "reconnecting"),
        ("mute", {"seconds": 3.0}, "no message for"),
        ("big", {"count": 1, "on": "socket"}, "reconnecting"),
        ("not_json", {"count": 1, "on": "socket"}, "cannot be read"),
        ("html", {"count": 1, "on": "socket"}, "cannot be read"),
    ],
)
def test_a_broken_connection_is_made_again(
    kind: str, values: dict[str, object], words: str
) -> None:
    async def scene(served: Served, watching: Watching) -> None:
        await watching.connected()
        served.fault(kind, **values)
        await watching.until(lambda: watching.of(Disconnected), "disconnected")
        since = len(watching.seen)
        await watching.connected(since)
        assert any(words in line for line in watching.lines)
        await watching.until(
            lambda: len(newest(watching.of(BarSeen, since))) >= 4, "closed bars afterwards"
        )
        assert are_true(newest(watching.of(BarSeen, since)))

    play(scene)


@pytest.mark.parametrize("kind", ["http_503", "http_429"])
def test_refusals_are_waited_out(kind: str) -> None:
    async def scene(served: Served, watching: Watching) -> None:
        served.fault(kind, count=4)
        await watching.connected()
        assert watching.lines

    play(scene)


def test_doubled_and_swapped_messages_change_no_closed_bar() -> None:
    async def scene(served: Served, watching: Watching) -> None:
        await watching.connected()
        served.fault("duplicate", probability=0.3, on="socket")
        served.fault("reorder", probability=0.3, on="socket")
        since = len(watching.seen)
        await watching.until(
            lambda: len(newest(watching.of(BarSeen, since))) >= 12, "twelve closed bars"
        )
        bars = newest(watching.of(BarSeen, since))
        assert are_true([bar for bar in bars if bar.open_ms < max(b.open_ms for b in bars)])

    play(scene)


def test_latency_and_lost_messages_break_nothing() -> None:
    async def scene(served: Served, watching: Watching) -> None:
        await watching.connected()
        served.fault("latency", ms=50, probability=0.2)
        served.fault("drop", probability=0.2, only='"data"')
        since = len(watching.seen)
        await watching.until(lambda: len(newest(watching.of(BarSeen, since))) >= 8, "closed bars")

    play(scene)


def test_a_gap_of_the_stream_is_filled_by_rest() -> None:
    async def scene(served: Served, watching: Watching) -> None:
        await watching.connected()
        served.fault("gap", minutes=6, only="BTC")
        start_ms = served.venue.now_ms() // MINUTE_MS * MINUTE_MS
        await watching.until(
            lambda: any(
                b.open_ms >= start_ms + 8 * MINUTE_MS and b.instrument == 0
                for b in watching.of(BarSeen)
            ),
            "bars after the gap",
        )
        bars = await watching.stream.bars(0, start_ms, start_ms + 8 * MINUTE_MS)
        assert [bar.open_ms for bar in bars] == [start_ms + k * MINUTE_MS for k in range(8)]
        assert are_true(bars)

    play(scene)


def test_a_wrong_clock_is_measured() -> None:
    async def scene(served: Served, watching: Watching) -> None:
        served.fault("wrong_clock", ms=-7_000)
        await watching.until(lambda: watching.of(SkewSeen), "skew")
        assert watching.of(SkewSeen)[-1].venue_ahead_ms == pytest.approx(-7_000, abs=400)

    play(scene, speed=1.0)


def test_bars_beyond_the_venues_candles_come_from_its_trades() -> None:
    async def scene(served: Served, watching: Watching) -> None:
        from_ms = START_MS - 1_000 * MINUTE_MS
        bars = await watching.stream.bars(0, from_ms, START_MS)
        assert [bar.open_ms for bar in bars] == list(range(from_ms, START_MS, MINUTE_MS))
        assert all(bar.is_closed for bar in bars)
        assert are_true(bars)
        assert [b.volume for b in bars] == made_market()["BTC/USDT"].volume[1_000:2_000].tolist()

    play(scene, speed=1.0)


@pytest.mark.parametrize("kind", ["http_503", "http_429", "html", "not_json", "big"])
def test_requests_for_bars_are_tried_again(kind: str) -> None:
    async def scene(served: Served, watching: Watching) -> None:
        await watching.connected()
        served.fault(kind, count=1, only="OHLC")
        bars = await watching.stream.bars(1, START_MS - 10 * MINUTE_MS, START_MS)
        assert len(bars) == 10
        assert are_true(bars)
        assert kind == "big" or any("retrying" in line for line in watching.lines)

    play(scene, speed=1.0)


def test_a_venue_that_stays_away_gives_no_bars_and_lines() -> None:
    async def scene(served: Served, watching: Watching) -> None:
        await watching.connected()
        served.fault("http_503", on="rest")
        assert await watching.stream.bars(1, START_MS - 10 * MINUTE_MS, START_MS) == []
        assert any("given up" in line for line in watching.lines)

    play(scene, speed=1.0)


def test_an_unknown_symbol_is_one_line_and_stops_no_other() -> None:
    async def scene(served: Served, watching: Watching) -> None:
        await watching.connected()
        assert watching.lines[0] == "kraken: no symbol FOO/USDT there: not watched"
        assert {bar.instrument for bar in watching.of(BarSeen)} == {1}

    play(scene, symbols=("FOO/USDT", "ADA/USDT"))


def test_binance_is_watched_the_same_way() -> None:
    async def scene(served: Served, watching: Watching) -> None:
        await watching.until(
            lambda: len([b for b in newest(watching.of(BarSeen)) if b.open_ms > START_MS]) >= 6,
            "six closed bars",
        )
        assert are_true(newest(watching.of(BarSeen)))
        since = len(watching.seen)
        served.fault("close", count=1)
        await watching.until(lambda: watching.of(Disconnected, since), "disconnected")
        since = len(watching.seen)
        await watching.connected(since)
        assert watching.of(Connected, since)[-1].ts_ms is not None
        bars = await watching.stream.bars(1, START_MS - 1_500 * MINUTE_MS, START_MS)
        assert len(bars) == 1_500  # two pages
        assert are_true(bars)

    play(scene, protocol="binance")


def test_a_venue_without_candles_gives_bars_from_its_trades(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import ccxt.pro

    class TradesOnly(ccxt.pro.kraken):  # type: ignore[misc]
        def describe(self) -> Any:
            return self.deep_extend(super().describe(), {"has": {"watchOHLCV": False}})

    monkeypatch.setattr(ccxt.pro, "kraken", TradesOnly)

    async def scene(served: Served, watching: Watching) -> None:
        await watching.until(lambda: len(newest(watching.of(BarSeen))) >= 12, "closed bars")
        bars = newest(watching.of(BarSeen))
        assert {bar.instrument for bar in bars} == {0, 1}
        assert are_true(bars)
        assert not any(bar.volume == 0.0 for bar in bars)  # silence is not a bar here

    play(scene)


def test_a_long_gap_is_filled_without_a_hole_while_the_market_moves_on() -> None:
    async def scene(served: Served, watching: Watching) -> None:
        await watching.connected()
        now_ms = served.venue.now_ms() // MINUTE_MS * MINUTE_MS
        from_ms = now_ms - 1_000 * MINUTE_MS
        bars = await watching.stream.bars(0, from_ms, now_ms)
        assert [bar.open_ms for bar in bars] == list(range(from_ms, now_ms, MINUTE_MS))
        assert are_true(bars)

    play(scene, speed=240.0)


def test_wrong_venues_and_addresses_are_refused() -> None:
    def stream(venue: str, address: str | None = None) -> CcxtStream:
        return CcxtStream(venue, SYMBOLS, lambda: 0, lambda _: None, address=address)

    with pytest.raises(UserError):
        stream("krakn")
    with pytest.raises(UserError, match="http://HOST:PORT"):
        stream("kraken", "127.0.0.1:1")
