"""The recipe of a model: everything that defines it except its data."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import msgspec

from ares.domain.series import SentimentSpec, SeriesSpec, ValueSpec, all_series
from ares.domain.strategy import StrategySpec
from ares.domain.timeframe import Timeframe

HORIZON_BARS = {
    Timeframe.M1: 60,
    Timeframe.M5: 36,
    Timeframe.M15: 24,
    Timeframe.H1: 12,
    Timeframe.H4: 6,
    Timeframe.D1: 3,
}
"""How long a trade may last, in bars of the timeframe that decides it."""

WIDTH_MIN_COSTS = 1.5
"""With a barrier nearer than 1.5 round trips a win would be mostly costs."""


class LabelRecipe(msgspec.Struct, frozen=True):
    """The trade that a label describes: entered long at the next open, net of costs.

    kind          : ``triple_barrier`` (stop, take-profit, time) or ``forward_return`` (time only).
    horizon_bars  : longest holding time.
    width_sigmas  : the barriers' distance in standard deviations of the horizon's return.
    width_min_bps : the barriers are never nearer than this.
    cost_bps      : round trip, subtracted from every trade.
    """

    horizon_bars: int
    width_min_bps: float
    cost_bps: float
    width_sigmas: float = 1.0
    kind: Literal["triple_barrier", "forward_return"] = "triple_barrier"


class BoostRecipe(msgspec.Struct, frozen=True):
    """Gradient boosting of small trees; an epoch is ``rounds_per_epoch`` trees.

    leaf_rows_min, leaf_share_min : a leaf has at least so many rows, and this share of all:
               fifty overlapping trades may be one event.
    patience : epochs without a better loss on the stopping slice before the fit ends.
    target_confidence : once a won trade of the stopping slice scores above a lost one with this
               probability (the area under the ROC curve), the fit has no patience left: it ends
               with the first epoch that is not better.
    """

    rounds_per_epoch: int = 10
    epochs_max: int = 20
    patience: int = 3
    target_confidence: float = 0.70
    leaves: int = 7
    learning_rate: float = 0.05
    leaf_rows_min: int = 50
    leaf_share_min: float = 0.01
    feature_share: float = 0.5
    l2: float = 1.0
    bins: int = 63


class Recipe(msgspec.Struct, frozen=True):
    """Label, features and algorithm; two models of one recipe differ by their data only.

    features   : the columns that may be fitted on (others are blanked); all columns of the
                 kernel's table remain the model's input.
    scope      : ``instrument``, or ``universe`` (rows of all instruments pooled).
    folds      : test folds of the purged walk-forward.
    embargo_bars : bars between the end of a training label and the first test decision;
                 0 stands for the label's horizon.
    sentiment, value_series : external series of which the last columns are made, see ``series``.
    strategy   : of the algorithm ``strategy``, which fits nothing: the user's strategy whose score,
                 the last column, is calibrated.

    >>> label = LabelRecipe(horizon_bars=12, width_min_bps=33.0, cost_bps=22.0)
    >>> recipe = Recipe(Timeframe.H1, ("return_1", "volatility_20"), "ab12", label)
    >>> recipe.hash == msgspec.structs.replace(recipe, price_only=True).hash
    False
    """

    timeframe: Timeframe
    features: tuple[str, ...]
    features_hash: str
    label: LabelRecipe
    boost: BoostRecipe = BoostRecipe()
    algorithm: Literal["lightgbm", "strategy"] = "lightgbm"
    scope: Literal["instrument", "universe"] = "instrument"
    folds: int = 5
    embargo_bars: int = 0
    price_only: bool = False
    sentiment: SentimentSpec | None = None
    value_series: tuple[ValueSpec, ...] = ()
    strategy: StrategySpec | None = None

    @property
    def content(self) -> dict[str, Any]:
        """Return it as a card has it.

        Series and strategies that it does not have are left out, so that the hash of a recipe (and
        its seed) does not depend on which kinds exist.
        """
        content: dict[str, Any] = msgspec.to_builtins(self)
        for name in ("sentiment", "value_series", "strategy"):
            if not content[name]:
                del content[name]
        return content

    @property
    def series(self) -> tuple[SeriesSpec, ...]:
        """Return the external series in the order of their columns."""
        return all_series(self.sentiment, self.value_series)

    @property
    def hash(self) -> str:
        """Return the SHA-256 of the canonical JSON: what is counted as a trial."""
        return hashlib.sha256(msgspec.json.encode(self.content, order="sorted")).hexdigest()

    @property
    def seed(self) -> int:
        """Return the seed of everything drawn while this recipe is fitted: 31 bits of the hash."""
        return int(self.hash[:8], 16) >> 1

    @property
    def embargo_ms(self) -> int:
        """Return the embargo in milliseconds."""
        return (self.embargo_bars or self.label.horizon_bars) * self.timeframe.ms


def default_label(
    timeframe: Timeframe,
    cost_bps: float,
    kind: Literal["triple_barrier", "forward_return"],
    horizon: float = 1.0,
    width: float = 1.0,
) -> LabelRecipe:
    """Return the label that ``ares train`` uses on a timeframe at these costs.

    horizon : longest holding time, as a multiple of the timeframe's own.
    width   : the barriers' distance, see ``LabelRecipe.width_sigmas``.
    """
    return LabelRecipe(
        horizon_bars=max(1, round(horizon * HORIZON_BARS[timeframe])),
        width_min_bps=WIDTH_MIN_COSTS * cost_bps,
        cost_bps=cost_bps,
        width_sigmas=width,
        kind=kind,
    )
