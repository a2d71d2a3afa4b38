"""The store of external series: values with the instants at which they were published and known."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Engine

from ares.domain.instrument import Instrument
from ares.domain.series import SentimentSpec, SeriesSpec
from ares.kernel.features.observations import NO_OBSERVATIONS, SeriesHistory
from ares.store.news import NewsStore


def stored_series(engine: Engine, specs: Sequence[SeriesSpec]) -> tuple[SeriesSpec, ...]:
    """Return the series of which anything is stored, in the same order."""
    return tuple(
        spec for spec in specs if isinstance(spec, SentimentSpec) and NewsStore(engine).any()
    )


def series_history(
    engine: Engine,
    specs: Sequence[SeriesSpec],
    instruments: Sequence[Instrument],
    until_ms: int | None = None,
) -> SeriesHistory:
    """Return the observations of each series, in lanes of the instruments' order.

    until_ms : nothing that is known later.
    """
    bases = [instrument.base for instrument in instruments]
    return tuple(
        NewsStore(engine).news(spec, bases, until_ms)
        if isinstance(spec, SentimentSpec)
        else NO_OBSERVATIONS
        for spec in specs
    )
