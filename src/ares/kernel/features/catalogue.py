"""The catalogue of features: what each number of a bar is called, means and needs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

FEATURES_VERSION = 1
"""Raised when any feature's numbers change: models trained on the old numbers are then refused.
``tests/kernel/features/golden.json`` holds the numbers of this version."""

RECURSIVE_BARS = 241
"""Bars after which a recursive average has forgotten its start (see ``windowed_ema``)."""


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """One feature of a bar.

    group       : the family that computes it (a file of this package).
    formula     : how, with ``x[n]`` the value n bars ago; scale free, past only.
    source      : author and year, or the TA-Lib function it is checked against.
    warmup_bars : bars, the current one included, from which on the value no longer depends on
                  where the series began; before them it is NaN.
    """

    name: str
    group: str
    formula: str
    source: str
    warmup_bars: int


def _group(group: str, *rows: tuple[str, int, str, str]) -> tuple[FeatureSpec, ...]:
    return tuple(FeatureSpec(name, group, text, source, bars) for name, bars, text, source in rows)


_N = RECURSIVE_BARS

FEATURES: tuple[FeatureSpec, ...] = (
    *_group(
        "returns",
        ("return_1", 2, "ln(c / c[1])", "log return"),
        ("return_3", 4, "ln(c / c[3])", "log return"),
        ("return_5", 6, "ln(c / c[5])", "log return"),
        ("return_10", 11, "ln(c / c[10])", "log return"),
        ("return_20", 21, "ln(c / c[20])", "log return; Jegadeesh & Titman 1993"),
        ("return_50", 51, "ln(c / c[50])", "log return; Moskowitz, Ooi & Pedersen 2012"),
        ("return_z_20", 21, "(r - mean(r, 20)) / sd(r, 20); 0 if sd = 0", "z-score"),
        ("autocorrelation_50", 52, "sum(r r[1], 50) / sum(r^2, 50); 0 if no move", "Roll 1984"),
    ),
    *_group(
        "volatility",
        ("volatility_20", 21, "sample sd(r, 20)", "TA-Lib STDDEV x sqrt(20/19)"),
        ("volatility_100", 101, "sample sd(r, 100)", "TA-Lib STDDEV x sqrt(100/99)"),
        ("volatility_ratio_20_100", 101, "sd(r, 20) / sd(r, 100); 1 if sd = 0", "ratio"),
        ("parkinson_20", 20, "sqrt(mean(ln(h/l)^2, 20) / (4 ln 2))", "Parkinson 1980"),
        (
            "garman_klass_20",
            20,
            "sqrt(max(0, mean(ln(h/l)^2 / 2 - (2 ln 2 - 1) ln(c/o)^2, 20)))",
            "Garman & Klass 1980",
        ),
        ("natr_14", _N, "ATR(14) / c", "Wilder 1978; TA-Lib NATR / 100"),
        ("downside_share_20", 21, "sum(r^2 where r < 0, 20) / sum(r^2, 20); 1/2 if no move",
         "Barndorff-Nielsen et al. 2010"),
    ),
    *_group(
        "trend",
        ("sma_ratio_5_20", 20, "SMA(c, 5) / SMA(c, 20) - 1", "TA-Lib SMA"),
        ("sma_ratio_20_100", 100, "SMA(c, 20) / SMA(c, 100) - 1", "TA-Lib SMA"),
        ("sma_ratio_50_200", 200, "SMA(c, 50) / SMA(c, 200) - 1", "TA-Lib SMA"),
        ("close_sma_50", 50, "c / SMA(c, 50) - 1", "TA-Lib SMA"),
        ("macd_12_26", _N, "(EMA(c, 12) - EMA(c, 26)) / c", "Appel 1979; TA-Lib MACD"),
        ("macd_histogram_9", _N, "(MACD - EMA(MACD, 9)) / c", "Appel 1979; TA-Lib MACD"),
        ("adx_14", _N, "ADX(14) / 100", "Wilder 1978; TA-Lib ADX"),
        ("di_14", _N, "(+DI(14) - -DI(14)) / 100; 0 if no range", "Wilder 1978; TA-Lib DI"),
        ("aroon_25", 26, "(bars since low - bars since high) / 25, over 26 bars",
         "Chande 1995; TA-Lib AROONOSC / 100"),
        ("trend_slope_20", 20, "slope of c on time over 20 bars / c", "TA-Lib LINEARREG_SLOPE"),
        ("trend_fit_20", 20, "correlation of c with time over 20 bars; 0 if c stands still",
         "TA-Lib CORREL"),
    ),
    *_group(
        "momentum",
        ("rsi_14", _N, "RSI(14) / 100; 1/2 if no move", "Wilder 1978; TA-Lib RSI"),
        ("stochastic_14", 14, "(c - min(l, 14)) / (max(h, 14) - min(l, 14)); 1/2 if no range",
         "Lane 1984; TA-Lib STOCHF %K / 100"),
        ("stochastic_14_3", 16, "mean(stochastic_14, 3)", "Lane 1984; TA-Lib STOCHF %D / 100"),
        ("cci_20", 20, "CCI(20) / 100; 0 if no deviation", "Lambert 1980; TA-Lib CCI"),
        ("efficiency_20", 21, "|ln(c / c[20])| / sum(|r|, 20); 0 if no move", "Kaufman 1995"),
        ("streak", 12, "bars risen (+) or fallen (-) in a row, at most 10, / 10", "run length"),
    ),
    *_group(
        "volume",
        ("volume_ratio_1_20", 20, "(v - m) / (v + m), m = mean(v, 20); 0 if no volume", "ratio"),
        ("volume_ratio_5_50", 50, "(a - b) / (a + b), a = mean(v, 5), b = mean(v, 50); 0 if none",
         "ratio"),
        ("signed_volume_20", 21, "sum(sign(r) v, 20) / sum(v, 20); 0 if no volume",
         "Granville 1963; TA-Lib OBV"),
        ("mfi_14", 15, "MFI(14) / 100; 1/2 if no flow", "Quong & Soudack 1989; TA-Lib MFI"),
        ("chaikin_20", 20, "sum(v (2c - h - l) / (h - l), 20) / sum(v, 20); 0 if no volume",
         "Chaikin 1982; TA-Lib AD"),
        ("vwap_50", 50, "c / (sum(v (h + l + c) / 3, 50) / sum(v, 50)) - 1; 0 if no volume",
         "Berkowitz, Logue & Noser 1988"),
        ("price_volume_20", 20, "correlation of c with v over 20 bars; 0 if either stands still",
         "TA-Lib CORREL"),
        ("idle_share_50", 50, "share of bars without a trade, 50", "data quality"),
    ),
    *_group(
        "range",
        ("body", 1, "(c - o) / (h - l); 0 if no range", "candle"),
        ("upper_shadow", 1, "(h - max(o, c)) / (h - l); 0 if no range", "candle"),
        ("true_range_ratio_14", _N, "(TR - ATR(14)) / (TR + ATR(14)); 0 if none", "TA-Lib TRANGE"),
        ("channel_20", 20, "(c - min(l, 20)) / (max(h, 20) - min(l, 20)); 1/2 if no range",
         "Donchian 1960; TA-Lib MIN, MAX"),
        ("channel_100", 100, "(c - min(l, 100)) / (max(h, 100) - min(l, 100)); 1/2 if no range",
         "Donchian 1960; TA-Lib MIN, MAX"),
        ("bollinger_20", 20, "(c - SMA(c, 20)) / (2 population sd(c, 20)); 0 if sd = 0",
         "Bollinger 1983; TA-Lib BBANDS"),
    ),
    *_group(
        "session",
        ("day_sin", 1, "sin(2 pi minute of the UTC day / 1440), at the open", "clock"),
        ("day_cos", 1, "cos(2 pi minute of the UTC day / 1440), at the open", "clock"),
        ("week_sin", 1, "sin(2 pi hour of the UTC week / 168), Monday first, at the open", "clock"),
        ("week_cos", 1, "cos(2 pi hour of the UTC week / 168), Monday first, at the open", "clock"),
    ),
    *_group(
        "cross",
        ("reference_return_1", 2, "q = ln(ref / ref[1]); 0 if unknown", "log return"),
        ("relative_return_1", 2, "ln(c / c[1]) - ln(ref / ref[1]); 0 if unknown", "log return"),
        ("relative_return_5", 6, "ln(c / c[5]) - ln(ref / ref[5]); 0 if unknown", "log return"),
        ("relative_return_20", 21, "ln(c / c[20]) - ln(ref / ref[20]); 0 if unknown", "log return"),
        ("beta_50", 51, "cov(r, q) / var(q) over 50; 0 if fewer than 25 pairs or var = 0",
         "Sharpe 1964; TA-Lib LINEARREG"),
        ("correlation_50", 51, "correlation(r, q) over 50; 0 if fewer than 25 pairs or var = 0",
         "Pearson 1895; TA-Lib CORREL"),
    ),
)  # fmt: skip

N_FEATURES = len(FEATURES)
FEATURE_NAMES: tuple[str, ...] = tuple(spec.name for spec in FEATURES)
WARMUP_BARS = max(spec.warmup_bars for spec in FEATURES)


def _hash() -> str:
    """Hash what a model relies on: version, names and warmups, but no texts for readers."""
    digest = hashlib.sha256(f"features {FEATURES_VERSION}".encode())
    for spec in FEATURES:
        digest.update(f"|{spec.name}|{spec.warmup_bars}".encode())
    return digest.hexdigest()


FEATURES_HASH = _hash()

# The column of each feature, in the order of FEATURES (a test holds the names together).
(
    RETURN_1,
    RETURN_3,
    RETURN_5,
    RETURN_10,
    RETURN_20,
    RETURN_50,
    RETURN_Z_20,
    AUTOCORRELATION_50,
    VOLATILITY_20,
    VOLATILITY_100,
    VOLATILITY_RATIO_20_100,
    PARKINSON_20,
    GARMAN_KLASS_20,
    NATR_14,
    DOWNSIDE_SHARE_20,
    SMA_RATIO_5_20,
    SMA_RATIO_20_100,
    SMA_RATIO_50_200,
    CLOSE_SMA_50,
    MACD_12_26,
    MACD_HISTOGRAM_9,
    ADX_14,
    DI_14,
    AROON_25,
    TREND_SLOPE_20,
    TREND_FIT_20,
    RSI_14,
    STOCHASTIC_14,
    STOCHASTIC_14_3,
    CCI_20,
    EFFICIENCY_20,
    STREAK,
    VOLUME_RATIO_1_20,
    VOLUME_RATIO_5_50,
    SIGNED_VOLUME_20,
    MFI_14,
    CHAIKIN_20,
    VWAP_50,
    PRICE_VOLUME_20,
    IDLE_SHARE_50,
    BODY,
    UPPER_SHADOW,
    TRUE_RANGE_RATIO_14,
    CHANNEL_20,
    CHANNEL_100,
    BOLLINGER_20,
    DAY_SIN,
    DAY_COS,
    WEEK_SIN,
    WEEK_COS,
    REFERENCE_RETURN_1,
    RELATIVE_RETURN_1,
    RELATIVE_RETURN_5,
    RELATIVE_RETURN_20,
    BETA_50,
    CORRELATION_50,
) = range(N_FEATURES)
