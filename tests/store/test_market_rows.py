"""Volatility, return and volume of 24 hours from bars, whatever the batches and the gaps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.timeframe import DAY_MS, HOUR_MS, MINUTE_MS
from ares.domain.utc import utc_sql
from ares.store.market_rows import QUARTER_MS, MarketRows

SPECS = [InstrumentSpec(Instrument("binance", s), 2, 3) for s in ("BTC/USDT", "ETH/USDT")]
START_MS = 1_704_067_200_000
N = 2 * 1_440 + 37


def made() -> MarketRows:
    return MarketRows("paper", SPECS, [MINUTE_MS, MINUTE_MS])


@pytest.fixture(scope="module")
def bars() -> tuple[Any, ...]:
    """Return two days of two instruments; of the second one 5 minutes of a quarter are missing."""
    draw = np.random.default_rng(1)
    close = 100.0 * np.exp(np.cumsum(1e-3 * draw.standard_normal((N, 2)), axis=0))
    volume = np.round(draw.exponential(10.0, (N, 2)), 3)
    ohlcv = np.stack([close, close, close, close, volume], axis=2)
    present = np.ones((N, 2), bool)
    present[1_595:1_600, 1] = False
    close_ms = START_MS + MINUTE_MS * np.arange(1, N + 1)
    return np.arange(N), close_ms, ohlcv, present, np.ones(N, bool)


def test_rows_are_what_a_plain_sum_gives(bars: tuple[Any, ...]) -> None:
    rows = made().rows(*bars)
    _, close_ms, ohlcv, present, _ = bars
    assert len(rows) == 2 * (N // 15)
    assert [row[1] for row in rows] == sorted(int(str(row[1])) for row in rows)
    for i, symbol in enumerate(("BTC/USDT", "ETH/USDT")):
        of_i = [row for row in rows if row[2] == symbol]
        for at in (1_439, 2_009, 2_879):
            (row,) = [row for row in of_i if row[1] == at]
            assert row[3] == utc_sql(int(close_ms[at]))
            until = np.flatnonzero(present[: at + 1, i])
            inside = until[until > at - 1_440]
            closes = ohlcv[until, i, 3]
            returns = np.concatenate([[0.0], closes[1:] / closes[:-1] - 1.0])[-len(inside) :]
            assert row[4] == pytest.approx(np.sqrt((returns**2).sum()), rel=1e-5)
            assert row[5] == pytest.approx(ohlcv[at, i, 3] / ohlcv[at - 60, i, 3] - 1.0)
            assert row[6] == pytest.approx(ohlcv[inside, i, 4].sum())


def test_what_is_not_known_yet_is_null(bars: tuple[Any, ...]) -> None:
    rows = [row for row in made().rows(*bars) if row[2] == "BTC/USDT"]
    assert rows[0][4:] == (None, None, None)
    first = {k: next(row[1] for row in rows if row[k] is not None) for k in (4, 5, 6)}
    assert first == {4: 1_379, 5: 74, 6: 1_379}  # 95% of a day; an hour after a first close


@pytest.mark.parametrize("seed", range(5))
def test_batches_of_any_size_give_the_same_rows(bars: tuple[Any, ...], seed: int) -> None:
    cuts = np.sort(np.random.default_rng(seed).integers(0, N, 40))
    rows: list[Any] = []
    market = made()
    for part in np.split(np.arange(N), cuts):
        later = made()
        later.restore(market.state)
        rows += later.rows(*(column[part] for column in bars))
        market = later
    assert rows == made().rows(*bars)


def test_late_bars_count_from_then_on(bars: tuple[Any, ...]) -> None:
    """Those of the gap come at its end: rows after them are those of an unbroken feed."""
    seqs, close_ms, ohlcv, present, in_window = bars
    whole, late = np.ones_like(present), present.copy()
    gap = np.arange(1_595, 1_600)
    order = np.concatenate([np.arange(1_600), gap, np.arange(1_600, N)])
    again = np.zeros(len(order), bool)
    again[1_600:1_605] = True
    late = late[order]
    late[again] = [False, True]
    rows = made().rows(seqs[order], close_ms[order], ohlcv[order], late, in_window[order] & ~again)
    assert rows == made().rows(seqs, close_ms, ohlcv, whole, in_window)


def test_a_long_gap_makes_the_numbers_unknown(bars: tuple[Any, ...]) -> None:
    _, close_ms, ohlcv, present, in_window = bars
    market = made()
    market.rows(*bars)
    again = market.rows(np.arange(N), close_ms + 3 * DAY_MS, ohlcv, present, in_window)
    assert again[0][4:] == (None, None, None)
    assert again[-1][4:] == pytest.approx(made().rows(*bars)[-1][4:], rel=1e-4)
    before = market.rows(np.arange(N), close_ms - 30 * DAY_MS, ohlcv, present, in_window)
    assert before == []  # a journal that was put together by hand


def test_bars_before_the_window_warm_and_make_no_rows(bars: tuple[Any, ...]) -> None:
    *columns, in_window = bars
    seqs, close_ms, ohlcv, present = columns
    rows = made().rows(seqs, close_ms, ohlcv, present, seqs >= 1_500)
    whole = made().rows(seqs, close_ms, ohlcv, present, in_window)
    assert rows == [row for row in whole if int(str(row[1])) >= 1_500]


def test_hourly_and_daily_bars() -> None:
    n = 72
    close = np.linspace(100.0, 130.0, n)
    ohlcv = np.repeat(close[:, None, None], 5, axis=2)
    close_ms = START_MS + HOUR_MS * np.arange(1, n + 1)
    hourly = MarketRows("paper", SPECS[:1], [HOUR_MS])
    flags = np.ones((n, 1), bool)
    rows = hourly.rows(np.arange(n), close_ms, ohlcv, flags, flags[:, 0])
    assert len(rows) == n
    assert rows[-1][5] == pytest.approx(close[-1] / close[-2] - 1.0)
    assert rows[-1][6] == pytest.approx(close[-24:].sum(), rel=1e-3)
    daily = MarketRows("paper", SPECS[:1], [DAY_MS])
    of_days = START_MS + DAY_MS * np.arange(1, n + 1)
    rows = daily.rows(np.arange(n), of_days, ohlcv, flags, flags[:, 0])
    assert rows[-1][4:] == (
        pytest.approx(close[-1] / close[-2] - 1.0, rel=1e-5), None, pytest.approx(130.0)
    )  # fmt: skip
    assert QUARTER_MS == 900_000
