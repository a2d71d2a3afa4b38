"""The live stream against the rehearsal server: it delivers, and survives every fault of it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.adapters.watched_stream import (
    SPEED,
    SYMBOLS,
    Watching,
    are_true,
    newest,
    play,
)
from tests.sim.serving import START_MS, Served

from ares.adapters.ccxt_stream import CcxtStream
from ares.domain.errors import UserError
from ares.domain.market_data import (
    BarSeen,
    Connected,
    Disconnected,
    SkewSeen,
    TradeSeen,
)
from ares.domain.timeframe import MINUTE_MS


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


def test_wrong_venues_and_addresses_are_refused() -> None:
    def stream(venue: str, address: str | None = None) -> CcxtStream:
        return CcxtStream(venue, SYMBOLS, lambda: 0, lambda _: None, address=address)

    with pytest.raises(UserError):
        stream("krakn")
    with pytest.raises(UserError, match="http://HOST:PORT"):
        stream("kraken", "127.0.0.1:1")
