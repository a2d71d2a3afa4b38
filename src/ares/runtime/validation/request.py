"""The input of a validation: which ensemble, against which champion, with which values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ares.adapters.layered_store import LayeredModelStore
from ares.adapters.model_store import ModelStore
from ares.adapters.strategy_file import strategy_of
from ares.domain.errors import UserError
from ares.domain.instrument import Instrument
from ares.domain.model import Ensemble
from ares.domain.package import Package
from ares.domain.trial import Trial
from ares.kernel.features.user import UserFeatures
from ares.kernel.trade import Rules
from ares.learn.gate.account import AccountTerms
from ares.learn.gate.plausible import Attestation
from ares.learn.gate.verdict import GateLimits, Rule
from ares.learn.recipe import LabelRecipe, Recipe
from ares.runtime.registry.paths import DataPaths
from ares.runtime.training.instrument_history import HistorySource, store_of
from ares.runtime.training.job import PackageJob, UserModule, loaded_features

OnProgress = Callable[[int, int, str], None]
"""Called with (done, total, what was done)."""


def no_progress(_done: int, _total: int, _what: str) -> None:
    """Show no progress."""


@dataclass(frozen=True, slots=True)
class ValidationConfig:
    """The values of a workspace that a validation needs; they can be sent to a worker.

    models       : folder of the workspace's models.
    run_models   : folder of a run's own models, read before the workspace's; None: no run.
    user         : module of the user's features; None: there are none.
    rows_max     : of training, most rows that a package is trained on.
    edge_bps_min : of the trading strategy, as recorded in a package's metrics.
    rules, cash_quote : of the account that trades the scores.
    limits, rule : of the gate.
    workers      : processes to score members in; 0: as many as there are cores.
    """

    models: Path
    data: DataPaths
    rules: Rules
    cash_quote: float
    limits: GateLimits
    rule: Rule
    rows_max: int
    edge_bps_min: float
    user: UserModule | None = None
    run_models: Path | None = None
    workers: int = 0

    def store(self) -> ModelStore:
        """Return the store of models."""
        if self.run_models is None:
            return ModelStore(self.models)
        return LayeredModelStore(self.run_models, self.models)

    def source(self, from_ms: int | None = None, to_ms: int | None = None) -> HistorySource:
        """Return the source of candles in a window."""
        return HistorySource(self.data.database_url, self.data.cache, from_ms, to_ms)

    def user_features(self) -> UserFeatures | None:
        """Return the user's own features, loaded once in a process."""
        return None if self.user is None else loaded_features(self.user)

    def account_terms(self, ensemble: Ensemble) -> AccountTerms:
        """Return the terms on which an ensemble's scores are traded."""
        spec = store_of(self.source()).spec(Instrument.parse(ensemble.instrument))
        return AccountTerms(spec, self.rules, self.cash_quote)


@dataclass(frozen=True, slots=True)
class ValidationRequest:
    """Validate an ensemble.

    champion : that it is compared with; None: it must beat staying flat.
    trials   : all that the models' journal counts.
    repeatable : record the latency's limit in place of a measured latency that keeps it, so that
               two runs give the same verdict.
    attestation : a person's word for results above the limits of plausibility.
    """

    config: ValidationConfig
    environment: str
    candidate: Ensemble
    champion: Ensemble | None
    trials: tuple[Trial, ...]
    repeatable: bool = False
    attestation: Attestation | None = None


def training_job(config: ValidationConfig, package: Package) -> PackageJob:
    """Return the job that trained a package, with the window of candles that it used."""
    card, strategy = package.card, strategy_of(package)
    return PackageJob(
        source=config.source(card.window_from_ms, card.window_to_ms or card.data_to_ms),
        instruments=tuple(Instrument.parse(key) for key in card.instruments),
        recipe=recipe_of(package),
        reference=None
        if card.reference is None
        else store_of(config.source()).resolve(card.reference),
        rows_min=1,
        rows_max=config.rows_max,
        edge_bps_min=config.edge_bps_min,
        version=card.version,
        created_at=card.created_at,
        git_commit=card.git_commit,
        libraries=card.libraries,
        user=config.user if strategy is None else None,
        strategy=strategy,
    )


def recipe_of(package: Package) -> Recipe:
    """Return a package's recipe; an imported package has its trade's label and all columns."""
    card = package.card
    if card.origin == "trained":
        try:
            return msgspec.convert(card.recipe, Recipe)
        except msgspec.ValidationError as error:
            raise UserError(
                f"{card.ref} was trained by another version of Ares ({error}): train again"
            ) from None
    label = LabelRecipe(card.horizon_bars, card.width_min_bps, card.cost_bps, card.width_sigmas)
    return Recipe(card.timeframe, card.features, card.features_hash, label)
