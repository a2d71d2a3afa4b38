"""The settings of training, as values: made once by the composition root."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ares.domain.series import SeriesSpec
from ares.domain.timeframe import Timeframe
from ares.kernel.features.user import UserFeatures
from ares.kernel.trade import Rules
from ares.learn.recipe import BoostRecipe
from ares.observe.user_features_check import load_features
from ares.runtime.registry.paths import DataPaths
from ares.runtime.training.instrument_selection import ConfiguredInstruments
from ares.runtime.training.training_permission import TrainingPermission

Scope = Literal["instrument", "universe"]


@dataclass(frozen=True, slots=True)
class RecipeRules:
    """The settings of a recipe.

    horizon, barrier_width : multiples, see ``learn.recipe.default_label``.
    """

    cost_bps: float
    horizon: float
    barrier_width: float
    boost: BoostRecipe
    folds: int
    embargo_bars: int


@dataclass(frozen=True, slots=True)
class UserModulePath:
    """The module with the user's features, and the folder in which a relative file is looked up."""

    module: str
    folder: Path

    def load(self) -> UserFeatures | None:
        """Return its features; raise UserError where there are none."""
        return load_features(self.module, self.folder)


@dataclass(frozen=True, slots=True)
class TrainingContext:
    """What any training needs beside its recipe and its window.

    user         : the module with the user's features; None: there is none.
    rows_max     : of more rows the newest are taken.
    edge_bps_min : expected edge above which a signal counts as a trade.
    """

    data: DataPaths
    user: UserModulePath | None
    rows_max: int
    edge_bps_min: float


@dataclass(frozen=True, slots=True)
class TrainingRules:
    """Defaults of ``ares train`` where its request sets nothing.

    weights      : of the timeframes, summing to 1.
    series       : external series that models are trained with, where any is stored.
    trade, cash_quote : on which an ensemble's scores are traded, to be counted among the trials.
    workers      : processes; 0: one for each core.
    """

    context: TrainingContext
    permission: TrainingPermission
    instruments: ConfiguredInstruments
    weights: Mapping[Timeframe, float]
    scope: Scope
    recipe: RecipeRules
    rows_min: int
    series: tuple[SeriesSpec, ...]
    trade: Rules
    cash_quote: float
    workers: int
