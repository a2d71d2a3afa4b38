"""Bars aggregated live equal the resampled history, to the bit, whatever is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ares.domain.timeframe import Timeframe
from ares.kernel.bar_aggregation import (
    BarSeries,
    ClosingBars,
    FeatureRows,
    Intervals,
    aggregate_close,
    first_aggregates,
    first_reference_closes,
    newest_closes,
    warm_up,
)
from ares.kernel.bars import F64, Bars, Bools
from ares.kernel.features import N_FEATURES, WARMUP_BARS, feature_state, features_of
from ares.kernel.resample import fill_gaps, resample

MINUTE = 60_000
MIDNIGHT = 1_700_006_400_000
FRAMES = (Timeframe.M1, Timeframe.M5, Timeframe.M15, Timeframe.H1)
TF_MS = np.array([frame.ms for frame in FRAMES])


def series_state(n: int) -> BarSeries:
    """Return the memory of ``n`` instruments that have seen no bar."""
    return BarSeries(
        first_aggregates(n, len(FRAMES)),
        feature_state(n * len(FRAMES), np.tile(TF_MS, n)),
        first_reference_closes(len(FRAMES)),
    )


class Live:
    """Bar aggregation as an engine drives it; keeps every row that came due."""

    def __init__(self, n: int, base_ms: list[int], reference: int) -> None:
        self.series = series_state(n)
        self.intervals = Intervals(np.array(base_ms), TF_MS, reference)
        self.out = FeatureRows(
            np.full((n, len(FRAMES), N_FEATURES), np.nan, np.float32),
            np.zeros((n, len(FRAMES)), np.bool_),
            np.zeros((n, len(FRAMES)), np.bool_),
        )
        self.rows: dict[tuple[int, int], list[NDArray[np.float32]]] = {
            (k, j): [] for k in range(n) for j in range(len(FRAMES))
        }
        self.warm_rows = dict.fromkeys(self.rows, 0)

    def run(self, series: list[Bars]) -> None:
        closes = sorted(
            {
                int(t) + int(b)
                for s, b in zip(series, self.intervals.base_ms, strict=True)
                for t in s.ts_ms
            }
        )
        rows_at = [
            {int(t) + int(b): i for i, t in enumerate(s.ts_ms)}
            for s, b in zip(series, self.intervals.base_ms, strict=True)
        ]
        for close_ms in closes:
            present = np.array([close_ms in rows for rows in rows_at])
            ohlcv = np.full((len(series), 5), np.nan)
            flat = np.zeros(len(series), np.bool_)
            for k, bars in enumerate(series):
                if present[k]:
                    i = rows_at[k][close_ms]
                    columns = (bars.open, bars.high, bars.low, bars.close, bars.volume)
                    ohlcv[k] = [column[i] for column in columns]
                    flat[k] = bars.flat[i]
            self.close(close_ms, present, ohlcv, flat)

    def close(self, close_ms: int, present: Bools, ohlcv: F64, flat: Bools) -> None:
        closing = ClosingBars(present, ohlcv, flat)
        aggregate_close(close_ms, closing, self.intervals, self.series, self.out)
        for k, j in zip(*np.nonzero(self.out.due), strict=True):
            self.rows[int(k), int(j)].append(self.out.values[k, j].copy())
            self.warm_rows[int(k), int(j)] += int(self.out.warm[k, j])


def series(seed: int, n: int, offset: int, base_ms: int = MINUTE, keep: float = 1.0) -> Bars:
    rng = np.random.default_rng(seed)
    close = np.round(100.0 * np.exp(np.cumsum(rng.normal(0, 1e-3, n))), 2)
    open_ = np.concatenate([close[:1], close[:-1]])
    high, low = np.maximum(open_, close) + 0.01, np.minimum(open_, close) - 0.01
    ts = MIDNIGHT + base_ms * (offset + np.arange(n))
    bars = Bars.make(ts, open_, high, low, close, rng.random(n) * 10)
    return bars[rng.random(n) < keep]


def assert_as_resampled(live: Live, all_bars: list[Bars]) -> None:
    lead = all_bars[live.intervals.reference] if live.intervals.reference >= 0 else None
    for k, bars in enumerate(all_bars):
        for j, frame in enumerate(FRAMES):
            base = int(live.intervals.base_ms[k])
            if frame.ms < base:
                assert live.rows[k, j] == []
                continue
            whole = resample(bars, base, frame.ms)
            reference = None
            if lead is not None:
                lead_base = int(live.intervals.base_ms[live.intervals.reference])
                reference = resample(lead, lead_base, frame.ms) if frame.ms >= lead_base else None
            table = features_of(whole, frame, reference)
            got = np.array(live.rows[k, j], np.float32).reshape(-1, N_FEATURES)
            assert got.tobytes() == table.values.tobytes(), (k, frame)
            assert live.warm_rows[k, j] == int(table.warm.sum())


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 1000),
    offset=st.integers(0, 70),
    keep=st.sampled_from([1.0, 0.999, 0.97]),
    filled=st.booleans(),
    reference=st.sampled_from([-1, 0, 1]),
)
def test_live_aggregation_is_the_resampled_history(
    seed: int, offset: int, keep: float, filled: bool, reference: int
) -> None:
    all_bars = [
        series(seed, 900, offset, keep=keep),
        series(seed + 1, 900, 0, keep=keep),
        series(seed + 2, 180, 1, base_ms=5 * MINUTE),
    ]
    if filled:
        all_bars = [fill_gaps(all_bars[0], MINUTE), fill_gaps(all_bars[1], MINUTE), all_bars[2]]
    live = Live(3, [MINUTE, MINUTE, 5 * MINUTE], reference)
    live.run(all_bars)
    assert_as_resampled(live, all_bars)


def test_a_bar_joined_half_way_is_never_due() -> None:
    live = Live(1, [MINUTE], -1)
    live.run([series(0, 56, offset=3)])  # 00:03 to 00:58
    assert len(live.rows[0, 0]) == 56
    assert len(live.rows[0, 1]) == 10  # from 00:05 to 00:55
    assert len(live.rows[0, 2]) == 2
    assert live.rows[0, 3] == []


def test_a_missing_minute_costs_the_bars_that_hold_it_and_the_memory() -> None:
    bars = series(0, 60 * 30, offset=0)
    live = Live(1, [MINUTE], -1)
    live.run([Bars.concat([bars[:727], bars[728:]])])
    assert len(live.rows[0, 0]) == 60 * 30 - 1
    assert len(live.rows[0, 1]) == 12 * 30 - 1
    assert len(live.rows[0, 3]) == 30 - 1
    assert live.series.features["age"][0] == 60 * 30 - 728
    assert live.series.features["age"][1] == (60 * 30 - 730) // 5
    assert live.series.features["age"][3] == 30 - 13


def test_who_is_absent_is_left_alone() -> None:
    live = Live(2, [MINUTE, MINUTE], 0)
    none = Bars.empty()
    live.run([series(0, 30, 0), none])
    assert not live.series.aggregates[len(FRAMES) :].tobytes().strip(b"\0")
    assert np.isnan(live.out.values[1]).all()
    assert len(live.rows[0, 1]) == 6
    live.run([none, series(1, 30, 0)])
    assert not live.out.due[0].any()


@pytest.mark.parametrize("reference", [-1, 0, 1])
def test_an_instrument_whose_bars_come_later_has_the_same_features(reference: int) -> None:
    """All that is not the reference may be late: it finds the reference's closes of then."""
    bars = [series(k, 900, 0) for k in range(3)]
    whole, broken = Live(3, [MINUTE] * 3, reference), Live(3, [MINUTE] * 3, reference)
    whole.run(bars)
    draw, waits = np.random.default_rng(4), list[int]()
    late = (reference + 1) % 3 if reference >= 0 else 2
    nobody = np.zeros(3, np.bool_)
    for t in range(900):
        ohlcv = np.array([[b.open[t], b.high[t], b.low[t], b.close[t], b.volume[t]] for b in bars])
        close_ms, here = MIDNIGHT + (t + 1) * MINUTE, np.ones(3, np.bool_)
        if draw.random() < 0.5 or waits:
            here[late] = False
            waits.append(t)
        broken.close(close_ms, here, ohlcv, nobody)
        if len(waits) > draw.integers(1, 200):
            for w in waits:
                row = ohlcv.copy()
                b = bars[late]
                row[late] = b.open[w], b.high[w], b.low[w], b.close[w], b.volume[w]
                only = nobody.copy()
                only[late] = True
                broken.close(MIDNIGHT + (w + 1) * MINUTE, only, row, nobody)
            waits = []
    end = 900 - len(waits)
    assert end > 600
    for j in range(len(FRAMES)):
        for k in range(3):
            rows = len(broken.rows[k, j])
            assert rows >= end * MINUTE // FRAMES[j].ms
            found, other = np.array(broken.rows[k, j]), np.array(whole.rows[k, j][:rows])
            assert found.tobytes() == other.tobytes(), (k, j)


