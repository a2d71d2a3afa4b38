"""The models that ``step`` uses: scorers by package hash, and the user's own features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ares.kernel.bars import F64, Bars

Scorer = Callable[[NDArray[np.float32]], F64]
"""A model: (n, n_features) float32 rows in, (n,) probabilities out."""

Scorers = dict[str, Scorer]
"""Scorers by package hash."""

UserColumns = Callable[[Bars, int, NDArray[np.float32]], NDArray[np.float32]]
"""The user's own features and strategies of one series: (its last bars, interval_ms, its row of the
kernel's features) -> (n_own,) float32.
"""


@dataclass(frozen=True, slots=True)
class Models:
    """Everything that ``step`` calls and that is not in its state.

    scorers      : the scorer of every package in use; the dict may change between two events.
    user_columns : the user's own features; None where the run has none.
    """

    scorers: Scorers
    user_columns: UserColumns | None = None

    def require_user_columns(self) -> UserColumns:
        """Return the user's own features; raise ValueError where there are none."""
        if self.user_columns is None:
            raise ValueError("the run uses features of the user's own: Models needs user_columns")
        return self.user_columns


NO_MODELS = Models({})
"""For runs, or parts of them, in which nothing is scored."""
