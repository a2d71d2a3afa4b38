"""Training, composed: settings become the values that training takes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ares.bootstrap.values import data_paths, model_paths
from ares.config.workspace import Workspace

if TYPE_CHECKING:
    from ares.adapters.worker_pool import WorkerPool
    from ares.config.settings import Settings
    from ares.domain.trial import Trial
    from ares.runtime.training.instrument_selection import ConfiguredInstruments
    from ares.runtime.training.plan import TrainingRequest
    from ares.runtime.training.report import TrainingReport
    from ares.runtime.training.training_permission import TrainingPermission
    from ares.runtime.training.training_rules import RecipeRules, TrainingContext, TrainingRules


def train(
    workspace: Workspace,
    request: TrainingRequest,
    *,
    on_progress: Callable[[int, int, str], None] = lambda _done, _total, _what: None,
    record_trial: Callable[[Trial], None] | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    pool: WorkerPool | None = None,
) -> TrainingReport:
    """Train in a workspace; see ``runtime.training.train``."""
    from ares.runtime.training.train import train as run

    return run(
        training_rules(workspace),
        model_paths(workspace),
        request,
        on_progress=on_progress,
        record_trial=record_trial,
        now=now,
        pool=pool,
    )


def training_rules(workspace: Workspace) -> TrainingRules:
    """Return the settings of training."""
    from ares.bootstrap.trade_rules import rules_of
    from ares.runtime.training.training_rules import TrainingRules

    settings = workspace.settings
    return TrainingRules(
        context=training_context(workspace),
        permission=training_permission(settings),
        instruments=configured_instruments(settings),
        weights=settings.weights,
        scope=settings.learning.scope,
        recipe=recipe_rules(settings),
        rows_min=settings.learning.rows_min,
        series=settings.series,
        trade=rules_of(settings),
        cash_quote=settings.account.capital_quote,
        workers=settings.learning.workers,
    )


def training_context(workspace: Workspace) -> TrainingContext:
    """Return what any training in a workspace needs beside its recipe and its window."""
    from ares.runtime.training.training_rules import TrainingContext, UserModulePath

    settings, module = workspace.settings, workspace.settings.features.module
    return TrainingContext(
        data=data_paths(workspace),
        user=None if module is None else UserModulePath(module, workspace.root.resolve()),
        rows_max=settings.learning.rows_max,
        edge_bps_min=settings.strategy.edge_bps_min,
    )


def recipe_rules(settings: Settings) -> RecipeRules:
    """Return the settings of a recipe."""
    from ares.kernel.trade.rules import round_trip_bps
    from ares.learn.recipe import BoostRecipe
    from ares.runtime.training.training_rules import RecipeRules

    costs, learning = settings.costs, settings.learning
    retraining = settings.continuous_learning.retraining
    return RecipeRules(
        cost_bps=round_trip_bps(costs.fee_bps, costs.spread_bps, costs.slippage_bps),
        horizon=learning.horizon,
        barrier_width=learning.width,
        boost=BoostRecipe(
            rounds_per_epoch=retraining.rounds_per_epoch,
            epochs_max=retraining.max_epochs,
            patience=retraining.patience,
            target_confidence=retraining.target_confidence,
            leaves=learning.leaves,
        ),
        folds=learning.folds,
        embargo_bars=learning.embargo_bars,
    )


def configured_instruments(settings: Settings) -> ConfiguredInstruments:
    """Return the symbols of the settings."""
    from ares.runtime.training.instrument_selection import ConfiguredInstruments

    return ConfiguredInstruments(
        venue=settings.venue,
        symbols=settings.symbols,
        reference=settings.reference_symbol,
        reference_required=settings.features.reference is not None,
    )


def training_permission(settings: Settings) -> TrainingPermission:
    """Return the settings that decide whether a workspace may train."""
    from ares.runtime.training.training_permission import TrainingPermission

    live = settings.live_trading
    return TrainingPermission(
        in_production=settings.learning.in_production,
        live_mode=live.mode == "live",
        live_enabled=live.enabled,
    )


def require_training_allowed(settings: Settings) -> None:
    """Raise UserError where real money trades and ``learning.in_production`` is false."""
    from ares.runtime.training.training_permission import require_training_allowed as require

    require(training_permission(settings))
