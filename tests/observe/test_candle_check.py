"""Every kind of fault is found at its place, and sound candles have none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.timeframe import HOUR_MS, MINUTE_MS
from ares.kernel.bars import Bars
from ares.kernel.resample import resample
from ares.observe.candle_check import Finding, Kind, check_bars, check_store
from ares.store.candles import CandleStore
from ares.store.database import open_database, writing

BTC = Instrument("binance", "BTC/USDT")
SPEC = InstrumentSpec(BTC, 2, 5)
START_MS = 480_000 * HOUR_MS


def sound(n: int = 600) -> Bars:
    """Return ``n`` 1m bars, a calm random walk."""
    rng = np.random.default_rng(5)
    close = 100 * np.exp(0.0005 * rng.normal(size=n).cumsum())
    opened = np.concatenate([close[:1], close[:-1]])
    high, low = np.maximum(opened, close) * 1.0001, np.minimum(opened, close) * 0.9999
    times = START_MS + np.arange(n) * MINUTE_MS
    return Bars.make(times, opened, high, low, close, 1.0 + rng.random(n))


def at(minute: int) -> int:
    return START_MS + minute * MINUTE_MS


def only(bars: Bars) -> Finding:
    (finding,) = check_bars(BTC, "1m", bars)
    return finding


def span(finding: Finding) -> tuple[Kind, int, int, int]:
    return finding.kind, finding.from_ms, finding.to_ms, finding.count


def test_sound_bars_have_no_findings() -> None:
    assert check_bars(BTC, "1m", sound()) == []
    assert check_bars(BTC, "1m", Bars.empty()) == []


def test_a_gap_is_from_the_first_missing_bar_to_the_next_present_one() -> None:
    bars = sound()
    kept = np.ones(len(bars), np.bool_)
    kept[100:107] = False
    assert span(only(bars[kept])) == (Kind.GAP, at(100), at(107), 7)


def test_a_run_without_volume_is_one_place() -> None:
    bars = sound()
    bars.volume[50:53] = 0.0
    assert span(only(bars)) == (Kind.ZERO_VOLUME, at(50), at(53), 3)


def test_a_flash_crash_is_a_jump_with_its_size() -> None:
    bars = sound()
    bars.low[77] = bars.close[76] * 0.8
    finding = only(bars)
    assert span(finding) == (Kind.JUMP, at(77), at(78), 1)
    assert finding.detail == "-20.0%"


def test_a_move_over_a_gap_is_no_jump() -> None:
    bars = sound()
    for column in (bars.open, bars.high, bars.low, bars.close):
        column[300:] *= 1.5
    kept = np.ones(len(bars), np.bool_)
    kept[299] = False
    assert [f.kind for f in check_bars(BTC, "1m", bars[kept])] == [Kind.GAP]


@pytest.mark.parametrize("fault", ["high", "low", "zero", "nan", "negative volume"])
def test_prices_that_cannot_be_are_errors(fault: str) -> None:
    bars = sound()
    if fault == "high":
        bars.high[9] = bars.close[9] * 0.9999
    elif fault == "low":
        bars.low[9] = bars.open[9] * 1.0001
    elif fault == "zero":
        bars.low[9] = 0.0
    elif fault == "nan":
        bars.close[9] = np.nan
    else:
        bars.volume[9] = -1.0
    finding = only(bars)
    assert span(finding) == (Kind.OHLC, at(9), at(10), 1)
    assert finding.kind.is_error


def test_times_that_cannot_be_are_errors() -> None:
    bars = sound(20)
    bars.ts_ms[7] = bars.ts_ms[6]
    kinds = {f.kind: f for f in check_bars(BTC, "1m", bars)}
    assert kinds[Kind.DUPLICATE].from_ms == at(6)
    bars = sound(20)
    bars.ts_ms[7] = bars.ts_ms[3]
    assert Kind.UNSORTED in {f.kind for f in check_bars(BTC, "1m", bars)}
    bars = sound(20)
    bars.ts_ms[7] += 1000
    off = [f for f in check_bars(BTC, "1m", bars) if f.kind is Kind.OFF_GRID]
    assert [f.from_ms for f in off] == [at(7) + 1000]
    assert all(kind.is_error for kind in (Kind.DUPLICATE, Kind.UNSORTED, Kind.OFF_GRID))


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(1, 58), max_size=30), st.sets(st.integers(1, 58), max_size=30))
def test_gaps_and_silent_bars_are_all_counted(missing: set[int], silent: set[int]) -> None:
    bars = sound(60)
    bars.volume[sorted(silent)] = 0.0
    kept = np.ones(60, np.bool_)
    kept[sorted(missing)] = False
    found = check_bars(BTC, "1m", bars[kept])
    gaps = sum(f.count for f in found if f.kind is Kind.GAP)
    zero = sum(f.count for f in found if f.kind is Kind.ZERO_VOLUME)
    assert (gaps, zero) == (len(missing), len(silent - missing))


def test_two_intervals_that_disagree_are_an_error_and_by_other_hands_too(tmp_path: Path) -> None:
    engine: Engine = open_database(tmp_path / "ares.db")
    store = CandleStore(engine)
    bars = sound()
    store.save(SPEC, "1m", bars, "one")
    store.save(SPEC, "1h", resample(bars, MINUTE_MS, HOUR_MS), "h")
    seen: list[str] = []
    checked = check_store(store, on_series=lambda series: seen.append(series.interval))
    assert [c.findings for c in checked] == [(), ()]
    assert seen == ["1m", "1h"]
    with writing(engine) as connection:
        connection.exec_driver_sql(
            "UPDATE candles SET close = close * 1.00001 WHERE interval = '1h' AND ts_ms = ?",
            (START_MS + 2 * HOUR_MS,),
        )
    (finding,) = check_store(store)[1].findings
    assert (finding.kind, finding.from_ms) == (Kind.DISAGREEMENT, START_MS + 2 * HOUR_MS)
    assert "1m gives close" in finding.detail
    assert "1 of 10 bars differ" in finding.detail
    assert check_store(store, [Instrument("binance", "ETH/USDT")]) == []
    engine.dispose()
