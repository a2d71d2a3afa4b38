"""Look-ahead leakage is detected: each kind of leak is planted once and tested by the gate.

    python -m bench.gate_leaks            the table; exit 1 for a missed leak or a false alarm
    python -m bench.gate_leaks --quick    fewer bars

A leak is detected if the leak test of the gate (``learn.gate.leaks``, ``learn.leakage``) names it.
Each leaking column is tested together with clean ones, which must not be named. What is shipped is
tested in the same way: every feature with every kind of reference, the labels, the walk-forward.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from ares.domain.series import SentimentSpec, SeriesSpec
from ares.domain.timeframe import HOUR_MS, Timeframe
from ares.kernel.bars import F64, I64, Bars
from ares.kernel.features import FEATURE_NAMES, VOLATILITY_20, features_of
from ares.kernel.features.observations import Observations
from ares.kernel.features.series import series_columns
from ares.learn.calibration import fit_platt
from ares.learn.gate.leaks import feature_leaks, label_leaks, walk_leaks
from ares.learn.gate.series_leaks import series_leaks
from ares.learn.labels import barrier_width, label_bars
from ares.learn.leakage import TimedRows, leak_test
from ares.learn.recipe import BoostRecipe, Recipe, default_label
from ares.learn.rows import F32, Rows, rows_of
from ares.learn.walk_forward import WalkForwardResult, fit_walk_forward
from ares.sim.hours import hours

SEED = 30_000
BARS, BARS_QUICK = 6_000, 2_600
COST_BPS = 22.0
AHEAD = 6
WEEK = 168

Column = Callable[[Bars], F64]
Walk = Callable[[F32, Rows, Recipe], WalkForwardResult]


@dataclass(frozen=True)
class LeakResult:
    """The result of one planted leak: whether it was named, and which clean columns were."""

    kind: str
    name: str
    caught: bool
    accused: tuple[str, ...] = ()


def main() -> int:
    args = _arguments()
    started = time.perf_counter()
    found, alarms = run(args.quick)
    sys.stdout.write(table(found, alarms, time.perf_counter() - started))
    return 0 if met(found, alarms) else 1


def run(quick: bool = False) -> tuple[list[LeakResult], dict[str, int]]:
    """Return the results, and the number of false alarms on what is shipped, by kind."""
    n = BARS_QUICK if quick else BARS
    own, other = hours(SEED, 0.0, n).bars, hours(SEED + 1, 0.0, n).bars
    found = [_column(name, column, own) for name, column in COLUMNS.items()]
    found += [_reference_leak(own, other), *_news(own), *_labels(own)]
    rows, recipe = _rows(own)
    found += [_walked(name, leaky, rows, recipe) for name, leaky in WALKS.items()]
    return found, _alarms(own, other, rows, recipe)


def met(found: list[LeakResult], alarms: dict[str, int]) -> bool:
    """Return whether all leaks were detected, without a false alarm."""
    return (
        len(found) >= 20
        and all(leak.caught and not leak.accused for leak in found)
        and not any(alarms.values())
    )


def figures(found: list[LeakResult], alarms: dict[str, int]) -> dict[str, Any]:
    """Return the counts, as they are stored."""
    return {
        "planted": len(found),
        "caught": sum(leak.caught for leak in found),
        "missed": [leak.name for leak in found if not leak.caught],
        "honest_accused": [f"{leak.name}: {who}" for leak in found for who in leak.accused],
        "alarms_on_shipped": alarms,
        "names": [f"{leak.kind}: {leak.name}" for leak in found],
        "met": met(found, alarms),
    }


def table(found: list[LeakResult], alarms: dict[str, int], seconds: float) -> str:
    """Return the results for the terminal."""
    lines = []
    for leak in found:
        others = f"; also named: {', '.join(leak.accused)}" if leak.accused else ""
        lines.append(
            f"{'caught' if leak.caught else 'MISSED':<7} {leak.kind:<9} {leak.name}{others}"
        )
    shipped = ", ".join(f"{kind} {n}" for kind, n in alarms.items())
    caught = sum(leak.caught for leak in found)
    lines += [
        "",
        f"{caught} of {len(found)} planted leaks caught; alarms on what is shipped: {shipped}; "
        f"{'met' if met(found, alarms) else 'NOT MET'}, in {seconds:.0f} s",
        "",
    ]
    return "\n".join(lines)


# --- how each kind is tried ----------------------------------------------------------------------


def _column(name: str, column: Column, own: Bars) -> LeakResult:
    """Test a leaking column together with two clean ones."""

    def columns(bars: Bars, _: Bars | None) -> F32:
        honest = [_returns(bars), _past_mean(bars)]
        return np.column_stack([*honest, column(bars)]).astype(np.float32)

    leaking = feature_leaks(own, None, columns, ("return", "mean", name), HOUR_MS).leaking
    return LeakResult("feature", name, name in leaking, tuple(x for x in leaking if x != name))


def _reference_leak(own: Bars, other: Bars) -> LeakResult:
    """Test a column that reads the reference's bar of one hour later."""
    name = "reference instrument's later bar"

    def columns(bars: Bars, reference: Bars | None) -> F32:
        assert reference is not None
        honest = np.searchsorted(reference.ts_ms, bars.ts_ms)
        rows = np.clip(np.column_stack([honest, honest + 1]), 0, len(reference) - 1)
        read: F32 = reference.close[rows].astype(np.float32)
        return read

    leaking = feature_leaks(own, other, columns, ("now", name), HOUR_MS).leaking
    name_read = f"{name} (of the reference)"
    return LeakResult(
        "reference", name, name_read in leaking, tuple(x for x in leaking if x != name_read)
    )


