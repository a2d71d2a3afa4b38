"""Checks of the stored news: gaps, stale sources, headlines without a score other than 0."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ares.domain.series import SentimentSpec
from ares.domain.timeframe import HOUR_MS
from ares.observe.series_check import hours_text
from ares.store.news import NewsSource, NewsStore

NEUTRAL_MAX = 0.5
"""A source with more than this share of scores of exactly 0 is reported."""


class SourceChecked(msgspec.Struct, frozen=True):
    """One source about one scope.

    counts    : it is among the sources that the settings name.
    age_hours : of its newest row.      stale : older than models accept.
    gaps_hours : its longest silence, where that is longer than models accept; else None.
    """

    source: NewsSource
    counts: bool
    age_hours: float
    stale: bool
    gaps_hours: float | None
    remarks: tuple[str, ...]


def check_news(store: NewsStore, spec: SentimentSpec, now_ms: int) -> list[SourceChecked]:
    """Return the state of every stored source, as of ``now_ms``."""
    return [_checked(stored, spec, now_ms) for stored in store.sources()]


def fresh(checked: Sequence[SourceChecked]) -> bool:
    """Return whether any source that counts is fresh: else models score by prices alone."""
    return any(row.counts and not row.stale for row in checked)


def _checked(source: NewsSource, spec: SentimentSpec, now_ms: int) -> SourceChecked:
    counts = not spec.sources or source.source in spec.sources
    age_ms = now_ms - source.last_ms
    stale = age_ms > spec.stale_ms
    gap = source.silence_ms if source.silence_ms > spec.stale_ms else None
    remarks = []
    if not counts:
        remarks.append("not among sentiment.sources: it does not count")
    if stale:
        remarks.append(f"stale: nothing for {hours_text(age_ms)}: sentiment is missing now")
    if gap is not None:
        remarks.append(f"no news for {hours_text(gap)}: rows there have no sentiment")
    if source.neutral > NEUTRAL_MAX * source.rows:
        remarks.append(f"{source.neutral / source.rows:.0%} of its rows score exactly 0")
    if len(source.scorers) > 1:
        remarks.append(f"scored by several scorers: {', '.join(source.scorers)}")
    return SourceChecked(
        source,
        counts,
        age_ms / HOUR_MS,
        stale,
        None if gap is None else gap / HOUR_MS,
        tuple(remarks),
    )
