"""The history that a training may use: inside its window, with the finest bars that cover it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ares.domain.errors import UserError
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.timeframe import HOUR_MS, MINUTE_MS, Timeframe
from ares.kernel.bars import Bars
from ares.kernel.features import FEATURE_NAMES, N_FEATURES, WARMUP_BARS
from ares.runtime.training.instrument_history import (
    HistorySource,
    InstrumentHistory,
    empty_history,
    load_history,
)
from ares.store.candles import CandleStore
from ares.store.database import open_database

BTC, ETH = Instrument("binance", "BTC/USDT"), Instrument("binance", "ETH/USDT")
START_MS = 1_672_531_200_000  # 2023-01-01
HOURS = 1_000
MakeBars = Callable[..., Bars]


@pytest.fixture
def source(tmp_path: Path, bars_of: MakeBars) -> HistorySource:
    """Return a source of 1,000 hours, of which the last 200 are known in quarters too."""
    url = f"sqlite:///{tmp_path / 'ares.db'}"
    engine = open_database(url)
    store, spec = CandleStore(engine, tmp_path / "cache"), InstrumentSpec(BTC, 4, 4)
    quarters = bars_of(4 * HOURS, 1, interval_ms=15 * MINUTE_MS)
    store.save(spec, "15m", quarters[4 * (HOURS - 200) :], "made for a test")
    store.save(spec, "1h", bars_of(HOURS, 1), "made for a test")
    engine.dispose()
    return HistorySource(url, tmp_path / "cache")


def load(
    source: HistorySource,
    rows_max: int = 10_000,
    notes: list[str] | None = None,
    reference: Instrument | None = None,
) -> InstrumentHistory:
    notes = [] if notes is None else notes
    return load_history(source, BTC, Timeframe.H1, reference, rows_max, notes)


def test_paths_follow_finer_bars_only_where_they_cover_what_is_used(source: HistorySource) -> None:
    whole = load(source)
    assert whole.path_interval_ms == HOUR_MS  # quarters cover a fifth of it
    assert len(whole.path_bars) == len(whole.bars) == HOURS
    few = load(source, rows_max=150)
    assert few.path_interval_ms == 15 * MINUTE_MS
    assert len(few.path_bars) == 4 * 165  # a tenth more than is used
    assert len(few.bars) == HOURS
    assert few.end_ms == whole.end_ms == START_MS + HOURS * HOUR_MS


def test_nothing_after_the_window_is_read_and_a_warm_up_before_it_is(
    source: HistorySource,
) -> None:
    from_ms, to_ms = START_MS + 500 * HOUR_MS, START_MS + 700 * HOUR_MS
    found = load(replace(source, from_ms=from_ms, to_ms=to_ms))
    assert found.end_ms == int(found.bars.ts_ms[-1]) + HOUR_MS == to_ms
    assert found.bars.ts_ms[0] == from_ms - WARMUP_BARS * HOUR_MS
    assert found.path_bars.ts_ms[0] == from_ms
    whole = load(source)
    rows = np.isin(whole.bars.ts_ms, found.bars.ts_ms[found.bars.ts_ms >= from_ms])
    own = found.bars.ts_ms >= from_ms
    assert found.table.values[own].tobytes() == whole.table.values[rows].tobytes()


def test_a_reference_without_candles_is_a_remark_and_its_features_are_neutral(
    source: HistorySource,
) -> None:
    notes: list[str] = []
    without = load(source, notes=notes, reference=ETH)
    [note] = [note for note in notes if "without its reference" in note]
    assert note.startswith("binance:BTC/USDT 1h: without its reference: ")
    none = load(source)
    assert without.table.values.tobytes() == none.table.values.tobytes()
    own = load(source, reference=BTC)
    assert own.table.values.tobytes() != none.table.values.tobytes()


def test_candles_that_are_longer_than_the_timeframe_give_none(source: HistorySource) -> None:
    with pytest.raises(UserError, match="binance:BTC/USDT has no candles for 5m bars"):
        load_history(source, BTC, Timeframe.M5, None, 100, [])


def test_an_instrument_without_candles_has_no_rows_and_all_columns() -> None:
    nothing = empty_history()
    assert nothing.table.values.shape == (0, N_FEATURES) == (0, len(FEATURE_NAMES))
    assert (len(nothing.bars), len(nothing.path_bars), nothing.end_ms) == (0, 0, 0)
