"""The leak test of an external series: no column may use a value before it is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from ares.domain.series import SentimentSpec, SeriesSpec
from ares.domain.timeframe import HOUR_MS
from ares.kernel.bars import I64
from ares.kernel.features.observations import ALL_INSTRUMENTS, Observations
from ares.kernel.features.series import column_names_of, series_columns
from ares.learn.gate.leaks import BARS_TRIED, CUTS, NOT_TESTED, Leaks
from ares.learn.leakage import GOLDEN
from ares.learn.rows import F32

Columns = Callable[[Observations, SeriesSpec, I64], F32]
"""(observations of one instrument, spec, instants) -> (n, n_columns)."""


def series_leaks(
    observations: Observations,
    spec: SeriesSpec,
    now_ms: I64,
    columns_of: Columns = series_columns,
    seed: int = 0,
) -> Leaks:
    """Return which columns of a series use values before they are known.

    Values that are not known by a cut are taken away, or replaced by others at other times: no
    column of an instant up to the cut may move by a bit, nor may it when computed twice.

    observations : of one instrument.
    now_ms       : (n,) closing instants, ascending; the newest are tested.
    """
    now_ms = now_ms[-BARS_TRIED:]
    if len(now_ms) < 2:
        return NOT_TESTED
    truth = columns_of(observations, spec, now_ms)
    found = _moved(spec, truth, columns_of(observations, spec, now_ms))
    draw = np.random.default_rng(seed)
    for k in range(CUTS):
        cut_ms = int(now_ms[int((len(now_ms) - 1) * ((k + 1) * GOLDEN % 1.0) ** 0.5)])
        early = now_ms <= cut_ms
        for other in _futures(observations, spec, cut_ms, draw):
            found += _moved(spec, truth[early], columns_of(other, spec, now_ms)[early])
    return found


def learned_leaks(
    observations: Observations, spec: SeriesSpec, decided_ms: I64, learned: F32
) -> Leaks:
    """Return which columns that a model has learned from are not those of what was known by then.

    ``series_leaks`` tries how columns are made; this, what came of it: rows that were given the
    columns of another instant, or values that were stored as known too early.

    observations : of one instrument.
    decided_ms   : (n,) ascending; learned : (n, n_columns).
    """
    out_ms = _known_ms(observations, spec)
    honest = replace(observations, known_ms=out_ms)[np.argsort(out_ms, kind="stable")]
    return _moved(spec, np.ascontiguousarray(learned), series_columns(honest, spec, decided_ms))


def _known_ms(observations: Observations, spec: SeriesSpec) -> I64:
    """Return since when each row can have been known: not before publication and delay."""
    return np.maximum(observations.published_ms + _delay_ms(spec), observations.known_ms)


def _delay_ms(spec: SeriesSpec) -> int:
    return spec.delay_ms if isinstance(spec, SentimentSpec) else 0


def _futures(
    observations: Observations, spec: SeriesSpec, cut_ms: int, draw: np.random.Generator
) -> Iterator[Observations]:
    """Yield the rows known by the cut, alone and with others in place of the later ones."""
    out_ms = _known_ms(observations, spec)
    kept, n = observations[out_ms <= cut_ms], int((out_ms > cut_ms).sum()) + 3
    yield kept
    published_ms = cut_ms + 1 + draw.integers(0, 24 * HOUR_MS, n) - _delay_ms(spec)
    values = observations.values
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
    other = (
        published_ms + _delay_ms(spec),
        published_ms,
        draw.uniform(low - 1.0, high + 1.0, n),
        np.full(n, ALL_INSTRUMENTS),
    )
    own = (kept.known_ms, kept.published_ms, kept.values, kept.lane)
    pairs = [np.concatenate(pair).tolist() for pair in zip(own, other, strict=True)]
    yield Observations.of(zip(*pairs, strict=True))


def _moved(spec: SeriesSpec, before: F32, after: F32) -> Leaks:
    same = before.view(np.int32) == after.view(np.int32)
    moved = ~(same | (np.isnan(before) & np.isnan(after))).all(axis=0)
    names = tuple(name for name, bad in zip(column_names_of(spec), moved, strict=True) if bad)
    return Leaks(before.size, names)
