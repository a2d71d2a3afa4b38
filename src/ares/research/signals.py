"""What ensembles say over history: features of every timeframe, scores in batches, one signal."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ares.domain.model import Ensemble, Member
from ares.domain.package import Package
from ares.domain.series import SeriesSpec
from ares.domain.timeframe import Timeframe
from ares.kernel.bars import F64, I64, Bars
from ares.kernel.ensemble import FRESH_INTERVALS, Scores, aggregate_history, slot_records
from ares.kernel.features import VOLATILITY_20, WARMUP_BARS, features_of
from ares.kernel.features.columns import behind, require_same_columns, with_user
from ares.kernel.features.user import WARMUP_BARS_MAX, UserFeatures
from ares.kernel.trade import Signals
from ares.learn.series import is_present
from ares.research.market import Candles, market_of
from ares.research.strategy import Strategy

ROWS_PER_BATCH = 32_768

HistoryOf = Callable[[str, Timeframe, int, int], Bars]
"""(instrument key, timeframe, from_ms, to_ms) -> its bars that open and close in there, gaps
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
        """Return each member beside its package."""
        return list(zip(self.ensemble.members, self.packages, strict=True))


_Job = tuple[Candles, tuple[int, int], Timeframe, Package]
"""Candles of an instrument, (instrument, timeframe) by number, timeframe, package."""


@dataclass(frozen=True, slots=True)
class _Sources:
    """Where rows and answers come from, see ``ensemble_strategy``."""

    history_of: HistoryOf
    scorer_of: ScorerOf
    user: UserFeatures | None
    series_of: SeriesOf


@dataclass(frozen=True, slots=True)
class _MemberInput:
    """The rows of one member: what it has to score, and where the answers go.

    missing_shares : by series, of the rows those that have no value of it.
    """

    place: tuple[int, int]
    rows: np.ndarray
    close_ms: I64
    sigma: F64
    scorer: Callable[[np.ndarray], F64]
    missing_shares: dict[str, float]


