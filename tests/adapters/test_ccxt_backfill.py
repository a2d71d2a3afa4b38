"""Past bars and the clock over a venue's REST: whole, true, tried again, and given up in lines."""

from __future__ import annotations

import pytest
from tests.adapters.watched_stream import (
    Watching,
    are_true,
    play,
)
from tests.sim.serving import START_MS, Served, made_market

from ares.domain.market_data import (
    BarSeen,
    SkewSeen,
)
from ares.domain.timeframe import MINUTE_MS


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


def test_a_long_gap_is_filled_without_a_hole_while_the_market_moves_on() -> None:
    async def scene(served: Served, watching: Watching) -> None:
        await watching.connected()
        now_ms = served.venue.now_ms() // MINUTE_MS * MINUTE_MS
        from_ms = now_ms - 1_000 * MINUTE_MS
        bars = await watching.stream.bars(0, from_ms, now_ms)
        assert [bar.open_ms for bar in bars] == list(range(from_ms, now_ms, MINUTE_MS))
        assert are_true(bars)

    play(scene, speed=240.0)
