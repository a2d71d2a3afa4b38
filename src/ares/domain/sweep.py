"""A sweep: the values that are tried, what came of each, and how it is continued."""

from __future__ import annotations

import hashlib
import itertools
from typing import Literal

import msgspec

from ares.domain.strategy import Parameter

SamplerName = Literal["grid", "random", "tpe"]
Point = dict[str, Parameter]
"""A value for each parameter of a sweep."""


class SweepParameter(msgspec.Struct, frozen=True):
    """A setting, or a parameter of a strategy, and the values that are tried.

    choices   : the values, where they are listed; empty: any from ``low`` to ``high``.
    """

    name: str
    choices: tuple[Parameter, ...] = ()
    low: float = 0.0
    high: float = 0.0

    @property
    def whole(self) -> bool:
        """Return whether a range is of whole numbers."""
        return isinstance(self.low, int) and isinstance(self.high, int)


class SweepPlan(msgspec.Struct, frozen=True):
    """What a sweep tries; the same plan on the same data tries the same points in the same order.

    trials    : recipes to try; 0: all of the grid.
    batch     : points that are sampled before any of them is evaluated.
    base      : hash of everything else that decides a recipe and its data: symbol, timeframes,
                window, settings, source of the strategy.
    """

    parameters: tuple[SweepParameter, ...]
    sampler: SamplerName
    trials: int
    batch: int
    base: str
    seed: int = 1

    @property
    def hash(self) -> str:
        """Return the SHA-256 of the canonical JSON, without the size of a batch."""
        content = msgspec.structs.replace(self, batch=0)
        return hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()

    @property
    def grid(self) -> list[Point]:
        """Return every point of the listed values; empty where a parameter has a range.

        >>> both = tuple(SweepParameter(name, (1, 2, 3)) for name in "ab")
        >>> len(SweepPlan(both, "grid", 0, 1, "").grid)
        9
        """
        names = [parameter.name for parameter in self.parameters]
        every = itertools.product(*(parameter.choices for parameter in self.parameters))
        return [dict(zip(names, values, strict=True)) for values in every]


class SweepResult(msgspec.Struct, frozen=True):
    """What a recipe of a sweep came to, out of sample and after costs.

    point       : its values.
    recipe_hash : of its ensemble: the trial that is counted; empty: it could not be trained.
    ensemble    : hash of the ensemble.
    sharpe      : annualised, of daily returns; None: it did not trade enough for one.
    net_bps     : mean net return of a trade; None: no trades.
    first_day, daily : its daily returns, see ``domain.trial.Trial``.
    note        : why it could not be trained.
    """

    point: Point
    recipe_hash: str = ""
    ensemble: str = ""
    trades: int = 0
    net_bps: float | None = None
    sharpe: float | None = None
    brier_skill: float | None = None
    first_day: int = 0
    daily: bytes = b""
    note: str = ""

    @property
    def score(self) -> float:
        """Return what the sampler maximises: the Sharpe ratio; 0 as if flat where it has none."""
        return 0.0 if self.sharpe is None else self.sharpe


def point_key(point: Point) -> str:
    """Return a point as text: equal points give equal texts.

    >>> point_key({"b": 1.0, "a": True})
    '{"a":true,"b":1.0}'
    """
    return msgspec.json.encode(point, order="sorted").decode()
