"""The columns of a model's input: the kernel's features, and a user's own behind them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from ares.domain.errors import UserMistake
from ares.domain.timeframe import Timeframe
from ares.kernel.bars import Bars
from ares.kernel.features.catalogue import FEATURE_NAMES, FEATURES_HASH, N_FEATURES
from ares.kernel.features.scan import FeatureTable, features_of
from ares.kernel.features.user import UserFeatures


def column_names(user: UserFeatures | None) -> tuple[str, ...]:
    """Return the names of all columns, in order."""
    return FEATURE_NAMES if user is None else FEATURE_NAMES + user.names


def columns_hash(user: UserFeatures | None) -> str:
    """Return the hash that a model carries: of the kernel's features, and of the user's module."""
    if user is None:
        return FEATURES_HASH
    return hashlib.sha256(f"{FEATURES_HASH}+{user.hash}".encode()).hexdigest()


def table_of(
    bars: Bars, timeframe: Timeframe, reference: Bars | None, user: UserFeatures | None
) -> FeatureTable:
    """Return all columns of every bar; arguments as in ``features_of``."""
    return with_user(features_of(bars, timeframe, reference), bars, timeframe, user)


def with_user(
    table: FeatureTable, bars: Bars, timeframe: Timeframe, user: UserFeatures | None
) -> FeatureTable:
    """Return the table of these bars with the user's columns behind the kernel's.

    They are computed where the kernel's are warm, as the engine does, and NaN elsewhere.
    """
    if user is None:
        return table
    own = user.of(bars, timeframe.ms, table.warm)
    return FeatureTable(table.ts_ms, np.hstack([table.values, own]), table.age)


def insist_same_columns(
    who: str, names: Sequence[str], hash_: str, user: UserFeatures | None
) -> None:
    """Raise UserMistake where a model was made for other columns than there are now.

    who : names the model; names, hash_ : its columns and their hash, as its card has them.
    """
    if hash_ == columns_hash(user):
        return
    theirs = ", ".join(names[N_FEATURES:])
    if hash_ == FEATURES_HASH:
        raise UserMistake(
            f"{who} was trained without features.module: train again, or set it to null"
        )
    if theirs and user is None:
        raise UserMistake(
            f"{who} was trained with features of your own ({theirs}): set features.module to "
            "their module, or train again"
        )
    if theirs and user is not None:
        raise UserMistake(
            f"{who} was trained with another version of {user.place}, or of the kernel's "
            "features: put that back, or train again"
        )
    raise UserMistake(
        f"{who} was made for other features than this version of Ares has: train again"
    )
