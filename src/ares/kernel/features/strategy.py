"""Strategies of the user's own: plain Python functions that score the last closed bar.

A file of the workspace holds functions like

    from ares.kernel.features.strategy import strategy

    @strategy(warmup_bars=100)
    def sma_cross(bars, features, fast=20, slow=100):
        return bars.close[-fast:].mean() / bars.close[-slow:].mean() - 1.0

The higher its score, the more it expects of a long trade that begins now; above 0 it wants to be
long. Each is called at every closed bar with the last ``warmup_bars`` bars and the kernel's
features of that bar. The score is a column behind the features, computed as a user's own feature
is (see ``ares.kernel.features.user``), and calibrated walk-forward as a model's score is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ares.kernel.features.catalogue import FEATURE_NAMES

NUMBER = {name: number for number, name in enumerate(FEATURE_NAMES)}

StrategyFunction = Callable[..., float]


class FeatureRow(Mapping[str, float]):
    """The kernel's features of one bar, by name.

    >>> FeatureRow(np.zeros(len(FEATURE_NAMES), np.float32))["return_1"]
    0.0
    """

    __slots__ = ("_values",)

    def __init__(self, values: NDArray[np.float32]) -> None:
        """Take (n_features,) values; further columns are ignored."""
        self._values = values

    def __getitem__(self, name: str) -> float:
        """Return a feature's value; raise KeyError for a name that is not in the catalogue."""
        if name not in NUMBER:
            raise KeyError(f"no feature is called {name}: `ares.kernel.features` lists them")
        return float(self._values[NUMBER[name]])

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(FEATURE_NAMES)

    def __len__(self) -> int:
        """Return the number of features."""
        return len(FEATURE_NAMES)


@dataclass(frozen=True, slots=True)
class UserStrategy:
    """A function of (bars, features) and keyword parameters that returns a finite score."""

    name: str
    warmup_bars: int
    function: StrategyFunction


def strategy(*, warmup_bars: int) -> Callable[[StrategyFunction], UserStrategy]:
    """Mark a function as a strategy; its name becomes the strategy's.

    warmup_bars : how many bars, the newest included, the function is given (1 to 256).

    >>> @strategy(warmup_bars=2)
    ... def momentum(bars, features):
    ...     return bars.close[1] / bars.close[0] - 1.0
    >>> momentum.name, momentum.warmup_bars
    ('momentum', 2)
    """

    def mark(function: StrategyFunction) -> UserStrategy:
        return UserStrategy(function.__name__, warmup_bars, function)

    return mark
