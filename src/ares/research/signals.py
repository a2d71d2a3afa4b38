"""Signals of ensembles over history: features per timeframe, scores in batches, aggregation."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ares.adapters.strategy_file import columns_of_package
from ares.domain.model import Ensemble, Member
from ares.domain.package import Package
from ares.domain.series import SeriesSpec
from ares.domain.timeframe import MINUTE_MS, Timeframe
from ares.domain.utc import utc_text
from ares.kernel.bars import F64, I64, Bars
from ares.kernel.ensemble import FRESH_INTERVALS, Scores, aggregate_history, slot_records
from ares.kernel.features import VOLATILITY_20, WARMUP_BARS, features_of
from ares.kernel.features.columns import append_columns, require_same_columns, with_user
from ares.kernel.features.user import WARMUP_BARS_MAX, UserFeatures
from ares.kernel.trade import Signals
from ares.learn.series import is_present
from ares.research.market import Candles, market_of
from ares.research.strategy import Strategy

ROWS_PER_BATCH = 32_768

HistoryOf = Callable[[str, Timeframe, int, int], Bars]
"""(instrument key, timeframe, from_ms, to_ms) -> the bars that open and close in the window, gaps
filled; empty where there are none."""

SeriesOf = Callable[[str, Sequence[SeriesSpec], I64], np.ndarray | None]
"""(instrument key, external series of a model, closing instants) -> columns; None: no series."""

ScorerOf = Callable[[Package], Callable[[np.ndarray], F64]]
"""A package -> the function from float32 rows (n, n_features) to probabilities (n,)."""


@dataclass(frozen=True, slots=True)
class EnsembleMembers:
    """An ensemble with the packages of its members, in their order."""

    ensemble: Ensemble
    packages: tuple[Package, ...]

    def members(self) -> list[tuple[Member, Package]]:
        """Return each member with its package."""
        return list(zip(self.ensemble.members, self.packages, strict=True))


_Job = tuple[Candles, tuple[int, int], Timeframe, Package]
"""Candles of an instrument, (instrument index, timeframe index), timeframe, package."""


@dataclass(frozen=True, slots=True)
class _Sources:
    """Sources of rows and scores, see ``ensemble_strategy``."""

    history_of: HistoryOf
    scorer_of: ScorerOf
    user: UserFeatures | None
    series_of: SeriesOf


@dataclass(frozen=True, slots=True)
class _MemberInput:
    """The rows that one member scores.

    index : (instrument, timeframe) of its scores.
    missing_shares : by series, the share of rows without a value of it.
    """

    index: tuple[int, int]
    rows: np.ndarray
    close_ms: I64
    sigma: F64
    scorer: Callable[[np.ndarray], F64]
    missing_shares: dict[str, float]


def ensemble_strategy(
    candles: Sequence[Candles],
    ensembles: Sequence[EnsembleMembers],
    history_of: HistoryOf,
    scorer_of: ScorerOf,
    cost_bps_now: float,
    validation_discount: float,
    name: str,
    kind: str = "ensemble",
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    user: UserFeatures | None = None,
    series_of: SeriesOf = lambda _key, _specs, _close_ms: None,
) -> Strategy:
    """Return the strategy that trades each instrument by its ensemble.

    ensembles   : one per instrument of the candles.
    on_progress : called with (rows scored, rows in total).
    user        : user-defined features, after those of the kernel.
    series_of   : returns the columns of the external series of a model.

    Raises UserError where a package was trained on other features.
    """
    close_ms = market_of(candles).close_ms
    timeframes = sorted(
        {member.timeframe for each in ensembles for member in each.ensemble.members},
        key=lambda timeframe: timeframe.ms,
    )
    sources = _Sources(history_of, scorer_of, user, series_of)
    series, missing = _scores(candles, ensembles, timeframes, sources, on_progress)
    parts = [each.ensemble for each in ensembles]
    slots = slot_records(parts, timeframes)
    signals = aggregate_history(close_ms, series, slots, timeframes, cost_bps_now)
    return Strategy(
        name=name,
        kind=kind,
        signals=signals,
        horizon_ms=tuple(part.horizon_ms for part in parts),
        validation=tuple(
            (
                part.validation.trades * validation_discount,
                part.validation.mean_bps,
                part.validation.sd_bps,
            )
            for part in parts
        ),
        models=tuple(_provenance(each) for each in ensembles),
        warnings=(*_warnings(candles, ensembles, signals), *missing),
    )


def _scores(
    candles: Sequence[Candles],
    ensembles: Sequence[EnsembleMembers],
    timeframes: Sequence[Timeframe],
    sources: _Sources,
    on_progress: Callable[[int, int], None],
) -> tuple[list[list[Scores | None]], list[str]]:
    """Return the scores by instrument and timeframe, and warnings of missing series; features
    and batches run on all cores.
    """
    series: list[list[Scores | None]] = [[None] * len(timeframes) for _ in candles]
    jobs: list[_Job] = [
        (each, (i, timeframes.index(member.timeframe)), member.timeframe, package)
        for i, (each, ensemble) in enumerate(zip(candles, ensembles, strict=True))
        for member, package in ensemble.members()
    ]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        # User-defined functions need not be thread-safe.
        is_own = sources.user is not None or any(job[3].card.strategy for job in jobs)
        mapped = map if is_own else pool.map
        inputs = list(mapped(lambda job: _member_input(job, sources), jobs))
        batches = [
            (member, first)
            for member in inputs
            for first in range(0, len(member.rows), ROWS_PER_BATCH)
        ]
        total, scored = sum(len(member.rows) for member in inputs), []
        on_progress(0, total)
        for p in pool.map(lambda b: b[0].scorer(b[0].rows[b[1] : b[1] + ROWS_PER_BATCH]), batches):
            scored.append(p)
            on_progress(sum(map(len, scored)), total)
    for member in inputs:
        parts = [p for (m, _), p in zip(batches, scored, strict=True) if m is member]
        p = np.concatenate(parts) if parts else np.empty(0)
        i, j = member.index
        series[i][j] = Scores(member.close_ms, p, member.sigma)
    missing = [
        f"{candles[member.index[0]].key} {timeframes[member.index[1]]}: {name} is missing at "
        f"{share:.0%} of the bars: there the model scores without it"
        for member in inputs
        for name, share in member.missing_shares.items()
        if share > 0.0
    ]
    return series, missing


def _member_input(job: _Job, sources: _Sources) -> _MemberInput:
    """Return the rows of one member after warmup, from shortly before the window to its end."""
    candles, index, timeframe, package = job
    card, user = package.card, columns_of_package(package, sources.user)
    require_same_columns(card.ref, card.features, card.features_hash, user, card.series)
    first_ms, last_ms = int(candles.close_ms[0]), int(candles.close_ms[-1])
    scored_ms = first_ms - FRESH_INTERVALS * timeframe.ms
    warmup_bars = WARMUP_BARS if user is None else WARMUP_BARS_MAX
    from_ms = scored_ms - (warmup_bars + 1) * timeframe.ms
    bars = sources.history_of(candles.key, timeframe, from_ms, last_ms)
    reference = None
    if card.reference is not None:
        same = card.reference == candles.key
        reference = (
            bars if same else sources.history_of(card.reference, timeframe, from_ms, last_ms)
        )
    table = features_of(bars, timeframe, reference)
    close_ms = table.ts_ms + timeframe.ms
    values, warm = with_user(table, bars, timeframe, user)
    keep = np.flatnonzero(warm & (close_ms > scored_ms))
    rows = append_columns(values[keep], sources.series_of(candles.key, card.series, close_ms[keep]))
    sigma = rows[:, VOLATILITY_20].astype(np.float64)
    present = is_present(rows, card.series) if len(rows) else ()
    missing = {
        spec.name: 1.0 - float(known.mean())
        for spec, known in zip(card.series, present, strict=False)
    }
    return _MemberInput(index, rows, close_ms[keep], sigma, sources.scorer_of(package), missing)


def _provenance(members: EnsembleMembers) -> dict[str, object]:
    """Return the provenance of an ensemble, for the report."""
    ensemble = members.ensemble
    return {
        "instrument": ensemble.instrument,
        "ensemble": ensemble.hash,
        "created_at": ensemble.created_at,
        "validation": {
            "trades": ensemble.validation.trades,
            "mean_bps": ensemble.validation.mean_bps,
            "sd_bps": ensemble.validation.sd_bps,
        },
        "members": [
            {
                "timeframe": member.timeframe.value,
                "package": f"{member.name}/{member.version}",
                "hash": member.package_hash,
                "weight": member.weight,
                "data_from_ms": package.card.data_from_ms,
                "data_to_ms": package.card.data_to_ms,
            }
            for member, package in members.members()
        ],
    }


def _warnings(
    candles: Sequence[Candles], ensembles: Sequence[EnsembleMembers], signals: Signals
) -> list[str]:
    """Return the limitations of the result."""
    found = []
    for i, (each, ensemble) in enumerate(zip(candles, ensembles, strict=True)):
        overlap = _overlap(each, ensemble)
        if overlap > 0.0:
            what = "training data of its model"
            if any(p.card.origin == "imported" for p in ensemble.packages):
                what = "data that its imported model may have learned from"
            found.append(
                f"{each.key}: {overlap:.0%} of the window is {what}: "
                "the result is in-sample, not evidence"
            )
        for package in ensemble.packages:
            promised_ms = package.card.trained_to_ms
            if promised_ms is not None:
                found.append(
                    f"{each.key}: {package.card.ref} was promised to have learned nothing after "
                    f"{utc_text(promised_ms // MINUTE_MS * MINUTE_MS)} UTC (--trained-to)"
                )
        trained_for = {key for p in ensemble.packages for key in p.card.instruments}
        if trained_for and each.key not in trained_for:
            found.append(f"{each.key}: its model was trained for {', '.join(sorted(trained_for))}")
        if not np.isfinite(signals.edge_bps[:, i]).any():
            found.append(
                f"{each.key}: its model has no score in the window: the history before it is too "
                f"short ({WARMUP_BARS} bars of each timeframe are needed)"
            )
    return found


def _overlap(candles: Candles, ensemble: EnsembleMembers) -> float:
    """Return the share of the window that overlaps the training data of any member."""
    from_ms, to_ms = int(candles.bars.ts_ms[0]), int(candles.close_ms[-1])
    inside = [
        (max(from_ms, seen_ms), min(to_ms, p.card.learned_until_ms))
        for p in ensemble.packages
        for seen_ms in (0 if p.card.origin == "imported" else p.card.data_from_ms,)
        if p.card.learned_until_ms > from_ms and seen_ms < to_ms
    ]
    if not inside:
        return 0.0
    first, last = min(a for a, _ in inside), max(b for _, b in inside)
    return max(0, last - first) / (to_ms - from_ms)
