"""Whether a stored ensemble works, on the newest stored rows of its instrument."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ares.adapters.onnx_model import F32
from ares.adapters.strategy_file import columns_of_package
from ares.domain.errors import UserError
from ares.domain.instrument import Instrument
from ares.domain.model import Ensemble
from ares.domain.package import Package
from ares.kernel.features import WARMUP_BARS, features_of
from ares.kernel.features.columns import append_columns, with_user
from ares.runtime.registry.model_check import (
    OpenedModel,
    check_scores,
    load_packages,
    open_graph,
    synthetic_rows,
)
from ares.runtime.training.series import columns_at
from ares.runtime.validation.request import ValidationConfig
from ares.store.candles import CandleStore
from ares.store.database import open_database
from ares.store.history import history

ROWS_MAX = 256
ROWS_MIN = 32


def require_working(
    config: ValidationConfig, ensemble: Ensemble, *, constant_allowed: bool = False
) -> tuple[Package, ...]:
    """Return the packages of an ensemble, each checked on the newest stored rows.

    Raises UserError or ExternalError as ``registry.model_check`` does.
    """
    packages = load_packages(ensemble, config.store().member, config.user_features())
    database = open_database(config.data.database_url)
    try:
        store = CandleStore(database, config.data.cache)
        rows = [_rows(config, store, package, ensemble.instrument) for package in packages]
    finally:
        database.dispose()
    models = [OpenedModel(package.card.ref, open_graph(package)) for package in packages]
    check_scores(models, rows, constant_allowed=constant_allowed, more_rows=True)
    return packages


def _rows(config: ValidationConfig, store: CandleStore, package: Package, instrument: str) -> F32:
    """Return the newest rows; synthetic ones where too few candles are stored."""
    rows = _newest_rows(config, store, package, Instrument.parse(instrument))
    if len(rows) >= ROWS_MIN:
        return rows
    return synthetic_rows(np.empty((0, len(package.card.features)), np.float32))


def _newest_rows(
    config: ValidationConfig, store: CandleStore, package: Package, instrument: Instrument
) -> F32:
    """Return the newest rows that the stored candles give; none where they are too few."""
    card = package.card
    none = np.empty((0, len(card.features)), np.float32)
    ends = _ends(store, instrument)
    if not ends:
        return none
    from_ms = max(ends) - (2 * WARMUP_BARS + 2 * ROWS_MAX) * card.timeframe.ms
    try:
        bars = history(store, instrument, card.timeframe, from_ms, None).bars
        reference = None
        if card.reference is not None:
            lead = store.resolve(card.reference)
            reference = (
                bars
                if lead == instrument
                else history(store, lead, card.timeframe, from_ms, None).bars
            )
    except UserError:
        return none
    table = features_of(bars, card.timeframe, reference)
    user = columns_of_package(package, config.user_features())
    values, warm = with_user(table, bars, card.timeframe, user)
    closes_ms = bars.ts_ms + card.timeframe.ms
    values = append_columns(
        values, columns_at(config.data.database_url, card.series, instrument, closes_ms)
    )
    return np.ascontiguousarray(values[warm][-ROWS_MAX:])


def _ends(store: CandleStore, instrument: Instrument) -> Sequence[int]:
    found = (store.last_ms(instrument, interval) for interval in store.intervals(instrument))
    return [last_ms for last_ms in found if last_ms is not None]
