"""The external series of a model: which it is trained with, and their columns in its rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from sqlalchemy import Engine

from ares.domain.instrument import Instrument
from ares.domain.series import SENTIMENT, SeriesSpec
from ares.domain.timeframe import Timeframe
from ares.kernel.bars import I64
from ares.kernel.features.observations import SeriesHistory
from ares.kernel.features.series import all_columns
from ares.learn.recipe import Recipe
from ares.learn.rows import F32, Rows
from ares.learn.series import is_present, with_series
from ares.runtime.registry.paths import DataPaths
from ares.runtime.training.instrument_history import HistorySource
from ares.store.candles import CandleStore
from ares.store.database import open_database
from ares.store.series import series_history, stored_series

InstrumentGroup = tuple[Instrument, ...]
"""The instruments that one model is trained on."""


def series_of_groups(
    data: DataPaths,
    groups: Sequence[InstrumentGroup],
    from_ms: int | None,
    to_ms: int | None,
    specs: Sequence[SeriesSpec],
) -> tuple[dict[InstrumentGroup, tuple[SeriesSpec, ...]], list[str]]:
    """Return the series that each model is trained with, and remarks.

    specs : of the series that count. A model has those of which values become known in its window
            (of its candles where none is given).

    Raises UserError where one is not stored.
    """
    found: dict[InstrumentGroup, tuple[SeriesSpec, ...]] = dict.fromkeys(groups, ())
    if not specs:
        return found, []
    engine = open_database(data.database_url)
    try:
        specs = stored_series(engine, specs)
        candles, remarks = CandleStore(engine, data.cache), []
        for group in groups:
            spans = [_window(candles, instrument, from_ms, to_ms) for instrument in group]
            until_ms = max((end for _, end in spans), default=0)
            for spec, values in zip(
                specs, series_history(engine, specs, group, until_ms), strict=True
            ):
                known = [values.about(lane).between(*span) for lane, span in enumerate(spans)]
                if any(known):
                    found[group] += (spec,)
                else:
                    names = group[0].key if len(group) == 1 else "the universe"
                    remarks.append(f"{names}: no {_values(spec)} become known in the window: "
                                   f"{_without(spec)}")  # fmt: skip
        return found, remarks
    finally:
        engine.dispose()


def rows_with_series(
    rows: Rows, source: HistorySource, instruments: InstrumentGroup, recipe: Recipe
) -> tuple[Rows, list[str]]:
    """Return a model's rows with the columns of its series, and how much of each there is."""
    specs = recipe.series
    history = history_of(source.database_url, specs, instruments, source.to_ms)
    rows = with_series(rows, history, specs)
    whole = "universe" if recipe.scope == "universe" else instruments[0].key
    remarks = []
    for spec, present in zip(specs, is_present(rows.x, specs), strict=True):
        share = float(present.mean()) if len(rows) else 0.0
        remarks.append(
            f"{whole} {recipe.timeframe}: {spec.name} is known at {share:.0%} of the rows: "
            f"elsewhere, and whenever it is missing, the model scores {_without(spec)}"
        )
    return rows, remarks


def columns_at(
    database_url: str, specs: Sequence[SeriesSpec], instrument: Instrument, close_ms: I64
) -> F32 | None:
    """Return (n, n_columns) an instrument's series at closes, ascending; None without series."""
    if not specs:
        return None
    until_ms = int(close_ms[-1]) if len(close_ms) else 0
    return all_columns(history_of(database_url, specs, (instrument,), until_ms), specs, 0, close_ms)


def history_of(
    database_url: str,
    specs: Sequence[SeriesSpec],
    instruments: Sequence[Instrument],
    until_ms: int | None,
) -> SeriesHistory:
    """Return the observations of each series, in lanes of the instruments' order."""
    return series_history(_engine(database_url), specs, instruments, until_ms)


@lru_cache(maxsize=2)
def _engine(database_url: str) -> Engine:
    """Return a worker's database, opened once per process."""
    return open_database(database_url)


def _values(spec: SeriesSpec) -> str:
    return "news" if spec.name == SENTIMENT else f"values of {spec.name}"


def _without(spec: SeriesSpec) -> str:
    return "by prices alone" if spec.name == SENTIMENT else "without it"


def _window(
    candles: CandleStore, instrument: Instrument, from_ms: int | None, to_ms: int | None
) -> tuple[int, int]:
    """Return the window, its open ends those of the instrument's candles."""
    spans = [
        (stored.first_ms, stored.last_ms + Timeframe(stored.interval).ms)
        for stored in candles.series()
        if stored.instrument == instrument
    ]
    first_ms = min((first for first, _ in spans), default=0) if from_ms is None else from_ms
    last_ms = max((last for _, last in spans), default=0) if to_ms is None else to_ms
    return first_ms, last_ms
