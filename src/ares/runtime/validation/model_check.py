"""Whether a model works: loaded, verified, opened, and scored on real rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ares.adapters.onnx_model import F32, F64, check_answers, is_constant, open_model
from ares.domain.errors import ExternalError, UserError
from ares.domain.instrument import Instrument
from ares.domain.model import Ensemble
from ares.domain.package import Package
from ares.kernel.features import WARMUP_BARS, features_of
from ares.kernel.features.columns import (
    append_columns,
    column_names,
    require_same_columns,
    with_user,
)
from ares.kernel.features.user import UserFeatures
from ares.runtime.training.series import columns_at
from ares.runtime.validation.request import ValidationConfig
from ares.store.candles import CandleStore
from ares.store.database import open_database
from ares.store.history import history

ROWS_TRIED = 256
ROWS_MIN = 32


def require_working(
    config: ValidationConfig, ensemble: Ensemble, *, constant_allowed: bool = False
) -> tuple[Package, ...]:
    """Return the packages of an ensemble, each tried on the newest stored rows.

    Raises UserMistake or WorldTrouble, naming the package, where one is missing, damaged, made for
    other features or another instrument, cannot be opened, or does not answer with probabilities;
    and, unless allowed, where none of them ever changes its answer.
    """
    models = config.store()
    user = config.user_features()
    if not ensemble.members:
        raise UserError(f"ensemble {ensemble.hash[:12]} has no members: train again")
    packages = []
    for member in ensemble.members:
        try:
            package = models.member(member)
        except UserError:
            raise ExternalError(
                f"{member.name}/{member.version} is missing: restore it from an export, or train "
                "again"
            ) from None
        require_it_fits(package, ensemble.instrument, user)
        packages.append(package)
    engine = open_database(config.data.database_url)
    try:
        store = CandleStore(engine, config.data.cache)
        said = [
            _ask(package, ensemble.instrument, store, user, config.data.database_url)
            for package in packages
        ]
    finally:
        engine.dispose()
    if not constant_allowed and all(map(is_constant, said)):
        named = ", ".join(package.card.ref for package in packages)
        raise UserError(f"{named}: gives {said[0][0]:.6g} for every row; a constant is no model")
    return tuple(packages)


def require_it_fits(package: Package, instrument: str, user: UserFeatures | None) -> None:
    """Raise UserMistake where a package was made for other features or another instrument."""
    card = package.card
    require_same_columns(card.ref, card.features, card.features_hash, user, card.series)
    if tuple(card.features) != column_names(user, card.series):
        raise UserError(f"{card.ref} names other columns than those of its hash: train again")
    if card.instruments and instrument not in card.instruments:
        raise UserError(
            f"{card.ref} was made for {', '.join(card.instruments)}, not for {instrument}: train "
            "one for it"
        )


def _ask(
    package: Package,
    instrument: str,
    store: CandleStore,
    user: UserFeatures | None,
    database_url: str,
) -> F64:
    """Return a package's answers to the newest rows, and where these are all alike to wilder ones.

    A model of few trees may say the same for some calm days; a constant says so to everything.
    """
    card = package.card
    graph = open_model(package.graph, len(card.features), card.ref)
    rows = _newest_rows(package, instrument, store, user, database_url)
    if len(rows) < ROWS_MIN:  # too few candles here: made-up rows tell probabilities from none
        rows = _made_up(np.zeros((1, len(card.features)), np.float32))
    p = check_answers(graph, rows, card.ref, constant_allowed=True)
    if not is_constant(p):
        return p
    return np.concatenate(
        [p, check_answers(graph, _made_up(rows), card.ref, constant_allowed=True)]
    )


def _made_up(rows: F32) -> F32:
    """Return rows drawn far and wide around those given, always the same ones."""
    draw = np.random.default_rng(0).standard_normal((ROWS_TRIED, rows.shape[1]))
    known = np.where(np.isfinite(rows), rows, 0.0).astype(np.float64)
    wild: F32 = (known.mean(axis=0) + draw * (1.0 + 5.0 * known.std(axis=0))).astype(np.float32)
    return wild


def _newest_rows(
    package: Package,
    instrument: str,
    store: CandleStore,
    user: UserFeatures | None,
    database_url: str,
) -> np.ndarray:
    """Return the newest rows that the stored candles give; none where they are too few."""
    card, own = package.card, Instrument.parse(instrument)
    none = np.empty((0, len(card.features)), np.float32)
    ends = _ends(store, own)
    if not ends:
        return none
    span_ms = (2 * WARMUP_BARS + 2 * ROWS_TRIED) * card.timeframe.ms
    try:
        bars = history(store, own, card.timeframe, max(ends) - span_ms, None).bars
        reference = None
        if card.reference is not None:
            lead = store.resolve(card.reference)
            reference = (
                bars
                if lead == own
                else history(store, lead, card.timeframe, max(ends) - span_ms, None).bars
            )
    except UserError:
        return none
    table = features_of(bars, card.timeframe, reference)
    values, warm = with_user(table, bars, card.timeframe, user)
    closes_ms = bars.ts_ms + card.timeframe.ms
    values = append_columns(values, columns_at(database_url, card.series, own, closes_ms))
    return np.ascontiguousarray(values[warm][-ROWS_TRIED:])


def _ends(store: CandleStore, instrument: Instrument) -> Sequence[int]:
    found = (store.last_ms(instrument, interval) for interval in store.intervals(instrument))
    return [last_ms for last_ms in found if last_ms is not None]
