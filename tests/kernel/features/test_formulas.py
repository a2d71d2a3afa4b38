"""Every feature against TA-Lib, or against its formula written out plainly."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import talib
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ares.domain.timeframe import Timeframe
from ares.kernel.bars import Bars
from ares.kernel.features import FEATURE_NAMES, FEATURES, features_of

F64 = NDArray[np.float64]

# Beyond float32's rounding: TA-Lib never forgets its first bars, lanes do after 211.
ABSOLUTE = {"adx_14": 3e-5, "rsi_14": 1e-6, "di_14": 1e-6, "true_range_ratio_14": 1e-6}
SLACK = {"price_volume_20": 1e-6, "trend_fit_20": 1e-6, "bollinger_20": 1e-5, "cci_20": 1e-5}


def rolling(x: F64, n: int, name: str) -> F64:
    return np.asarray(getattr(pd.Series(x).rolling(n), name)(), np.float64)


def lag(x: F64, n: int) -> F64:
    out = np.full_like(x, np.nan)
    out[n:] = x[:-n]
    return out


def correlations(x: F64, y: F64, n: int) -> F64:
    out = np.full_like(x, np.nan)
    a, b = sliding_window_view(x, n), sliding_window_view(y, n)
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    size = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    out[n - 1 :] = np.where(size > 0, (a * b).sum(axis=1) / np.where(size > 0, size, 1.0), 0.0)
    return out


def runs(r: F64) -> F64:
    out = np.zeros_like(r)
    for t in range(1, len(r)):
        sign = np.sign(r[t])
        out[t] = sign * min(10, 1 + abs(out[t - 1])) if sign == np.sign(out[t - 1]) else sign
    return out / 10


def truth(b: Bars, ref: F64) -> dict[str, F64]:
    o, h, l, c, v = b.open, b.high, b.low, b.close, b.volume  # noqa: E741
    lc, q = np.log(c), np.log(ref)
    r, rq = lc - lag(lc, 1), q - lag(q, 1)
    sd_20 = talib.STDDEV(r, 20) * np.sqrt(20 / 19)
    sd_100 = talib.STDDEV(r, 100) * np.sqrt(100 / 99)
    sma = {n: talib.SMA(c, n) for n in (5, 20, 50, 100, 200)}
    hl2, co2 = np.log(h / l) ** 2, np.log(c / o) ** 2
    macd, signal, _ = talib.MACD(c, 12, 26, 9)
    fast_k, fast_d = talib.STOCHF(h, l, c, 14, 3)
    upper, middle, _ = talib.BBANDS(c, 20, 1.0, 1.0)
    atr, tr = talib.ATR(h, l, c, 14), talib.TRANGE(h, l, c)
    sum_20, mean_50 = talib.SUM(v, 20), talib.SMA(v, 50)
    mean_20, mean_5 = talib.SMA(v, 20), talib.SMA(v, 5)
    cents = np.rint(np.stack([h, l, c]) * 100)  # typical prices of equal sums are equal then
    obv, ad = talib.OBV(c, v), talib.AD(h, l, c, v)
    typical = talib.TYPPRICE(h, l, c)
    vwap = talib.SUM(typical * v, 50) / talib.SUM(v, 50)
    time = pd.DatetimeIndex(b.ts_ms.astype("datetime64[ms]"))
    minute = np.asarray(time.hour * 60 + time.minute, np.float64) * 2 * np.pi / 1440
    hour = np.asarray(time.day_of_week * 24 + time.hour, np.float64) * 2 * np.pi / 168
    spread = np.where(h > l, h - l, 1.0)
    cov = rolling(r * rq, 50, "mean") - rolling(r, 50, "mean") * rolling(rq, 50, "mean")
    low, high = talib.MIN, talib.MAX
    return {
        **{f"return_{n}": lc - lag(lc, n) for n in (1, 3, 5, 10, 20, 50)},
        "return_z_20": (r - talib.SMA(r, 20)) / sd_20,
        "autocorrelation_50": rolling(r * lag(r, 1), 50, "sum") / rolling(r * r, 50, "sum"),
        "volatility_20": sd_20,
        "volatility_100": sd_100,
        "volatility_ratio_20_100": sd_20 / sd_100,
        "parkinson_20": np.sqrt(talib.SMA(hl2, 20) / (4 * np.log(2))),
        "garman_klass_20": np.sqrt(talib.SMA(hl2 / 2 - (2 * np.log(2) - 1) * co2, 20)),
        "natr_14": talib.NATR(h, l, c, 14) / 100,
        "downside_share_20": talib.SUM(np.where(r < 0, r * r, 0), 20) / talib.SUM(r * r, 20),
        "sma_ratio_5_20": sma[5] / sma[20] - 1,
        "sma_ratio_20_100": sma[20] / sma[100] - 1,
        "sma_ratio_50_200": sma[50] / sma[200] - 1,
        "close_sma_50": c / sma[50] - 1,
        "macd_12_26": macd / c,
        "macd_histogram_9": (macd - signal) / c,
        "adx_14": talib.ADX(h, l, c, 14) / 100,
        "di_14": (talib.PLUS_DI(h, l, c, 14) - talib.MINUS_DI(h, l, c, 14)) / 100,
        "aroon_25": talib.AROONOSC(h, l, 25) / 100,
        "trend_slope_20": talib.LINEARREG_SLOPE(c, 20) / c,
        "trend_fit_20": correlations(c, np.arange(len(c), dtype=np.float64), 20),
        "rsi_14": talib.RSI(c, 14) / 100,
        "stochastic_14": fast_k / 100,
        "stochastic_14_3": fast_d / 100,
        "cci_20": talib.CCI(h, l, c, 20) / 100,
        "efficiency_20": np.abs(lc - lag(lc, 20)) / rolling(np.abs(r), 20, "sum"),
        "streak": runs(r),
        "volume_ratio_1_20": (v - mean_20) / (v + mean_20),
        "volume_ratio_5_50": (mean_5 - mean_50) / (mean_5 + mean_50),
        "signed_volume_20": (obv - lag(obv, 20)) / sum_20,
        "mfi_14": talib.MFI(cents[0], cents[1], cents[2], v, 14) / 100,
        "chaikin_20": (ad - np.nan_to_num(lag(ad, 20))) / sum_20,
        "vwap_50": c / vwap - 1,
        "price_volume_20": correlations(c, v, 20),
        "idle_share_50": rolling(np.where(v == 0, 1.0, 0.0), 50, "mean"),
        "body": (c - o) / spread,
        "upper_shadow": (h - np.maximum(o, c)) / spread,
        "true_range_ratio_14": (tr - atr) / (tr + atr),
        "channel_20": (c - low(l, 20)) / (high(h, 20) - low(l, 20)),
        "channel_100": (c - low(l, 100)) / (high(h, 100) - low(l, 100)),
        "bollinger_20": (c - middle) / (2 * (upper - middle)),
        "day_sin": np.sin(minute),
        "day_cos": np.cos(minute),
        "week_sin": np.sin(hour),
        "week_cos": np.cos(hour),
        "reference_return_1": rq,
        **{f"relative_return_{n}": lc - lag(lc, n) - (q - lag(q, n)) for n in (1, 5, 20)},
        "beta_50": cov / rolling(rq, 50, "var") * 50 / 49,
        "correlation_50": correlations(r, rq, 50),
    }


def assert_agree(bars: Bars, reference: Bars, timeframe: Timeframe) -> None:
    table = features_of(bars, timeframe, reference)
    rows = np.searchsorted(reference.ts_ms, bars.ts_ms)
    expected = truth(bars, reference.close[rows])
    assert set(expected) == set(FEATURE_NAMES)
    wrong = []
    for f, spec in enumerate(FEATURES):
        # TA-Lib's recursive averages need longer to forget their seed than ours do.
        first = max(spec.warmup_bars - 1, 600 if spec.warmup_bars == 241 else 15)
        got, want = table.values[first:, f].astype(np.float64), expected[spec.name][first:]
        atol = ABSOLUTE.get(spec.name, SLACK.get(spec.name, 3e-8))
        if not np.allclose(got, want, rtol=1e-5, atol=atol):
            worst = np.nanargmax(np.abs(got - want))
            wrong.append((spec.name, int(worst), got[worst], want[worst]))
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.data
def test_formulas_on_real_hours(real_hours: Bars, real_hours_of_another: Bars) -> None:
    common = np.isin(real_hours.ts_ms, real_hours_of_another.ts_ms)
    pieces = np.flatnonzero(np.diff(real_hours.ts_ms[common]) != 3_600_000)
    last = int(pieces[0]) + 1 if len(pieces) else int(common.sum())
    assert last > 1500
    assert_agree(real_hours[common][:last], real_hours_of_another, Timeframe.H1)


def test_formulas_on_a_walk(walk: Callable[..., Bars]) -> None:
    assert_agree(walk(3, 2500), walk(4, 2500), Timeframe.M1)