def test_the_reference_itself_is_late_for_nobody_but_those_that_wait() -> None:
    """Whoever does not wait for it goes on without it, as where it has no bar."""
    live = Live(2, [MINUTE] * 2, 0)
    bars = [series(k, 3, 0) for k in range(2)]
    nobody = np.zeros(2, np.bool_)
    row = np.array([[b.open[0], b.high[0], b.low[0], b.close[0], b.volume[0]] for b in bars])
    live.close(MIDNIGHT + MINUTE, np.array([False, True]), row, nobody)
    live.close(MIDNIGHT + MINUTE, np.array([True, False]), row, nobody)
    closes = live.series.reference_closes
    assert closes["close_ms"].max(axis=1).tolist() == [MIDNIGHT + MINUTE, 0, 0, 0]
    assert newest_closes(live.series, 2).tolist() == [MIDNIGHT + MINUTE] * 2


def test_snapshot_in_the_middle_goes_on_to_the_bit() -> None:
    bars = [series(0, 700, 0), series(1, 700, 0)]
    whole = Live(2, [MINUTE, MINUTE], 0)
    whole.run(bars)
    first = Live(2, [MINUTE, MINUTE], 0)
    first.run([part[:333] for part in bars])
    second = Live(2, [MINUTE, MINUTE], 0)
    second.series = BarSeries(
        *(np.frombuffer(array.tobytes(), array.dtype).copy() for array in first.series)
    )
    second.run([part[333:] for part in bars])
    for restored, straight in zip(second.series, whole.series, strict=True):
        assert restored.tobytes() == straight.tobytes()


