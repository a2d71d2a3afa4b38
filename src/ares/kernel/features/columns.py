"""The columns of a model's input: the kernel's features, the user's own, external series."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ares.domain.errors import UserError
from ares.domain.series import SentimentSpec, SeriesSpec, ValueSpec
from ares.domain.timeframe import Timeframe
from ares.kernel.bars import Bars, Bools
from ares.kernel.features.catalogue import FEATURE_NAMES, FEATURES_HASH, N_FEATURES
from ares.kernel.features.scan import FeatureTable
from ares.kernel.features.series import column_names_of, formulas_hashes
from ares.kernel.features.user import UserFeatures


def column_names(user: UserFeatures | None, series: Sequence[SeriesSpec] = ()) -> tuple[str, ...]:
    """Return the names of all columns, in order.

    series : external series, whose columns are behind all others.
    """
    names = FEATURE_NAMES if user is None else FEATURE_NAMES + user.names
    return names + tuple(name for spec in series for name in column_names_of(spec))


def columns_hash(user: UserFeatures | None, series: Sequence[SeriesSpec] = ()) -> str:
    """Return the hash that a model carries: of the kernel's features, of the user's module, and of
    the formulas of its external series.
    """
    parts = [FEATURES_HASH]
    parts += [] if user is None else [user.hash]
    parts += formulas_hashes(series)
    return parts[0] if len(parts) == 1 else hashlib.sha256("+".join(parts).encode()).hexdigest()


def with_user(
    table: FeatureTable, bars: Bars, timeframe: Timeframe, user: UserFeatures | None
) -> tuple[NDArray[np.float32], Bools]:
    """Return all columns of a table's bars, and where all of them are past their warmup.

    The user's columns are computed where the kernel's are warm, as the engine does; elsewhere NaN.
    """
    if user is None:
        return table.values, table.warm
    own = user.of(bars, timeframe.ms, table.warm, table.values)
    return np.hstack([table.values, own]), table.warm & past_warmup(own)


def append_columns(
    values: NDArray[np.float32], more: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """Return the table with further columns, such as a series', behind its own."""
    return values if more is None else np.hstack([values, more])


def past_warmup(own: NDArray[np.float32]) -> Bools:
    """Return (n_rows,) where every one of a user's features is past its warmup."""
    return np.asarray(~np.isnan(own).any(axis=-1))


def require_same_columns(
    who: str,
    names: Sequence[str],
    hash_: str,
    user: UserFeatures | None,
    series: Sequence[SeriesSpec] = (),
) -> None:
    """Raise UserError where a model was trained with other columns than there are now.

    who    : names the model; names, hash_ : its columns and their hash, as its card has them.
    series : its external series. Which they are is in its recipe, not in the hash.
    """
    if any(hash_ in _hashes(part) for part in (user and user.parts) or (user,)):
        return
    user = None if user is None else user.module
    of_series = {name for spec in series for name in column_names_of(spec)}
    trained_with = ", ".join(name for name in names[N_FEATURES:] if name not in of_series)
    if hash_ in _hashes(None):
        raise UserError(
            f"{who} was trained without features.module: train again, or set it to null"
        )
    if trained_with and user is None:
        raise UserError(
            f"{who} was trained with features of your own ({trained_with}): set features.module to "
            "their module, or train again"
        )
    if trained_with and user is not None:
        raise UserError(
            f"{who} was trained with another version of {user.path}, or of the kernel's "
            "features: restore that version, or train again"
        )
    raise UserError(
        f"{who} was trained with other features than this version of Ares has: train again"
    )


def _hashes(user: UserFeatures | None) -> set[str]:
    """Return the hash of a user's columns with every choice of families of series."""
    families: tuple[tuple[SeriesSpec, ...], ...] = ((SentimentSpec(),), (ValueSpec("any"),))
    choices = [(), *families, families[0] + families[1]]
    return {columns_hash(user, series) for series in choices}