def _news(own: Bars) -> list[LeakResult]:
    """Test sentiment dated by the hour that it is about, before its publication; and sentiment
    without the delay of the settings.
    """
    draw = np.random.default_rng(SEED)
    spec = SentimentSpec()
    published_ms = (
        np.sort(draw.choice(own.ts_ms[: -WEEK // 2], len(own) // 6, replace=False)) + 1_000
    )
    scores = draw.integers(-1_000_000, 1_000_001, len(published_ms)) / 1e6
    news = Observations(
        published_ms + spec.delay_ms, published_ms, scores, np.zeros(len(published_ms), np.int64)
    )

    def ahead(by_ms: int) -> Callable[[Observations, SeriesSpec, I64], F32]:
        def columns(seen: Observations, how: SeriesSpec, now_ms: I64) -> F32:
            early = replace(
                seen, known_ms=seen.known_ms - by_ms, published_ms=seen.published_ms - by_ms
            )
            return series_columns(early, how, now_ms)

        return columns

    closed_ms = own.ts_ms + HOUR_MS
    return [
        LeakResult("news", name, len(series_leaks(news, spec, closed_ms, ahead(by_ms)).leaking) > 0)
        for name, by_ms in (
            ("sentiment before its publication", 9 * HOUR_MS),
            ("sentiment before its delay is over", spec.delay_ms),
        )
    ]


def _labels(own: Bars) -> list[LeakResult]:
    """Test labels that claim to be known too early, or are scaled by later values."""
    label = default_label(Timeframe.H1, COST_BPS, "triple_barrier")
    bars = own[-1_000:]
    change = np.abs(np.diff(np.log(bars.close), prepend=np.log(bars.close[:1])))

    def tell(early_bars: int, sigma_ahead: bool) -> Callable[[Bars], TimedRows]:
        def rows_of(part: Bars) -> TimedRows:
            moved = change[: len(part)] if not sigma_ahead else _change(part)
            sigma = np.maximum.accumulate(moved) / 4.0 + (moved.mean() if sigma_ahead else 0.0)
            width = barrier_width(sigma, label.horizon_bars, 1.0, label.width_min_bps)
            labels = label_bars(part, width, label, HOUR_MS)
            kept = labels.known
            known_ms = labels.ends_ms[kept] - early_bars * HOUR_MS
            return TimedRows(part.ts_ms[kept], known_ms, labels.net[kept][:, None])

        return rows_of

    found = []
    for name, early_bars, ahead in (
        ("label known one bar early", 1, False),
        ("barriers by the volatility of the whole", 0, True),
    ):
        leaking = leak_test(tell(early_bars, ahead), bars, (name,), HOUR_MS).leaking
        found.append(LeakResult("label", name, name in leaking))
    return found


def _walked(name: str, leaky: Walk, rows: Rows, recipe: Recipe) -> LeakResult:
    leaking = walk_leaks(rows.x, rows, recipe, walk_forward_fn=leaky).leaking
    return LeakResult("walk", name, "calibrated score" in leaking)


def _alarms(own: Bars, other: Bars, rows: Rows, recipe: Recipe) -> dict[str, int]:
    """Return the false alarms on what is shipped."""

    def shipped(bars: Bars, reference: Bars | None) -> F32:
        return features_of(bars, Timeframe.H1, reference).values

    named = [
        name
        for reference in (own, other, None)
        for name in feature_leaks(own, reference, shipped, FEATURE_NAMES, HOUR_MS).leaking
    ]
    label = recipe.label
    return {
        "features": len(named),
        "news": _news_alarms(own),
        "labels": len(label_leaks(own, HOUR_MS, label).leaking),
        "walk": len(walk_leaks(rows.x, rows, recipe).leaking),
    }


def _news_alarms(own: Bars) -> int:
    published_ms = own.ts_ms[5:-WEEK:7] + 1_000
    spec, scores = SentimentSpec(), np.arange(len(published_ms)) * 7_919 % 2_000_001 / 1e6 - 1.0
    news = Observations(
        published_ms + spec.delay_ms, published_ms, scores, np.zeros(len(published_ms), np.int64)
    )
    return len(series_leaks(news, spec, own.ts_ms + HOUR_MS).leaking)


def _rows(own: Bars) -> tuple[Rows, Recipe]:
    label = default_label(Timeframe.H1, COST_BPS, "triple_barrier")
    recipe = Recipe(Timeframe.H1, FEATURE_NAMES, "", label, BoostRecipe())
    table = features_of(own, Timeframe.H1, own)
    rows = rows_of(own, table.values, table.warm, table.values[:, VOLATILITY_20], recipe)
    return rows, recipe


# --- the columns ---------------------------------------------------------------------------------


def _returns(b: Bars) -> F64:
    return np.concatenate([[0.0], np.diff(np.log(b.close))])


def _change(b: Bars) -> F64:
    return np.abs(_returns(b))


def _past_mean(b: Bars) -> F64:
    return np.asarray(_series(b).rolling(9).mean())


def _series(b: Bars) -> pd.Series:
    return pd.Series(b.close)


def _hour_of(b: Bars) -> np.ndarray[Any, Any]:
    return (b.ts_ms // HOUR_MS % 24).astype(np.int64)


def _won_ahead(b: Bars) -> F64:
    later = np.append(b.close[AHEAD:], np.full(min(AHEAD, len(b)), b.close[-1]))
    return (later > b.close).astype(np.float64)


def _four_hours(b: Bars) -> pd.Series:
    return pd.Series(b.close, pd.to_datetime(b.ts_ms, unit="ms"))


def _unfinished(b: Bars) -> F64:
    line = _four_hours(b)
    return np.asarray(line.resample("4h", label="left").last().reindex(line.index, method="ffill"))


def _right_edge_misread(b: Bars) -> F64:
    """Bars stamped with their close time, read as if it were their open time."""
    line = _four_hours(b)
    bars = line.resample("4h", label="right", closed="left").mean()
    opened = bars.set_axis(pd.DatetimeIndex(bars.index) - pd.Timedelta(hours=4))
    return np.asarray(opened.reindex(line.index, method="ffill"))


def _merged_by_index(b: Bars) -> F64:
    """A mean without its warm-up rows, merged with the bars by row number."""
    mean = _series(b).rolling(9).mean().dropna().reset_index(drop=True)
    return np.asarray(mean.reindex(range(len(b))).ffill())


def _fourier(b: Bars) -> F64:
    spectrum = np.fft.rfft(np.log(b.close))
    spectrum[len(spectrum) // 10 :] = 0.0
    return np.asarray(np.fft.irfft(spectrum, len(b)))


def _savitzky(b: Bars) -> F64:
    from scipy.signal import savgol_filter

    width = min(11, (len(b) - 1) // 2 * 2 + 1)
    return np.asarray(savgol_filter(b.close, width, min(2, width - 1), mode="nearest"))


def _drawdown_ahead(b: Bars) -> F64:
    least = np.minimum.accumulate(b.low[::-1])[::-1]
    return np.asarray(least / b.close - 1.0)


def _sparse(b: Bars) -> pd.Series:
    return pd.Series(np.where(np.arange(len(b)) % 7 == 0, b.close, np.nan))


def _without_outliers(b: Bars) -> F64:
    """A jump that the next bar reverses is removed as a bad tick."""
    r = _returns(b)
    after = np.append(r[1:], 0.0)
    return np.where((np.abs(r) > r.std() / 2) & (np.sign(r) != np.sign(after)), 0.0, r)


def _target_encoded(b: Bars) -> F64:
    won, hour = _won_ahead(b), _hour_of(b)
    means = np.bincount(hour, won, 24) / np.maximum(np.bincount(hour, minlength=24), 1)
    return np.asarray(means[hour])


def _principal(b: Bars) -> F64:
    lags = np.column_stack([np.roll(_returns(b), k) for k in range(3)])
    lags[:3] = 0.0
    _, _, axes = np.linalg.svd(lags - lags.mean(axis=0), full_matrices=False)
    return np.asarray(lags @ axes[0])


def _detrended(b: Bars) -> F64:
    time_, level = np.arange(len(b)), np.log(b.close)
    return np.asarray(level - np.polyval(np.polyfit(time_, level, 1), time_))


def _clipped(b: Bars) -> F64:
    r = _returns(b)
    return np.clip(r, *np.quantile(r, [0.05, 0.95]))


COLUMNS: dict[str, Column] = {
    "centred rolling mean": lambda b: np.asarray(_series(b).rolling(9, center=True).mean()),
    "scaler fitted on everything": lambda b: (
        (_returns(b) - _returns(b).mean()) / (_returns(b).std() + 1e-12)
    ),
    "whole-series normalisation": lambda b: (b.close - b.close.min()) / (np.ptp(b.close) + 1e-12),
    "label shifted by one": lambda b: np.append(_won_ahead(b)[1:], 0.0),
    "label among the features": _won_ahead,
    "returns shifted by -k": lambda b: np.asarray(_series(b).pct_change().shift(-AHEAD).fillna(0)),
    "index merge after dropped rows": _merged_by_index,
    "higher timeframe's unfinished bar": _unfinished,
    "resampled with label=right misread": _right_edge_misread,
    "forward fill from the future (bfill)": lambda b: np.asarray(_sparse(b).bfill()),
    "interpolation": lambda b: np.asarray(_sparse(b).interpolate()),
    "target encoding": _target_encoded,
    "future volume": lambda b: np.asarray(pd.Series(b.volume).rolling(5).sum().shift(-4)),
    "rank over the whole series": lambda b: np.asarray(_series(b).rank(pct=True)),
    "quantile bins of the whole": lambda b: np.searchsorted(
        np.quantile(b.close, np.linspace(0, 1, 11)[1:-1]), b.close
    ).astype(np.float64),
    "Fourier smoothing": _fourier,
    "Savitzky-Golay smoothing": _savitzky,
    "smoothing both ways": lambda b: np.asarray(
        _series(b).ewm(span=5).mean()[::-1].ewm(span=5).mean()[::-1]
    ),
    "maximum drawdown ahead": _drawdown_ahead,
    "distance from the high of the whole": lambda b: b.close / b.high.max() - 1.0,
    "bad ticks cleaned with the next bar": _without_outliers,
    "principal components of everything": _principal,
    "trend fitted on everything": _detrended,
    "outliers clipped at quantiles of the whole": _clipped,
    "prices as a share of the last": lambda b: b.close / b.close[-1],
}


# --- the walks -----------------------------------------------------------------------------------


def _not_purged(x: F32, rows: Rows, recipe: Recipe) -> WalkForwardResult:
    """Training rows up to the test fold, regardless of when their labels end."""
    hasty = replace(rows, ends_ms=rows.decided_ms.copy())
    return fit_walk_forward(x, hasty, msgspec.structs.replace(recipe, embargo_bars=1))


def _calibrated_on_the_test(x: F32, rows: Rows, recipe: Recipe) -> WalkForwardResult:
    honest = fit_walk_forward(x, rows, recipe)
    seen = honest.out_of_sample
    raw = np.log(seen.p / (1.0 - seen.p))
    platt = fit_platt(raw, seen.rows.won, overlap=10, base_rate=float(seen.rows.won.mean()))
    return replace(honest, out_of_sample=replace(seen, p=platt.probability(raw)))


def _selected_on_everything(x: F32, rows: Rows, recipe: Recipe) -> WalkForwardResult:
    """The ten columns that correlate best with all outcomes, including those of the test."""
    won = rows.won - rows.won.mean()
    spread = x.std(axis=0)
    tie = np.abs(won @ (x - x.mean(axis=0))) / np.where(spread > 0, spread, np.inf)
    kept = np.zeros_like(x)
    best = np.argsort(-tie)[:10]
    kept[:, best] = x[:, best]
    return fit_walk_forward(kept, rows, recipe)


def _scaled_by_everything(x: F32, rows: Rows, recipe: Recipe) -> WalkForwardResult:
    spread = x.std(axis=0)
    scaled = (x - x.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return fit_walk_forward(np.round(scaled, 1).astype(np.float32), rows, recipe)


def _encoded_by_outcomes(x: F32, rows: Rows, recipe: Recipe) -> WalkForwardResult:
    hour = (rows.decided_ms // HOUR_MS % WEEK).astype(np.int64)
    means = np.bincount(hour, rows.won, WEEK) / np.maximum(np.bincount(hour, minlength=WEEK), 1)
    known = x.copy()
    known[:, 0] = means[hour]
    return fit_walk_forward(known, rows, recipe)


def _shuffled(x: F32, rows: Rows, recipe: Recipe) -> WalkForwardResult:
    """Shuffled folds: each model is fitted on rows around those that it scores."""
    order = np.random.default_rng(0).permutation(len(rows))
    mixed = replace(rows[order], decided_ms=rows.decided_ms.copy(), ends_ms=rows.ends_ms.copy())
    honest = fit_walk_forward(x, rows, recipe)
    other = fit_walk_forward(x[order], mixed, recipe).out_of_sample
    back = np.argsort(order[-len(other.p) :], kind="stable")
    p = other.p[back][-len(honest.out_of_sample.p) :]
    return replace(honest, out_of_sample=replace(honest.out_of_sample, p=p))


def _tuned_on_the_test(x: F32, rows: Rows, recipe: Recipe) -> WalkForwardResult:
    """Of two recipes, the better one on the test folds."""
    small = msgspec.structs.replace(recipe.boost, leaves=3)
    other = msgspec.structs.replace(recipe, boost=small)
    tried = [fit_walk_forward(x, rows, recipe), fit_walk_forward(x, rows, other)]
    half = [each.out_of_sample for each in tried]
    won = half[0].rows.won
    blend = np.array([np.mean((each.p - won) ** 2) for each in half])
    weight = blend[1] / blend.sum()
    p = weight * half[0].p + (1.0 - weight) * half[1].p
    return replace(tried[0], out_of_sample=replace(half[0], p=p))


WALKS: dict[str, Walk] = {
    "purge and embargo missing": _not_purged,
    "calibration on the test fold": _calibrated_on_the_test,
    "feature selection on everything": _selected_on_everything,
    "rows scaled by everything": _scaled_by_everything,
    "target encoding over all rows": _encoded_by_outcomes,
    "shuffled folds": _shuffled,
    "weights tuned on the test folds": _tuned_on_the_test,
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
