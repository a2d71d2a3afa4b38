"""A feed in real time goes on from the newest bars of a state."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.core.conftest import TwoInstruments
from tests.sim.serving import made_market, serving_in_thread

from ares.bootstrap.venue_feed import (
    assembler_of,
    keep_silences,
    known_silences,
    rehearsal_clock,
    venue_feed,
)
from ares.domain.errors import UserError
from ares.domain.events import BarsClosed, Event
from ares.domain.feed_events import FeedChanged
from ares.domain.instrument import Instrument
from ares.domain.market_data import BarSeen
from ares.domain.timeframe import HOUR_MS, MINUTE_MS
from ares.runtime.engine.clocks import RunningClock


def fed() -> TwoInstruments:
    """Return a state of which the second instrument missed the newest instant."""
    two = TwoInstruments()
    rows = np.array([[100.0, 101.0, 99.0, 100.5, 5.0]] * 2).tobytes()
    for k, present in enumerate((b"\1\1", b"\1\0")):
        ts_ms = two.start_ms + (k + 1) * MINUTE_MS
        two.take(BarsClosed(ts_ms, rows, present, b"\0\0"), MINUTE_MS)
    return two


def test_it_goes_on_from_each_instruments_newest_bar() -> None:
    two = fed()
    assembler = assembler_of(two.state, 1.0, two.start_ms)
    assert assembler.instant_ms == two.start_ms + 2 * MINUTE_MS
    newest = [(line.newest_ms - two.start_ms) // MINUTE_MS for line in assembler.lines]
    assert newest == [2, 1]
    assert [line.close for line in assembler.lines] == [100.5, 100.5]


def test_a_run_that_begins_goes_on_from_its_window() -> None:
    two = TwoInstruments()
    after_ms = two.start_ms + 7 * MINUTE_MS
    assembler = assembler_of(two.state, 60.0, after_ms)
    assert assembler.instant_ms == after_ms
    assert {(line.newest_ms, line.close) for line in assembler.lines} == {(after_ms, 0.0)}


def test_a_run_that_begins_knows_the_closes_before_it() -> None:
    two = TwoInstruments()
    after_ms = two.start_ms + 7 * MINUTE_MS
    closes = ((90.0, 91.0), (95.0, 0.0), (97.0, 0.0))
    warm = [
        BarsClosed(two.start_ms + k * MINUTE_MS,
                   np.array([[c] * 5 for c in row]).tobytes(), bytes([1, row[1] > 0]), b"\0\0")
        for k, row in enumerate(closes)
    ]  # fmt: skip
    assembler = assembler_of(two.state, 60.0, after_ms, warm)
    assert [line.close for line in assembler.lines] == [97.0, 91.0]
    lie = BarSeen(0, after_ms, 300.0, 300.0, 300.0, 300.0, 1.0, is_closed=True)
    (refused,) = assembler.take(lie, after_ms + MINUTE_MS)
    assert isinstance(refused, FeedChanged)
    assert refused.state == "refused"


def changed(two: TwoInstruments, **values: object) -> TwoInstruments:
    first, *others = two.state.setup.instruments
    made = msgspec.structs.replace(first, **values)
    two.state.setup = msgspec.structs.replace(two.state.setup, instruments=(made, *others))
    return two


def test_several_venues_and_other_bars_are_refused_in_one_line() -> None:
    two = TwoInstruments()
    spec = two.state.setup.instruments[0].spec
    other = msgspec.structs.replace(spec, instrument=Instrument("kraken", "T0/USDT"))
    clock = RunningClock(two.start_ms)
    with pytest.raises(UserError, match="one venue, not kraken, test"):
        venue_feed(changed(two, spec=other).state, clock, two.start_ms)
    with pytest.raises(UserError, match="1m candles"):
        venue_feed(changed(TwoInstruments(), base_ms=HOUR_MS).state, clock, two.start_ms)


def test_a_kraken_on_loopback_is_caught_up_and_followed() -> None:
    """Through sockets, ccxt and the assembler: the bars are those that the server plays."""
    truth = made_market()
    with serving_in_thread("kraken", speed=600.0) as served:
        clock = rehearsal_clock(served.address, 0)
        after_ms = clock.now_ms() // MINUTE_MS * MINUTE_MS - 5 * MINUTE_MS
        two = TwoInstruments()
        for k, symbol in enumerate(truth):
            spec = msgspec.structs.replace(
                two.setup.instruments[k].spec, instrument=Instrument("kraken", symbol)
            )
            lanes = list(two.state.setup.instruments)
            lanes[k] = msgspec.structs.replace(lanes[k], spec=spec)
            two.state.setup = msgspec.structs.replace(two.state.setup, instruments=tuple(lanes))
        events: list[Event] = []

        async def follow() -> None:
            feed = venue_feed(two.state, clock, after_ms, address=served.address)
            running = asyncio.create_task(feed.run(events.append))
            for _ in range(400):
                await asyncio.sleep(0.1)
                if sum(isinstance(e, BarsClosed) and e.kind == "closing" for e in events) >= 5:
                    break
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

        asyncio.run(follow())
    closed = [e for e in events if isinstance(e, BarsClosed)]
    instants = [e.ts_ms for e in closed if e.kind != "late"]
    assert instants == list(range(after_ms + MINUTE_MS, instants[-1] + 1, MINUTE_MS))
    kinds = [e.kind for e in closed if e.kind != "late"]
    assert kinds[0] == "catch_up"
    assert kinds.count("closing") >= 5
    for event in closed:
        rows = np.frombuffer(event.ohlcv).reshape(2, 5)
        for i, bars in enumerate(truth.values()):
            if event.present[i]:
                t = int(np.searchsorted(bars.ts_ms, event.ts_ms - MINUTE_MS))
                assert bool(event.flat[i]) == (bars.volume[t] == 0.0), t
                if not event.flat[i]:
                    assert rows[i, 3] == bars.close[t]


def test_usual_silences_are_kept_over_a_restart(tmp_path: Path) -> None:
    memory, lines = tmp_path / "silences.msgpack", list[str]()
    first, second = known_silences(memory, ["A/B", "C/B"], lines.append)
    for k in range(300):
        second.trade(1_704_153_600_000 + k * 9_000)
    keep_silences(memory, ["A/B", "C/B"], [first, second], lines.append)
    found = known_silences(memory, ["C/B", "D/B"], lines.append)
    assert found[0].to_bytes() == second.to_bytes()
    assert found[1].limit_ms(1_704_153_600_000) is None
    assert lines == []
    memory.write_bytes(b"no message pack")
    assert known_silences(memory, ["C/B"], lines.append)[0].limit_ms(0) is None
    keep_silences(tmp_path / "gone" / "x", ["C/B"], [first], lines.append)
    assert len(lines) == 2
