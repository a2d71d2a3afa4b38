"""How old the stored external series are, and where they paused for too long."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ares.domain.series import ValueSpec
from ares.domain.timeframe import HOUR_MS
from ares.store.series import StoredScope


class SeriesChecked(msgspec.Struct, frozen=True):
    """One series about one scope.

    is_feature : the settings name it in ``features.series``.
    age_hours  : since its newest publication.    stale : older than the settings accept.
    """

    stored: StoredScope
    is_feature: bool
    age_hours: float
    stale: bool
    remarks: tuple[str, ...]


def check_stored_series(
    stored: Sequence[StoredScope], features: Sequence[ValueSpec], now_ms: int
) -> list[SeriesChecked]:
    """Return the state of every stored series, as of ``now_ms``."""
    specs = {spec.name: spec for spec in features}
    return [_checked(row, specs.get(row.series), now_ms) for row in stored]


def all_fresh(checked: Sequence[SeriesChecked]) -> bool:
    """Return whether every series that is a feature is fresh."""
    return not any(row.is_feature and row.stale for row in checked)


def _checked(row: StoredScope, feature: ValueSpec | None, now_ms: int) -> SeriesChecked:
    spec = feature or ValueSpec(row.series)
    age_ms = now_ms - row.last_ms
    stale = age_ms > spec.stale_ms
    remarks = [] if feature else ["not in features.series: models are trained without it"]
    if stale and feature:
        remarks.append(
            f"stale: nothing for {hours_text(age_ms)}: models score without it until it is "
            "imported again"
        )
    if row.pause_ms > spec.stale_ms:
        remarks.append(
            f"paused for {hours_text(row.pause_ms)} at most: rows there have no value of it"
        )
    return SeriesChecked(row, feature is not None, age_ms / HOUR_MS, stale, tuple(remarks))


def hours_text(ms: int) -> str:
    """Return a time in hours, or in days where it is long.

    >>> hours_text(3 * HOUR_MS), hours_text(240 * HOUR_MS)
    ('3 hours', '10 days')
    """
    hours = ms / HOUR_MS
    return f"{hours:.0f} hours" if hours < 96 else f"{hours / 24:.0f} days"
