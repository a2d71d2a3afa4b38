"""A user's features on stored bars: look-ahead is refused, and nothing after the end is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ares.domain.errors import UserError
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.timeframe import HOUR_MS, Timeframe
from ares.kernel.bars import Bars
from ares.observe.user_features_check import load_features, require_no_leak
from ares.store.candles import CandleStore
from ares.store.database import open_database

BTC, ETH = Instrument("binance", "BTC/USDT"), Instrument("binance", "ETH/USDT")
START_MS = 1_704_067_200_000 // HOUR_MS * HOUR_MS
LEAK = """
@feature(warmup_bars=1)
def changes(bars, seen=[]):
    seen.append(len(seen))
    return float(len(seen))
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CandleStore]:
    engine = open_database(tmp_path / "ares.db")
    store = CandleStore(engine)
    close = 100.0 + np.random.default_rng(0).random(300)
    columns = (close, close + 1.0, close - 1.0, close, close)
    ts_ms = START_MS + HOUR_MS * np.arange(300, dtype=np.int64)
    store.save(InstrumentSpec(BTC, 2, 3), "1h", Bars.make(ts_ms, *columns), "a.csv")
    yield store
    engine.dispose()


def test_no_module_is_no_features(tmp_path: Path, store: CandleStore) -> None:
    assert load_features(None, tmp_path) is None
    require_no_leak(None, store, [BTC], [Timeframe.H1])


def test_a_feature_that_is_not_the_same_again_is_refused(
    user_module: Any, store: CandleStore
) -> None:
    require_no_leak(user_module.load(user_module.good), store, [BTC], [Timeframe.H1])
    user = user_module.load(LEAK)
    with pytest.raises(UserError, match=r"mine\.py: .*changes"):
        require_no_leak(user, store, [BTC], [Timeframe.H1])
    with pytest.raises(UserError, match=r"mine\.py: .*changes"):
        require_no_leak(user, store, [ETH, BTC], [Timeframe.D1, Timeframe.H1])


def test_without_stored_bars_nothing_can_be_tested(user_module: Any, store: CandleStore) -> None:
    require_no_leak(user_module.load(LEAK), store, [ETH], [Timeframe.H1])
    require_no_leak(user_module.load(LEAK), store, [BTC], [Timeframe.H1], START_MS)


def test_only_bars_that_are_closed_by_the_end_are_tested(
    user_module: Any, store: CandleStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    tested: list[Bars] = []

    def check(_user: object, bars: Bars, _interval_ms: int) -> None:
        tested.append(bars)

    monkeypatch.setattr("ares.observe.user_features_check.check_user_features", check)
    user, to_ms = user_module.load(user_module.good), START_MS + 200 * HOUR_MS + 1
    require_no_leak(user, store, [BTC], [Timeframe.H4, Timeframe.H1], to_ms)
    (bars,) = tested
    assert int(bars.ts_ms[-1]) + HOUR_MS == START_MS + 200 * HOUR_MS
    assert len(bars) == 200, "the finest timeframe has the most bars"