def test_warmed_up_it_goes_on_as_if_it_had_run_all_along() -> None:
    days = 1440 + 300
    bars = [series(0, days, 0), series(1, days, 0)]
    whole = Live(2, [MINUTE, MINUTE], 0)
    whole.run(bars)
    late = Live(2, [MINUTE, MINUTE], 0)
    for k in range(2):
        for j, frame in enumerate(FRAMES):
            past, lead = (resample(part[:1440], MINUTE, frame.ms) for part in (bars[k], bars[0]))
            age = warm_up(late.series, k * len(FRAMES) + j, past, lead)
            assert age == len(past)
    late.run([part[1440:] for part in bars])
    for key, rows in late.rows.items():
        assert np.array(rows).tobytes() == np.array(whole.rows[key][-len(rows) :]).tobytes()
    assert late.warm_rows[0, 1] == 60
    assert late.series.features.tobytes() == whole.series.features.tobytes()


def test_warm_up_forgets_what_was_there() -> None:
    live = Live(1, [MINUTE], -1)
    live.run([series(5, 100, 0)])
    bars = series(0, WARMUP_BARS, 0)
    assert warm_up(live.series, 0, bars, None) == WARMUP_BARS
    assert live.series.features["interval_ms"].tolist() == TF_MS.tolist()
    fresh = series_state(1)
    warm_up(fresh, 0, bars, None)
    assert live.series.features[:1].tobytes() == fresh.features[:1].tobytes()
    assert warm_up(live.series, 0, Bars.empty(), None) == 0


@pytest.mark.parametrize("frame", FRAMES)
def test_flat_bars_stay_flat_only_where_all_parts_are(frame: Timeframe) -> None:
    bars = series(0, 600, 0)
    bars = fill_gaps(Bars.concat([bars[:60], bars[200:]]), MINUTE)
    live = Live(1, [MINUTE], -1)
    live.run([bars])
    assert_as_resampled(live, [bars])


@pytest.mark.data
def test_live_aggregation_of_real_minutes_with_their_gaps(ares_data: Path) -> None:
    all_bars = []
    for name in ("BTCUSDT", "ADAUSDT"):
        table = polars.read_parquet(ares_data / "binance" / f"{name}_1m_202303_202305.parquet")
        columns = ("ts", "open", "high", "low", "close", "volume")
        bars = Bars.make(*(table[column].to_numpy() for column in columns))
        start = int(np.searchsorted(bars.ts_ms, 1_679_616_000_000))  # 2023-03-24, a halt at noon
        all_bars.append(fill_gaps(bars[start - 500 : start + 1500], MINUTE))
    assert any(bars.flat.any() for bars in all_bars)
    live = Live(2, [MINUTE, MINUTE], 0)
    live.run(all_bars)
    assert_as_resampled(live, all_bars)