def ensemble_strategy(
    candles: Sequence[Candles],
    voiced: Sequence[EnsembleMembers],
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

    voiced      : one for each of the candles.
    on_progress : told (rows scored, rows in all).
    user        : the user's own features, behind the kernel's.
    series_of   : gives the external series of models that have some.

    Raises UserMistake where a package was made for other features.
    """
    close_ms = market_of(candles).close_ms
    timeframes = sorted(
        {member.timeframe for one in voiced for member in one.ensemble.members},
        key=lambda timeframe: timeframe.ms,
    )
    sources = _Sources(history_of, scorer_of, user, series_of)
    series, missing = _scores(candles, voiced, timeframes, sources, on_progress)
    ensembles = [one.ensemble for one in voiced]
    slots = slot_records(ensembles, timeframes)
    signals = aggregate_history(close_ms, series, slots, timeframes, cost_bps_now)
    return Strategy(
        name=name,
        kind=kind,
        signals=signals,
        horizon_ms=tuple(one.horizon_ms for one in ensembles),
        validation=tuple(
            (
                one.validation.trades * validation_discount,
                one.validation.mean_bps,
                one.validation.sd_bps,
            )
            for one in ensembles
        ),
        models=tuple(_said(one) for one in voiced),
        warnings=(*_warnings(candles, voiced, signals), *missing),
    )


def _scores(
    candles: Sequence[Candles],
    voiced: Sequence[EnsembleMembers],
    timeframes: Sequence[Timeframe],
    sources: _Sources,
    on_progress: Callable[[int, int], None],
) -> tuple[list[list[Scores | None]], list[str]]:
    """Return the scores by instrument and timeframe, and where series are missing; features and
    batches on all cores.
    """
    series: list[list[Scores | None]] = [[None] * len(timeframes) for _ in candles]
    jobs: list[_Job] = [
        (one, (i, timeframes.index(member.timeframe)), member.timeframe, package)
        for i, (one, ensemble) in enumerate(zip(candles, voiced, strict=True))
        for member, package in ensemble.members()
    ]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        # A user's functions need not be fit for several threads.
        spread = pool.map if sources.user is None else map
        voices = list(spread(lambda job: _voice(job, sources), jobs))
        batches = [
            (voice, first)
            for voice in voices
            for first in range(0, len(voice.rows), ROWS_PER_BATCH)
        ]
        total, answers = sum(len(voice.rows) for voice in voices), []
        on_progress(0, total)
        for p in pool.map(lambda b: b[0].scorer(b[0].rows[b[1] : b[1] + ROWS_PER_BATCH]), batches):
            answers.append(p)
            on_progress(sum(map(len, answers)), total)
    for voice in voices:
        parts = [p for (v, _), p in zip(batches, answers, strict=True) if v is voice]
        p = np.concatenate(parts) if parts else np.empty(0)
        i, j = voice.place
        series[i][j] = Scores(voice.close_ms, p, voice.sigma)
    missing = [
        f"{candles[voice.place[0]].key} {timeframes[voice.place[1]]}: {name} is missing at "
        f"{share:.0%} of its bars: there its model answers without it"
        for voice in voices
        for name, share in voice.missing_shares.items()
        if share > 0.0
    ]
    return series, missing


def _voice(job: _Job, sources: _Sources) -> _MemberInput:
    """Return the warm rows of one member, from shortly before the window to its end."""
    candles, place, timeframe, package = job
    card, user = package.card, sources.user
    require_same_columns(card.ref, card.features, card.features_hash, user, card.series)
    first_ms, last_ms = int(candles.close_ms[0]), int(candles.close_ms[-1])
    heard_ms = first_ms - FRESH_INTERVALS * timeframe.ms
    warmup_bars = WARMUP_BARS if user is None else WARMUP_BARS_MAX
    from_ms = heard_ms - (warmup_bars + 1) * timeframe.ms
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
    keep = np.flatnonzero(warm & (close_ms > heard_ms))
    rows = behind(values[keep], sources.series_of(candles.key, card.series, close_ms[keep]))
    sigma = rows[:, VOLATILITY_20].astype(np.float64)
    present = is_present(rows, card.series) if len(rows) else ()
    missing = {
        spec.name: 1.0 - float(known.mean())
        for spec, known in zip(card.series, present, strict=False)
    }
    return _MemberInput(place, rows, close_ms[keep], sigma, sources.scorer_of(package), missing)


def _said(voiced: EnsembleMembers) -> dict[str, object]:
    """Return what the report says of an ensemble."""
    one = voiced.ensemble
    return {
        "instrument": one.instrument,
        "ensemble": one.hash,
        "created_at": one.created_at,
        "validation": {
            "trades": one.validation.trades,
            "mean_bps": one.validation.mean_bps,
            "sd_bps": one.validation.sd_bps,
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
            for member, package in voiced.members()
        ],
    }


def _warnings(
    candles: Sequence[Candles], voiced: Sequence[EnsembleMembers], signals: Signals
) -> list[str]:
    """Return what makes the result worth less than it looks."""
    found = []
    for i, (one, ensemble) in enumerate(zip(candles, voiced, strict=True)):
        overlap = _overlap(one, ensemble)
        if overlap > 0.0:
            found.append(
                f"{one.key}: {overlap:.0%} of the window is training data of its model: "
                "it is being asked what it was told; the result proves nothing"
            )
        made_for = {key for p in ensemble.packages for key in p.card.instruments}
        if made_for and one.key not in made_for:
            found.append(f"{one.key}: its model was made for {', '.join(sorted(made_for))}")
        if not np.isfinite(signals.edge[:, i]).any():
            found.append(
                f"{one.key}: its model has no say anywhere in the window: too little history "
                f"before it ({WARMUP_BARS} bars of each timeframe are needed)"
            )
    return found


def _overlap(candles: Candles, voiced: EnsembleMembers) -> float:
    """Return the share of the window that lies inside any member's training data."""
    from_ms, to_ms = int(candles.bars.ts_ms[0]), int(candles.close_ms[-1])
    inside = [
        (max(from_ms, p.card.data_from_ms), min(to_ms, p.card.data_to_ms))
        for p in voiced.packages
        if p.card.data_to_ms > from_ms and p.card.data_from_ms < to_ms
    ]
    if not inside:
        return 0.0
    first, last = min(a for a, _ in inside), max(b for _, b in inside)
    return max(0, last - first) / (to_ms - from_ms)
