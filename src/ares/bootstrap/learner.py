"""The learner, composed: of a run, its report, and a person's request to train."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ares.bootstrap.control import give
from ares.config.workspace import Workspace
from ares.domain.errors import UserError
from ares.domain.run import RunSetup

if TYPE_CHECKING:
    from ares.adapters.worker_pool import WorkerPool
    from ares.config.settings import Settings
    from ares.learn.thresholds import Thresholds
    from ares.observe.learning_report import LearningReport
    from ares.runtime.learner.learner import Learner
    from ares.store.commands import CommandAnswer


def learner_of(
    workspace: Workspace,
    setup: RunSetup,
    folder: Path,
    pool: WorkerPool | None = None,
    stopped: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda _: None,
) -> Learner:
    """Return the learner of a history run whose journal lies in ``folder``.

    Its models go to ``folder/models``, its verdicts to ``folder/verdicts``: nothing of a run
    crosses into another environment. No process is started before there is something to do.

    pool    : to train in; default: processes as the settings say. It is ended with the learner.
    stopped : called while a model is trained; True ends the training.
    say     : called with what the run waits for, and with its outcome, for a person.

    Raises UserError where this workspace may not train.
    """
    from ares.adapters.worker_pool import WorkerPool
    from ares.bootstrap.trade_rules import retrain_policy
    from ares.bootstrap.training import require_training_allowed
    from ares.bootstrap.validation import validation_config
    from ares.learn.learner_state import LearnerState
    from ares.runtime.learner.learner import WORKER_MODULES, Learner, imported_ensembles
    from ares.runtime.learner.refit import RefitRunner
    from ares.runtime.registry.model_journal import read_registry

    settings = workspace.settings
    require_training_allowed(settings)
    pool = pool or WorkerPool(
        settings.learning.workers,
        WORKER_MODULES,
        nice=settings.learner.nice,
        timeout_s=60.0 * settings.learner.timeout_minutes,
        stopped=stopped,
    )
    registry = read_registry(workspace.journal_dir)
    refits = RefitRunner(
        validation_config(workspace),
        settings.learning.rows_min,
        setup.environment,
        folder,
        registry.trials,
        pool,
    )
    imported = imported_ensembles(refits.models, setup)
    state = LearnerState(retrain_policy(settings), alert_thresholds(settings), imported)
    return Learner(state, refits, pool, settings.learner.latency_ms, say=say)


def alert_thresholds(settings: Settings) -> Thresholds:
    """Return the thresholds that raise alerts, by the settings."""
    from ares.learn.thresholds import Thresholds

    limits = settings.continuous_learning.thresholds
    return Thresholds(limits.accuracy_min, limits.sharpe_min, limits.drawdown_min)


def learning_of_run(workspace: Workspace, run: str | None) -> LearningReport:
    """Return what the learner of a run (default: the newest) did and may do next."""
    from ares.bootstrap.trade_rules import retrain_policy
    from ares.observe.learning_report import report_learning
    from ares.observe.run_report import run_folder

    settings = workspace.settings
    folder = run_folder(workspace.journal_dir, run)
    return report_learning(folder, retrain_policy(settings), alert_thresholds(settings))


def why_no_learner(workspace: Workspace, environment: str) -> str:
    """Return why a run has no learner, and how to start a run that has one."""
    from ares.bootstrap.training import require_training_allowed

    try:
        require_training_allowed(workspace.settings)
    except UserError as forbidden:
        return f"{environment} has no learner: {forbidden}"
    return (
        f"{environment} has no learner, so nothing here triggers a training: "
        "`ares run --learn --run NAME` starts a run that has one"
    )


def request_training(workspace: Workspace, symbol: str, environment: str) -> CommandAnswer:
    """Ask the learner of a running engine to train an instrument now; return the answer.

    Raises UserError where the symbol or environment is unknown, or nothing may be trained here;
    ExternalError where no engine runs.
    """
    from ares.bootstrap.training import require_training_allowed
    from ares.runtime.validation.target import require_environment
    from ares.store.candles import CandleStore
    from ares.store.database import open_database

    require_environment(environment)
    if environment.partition("/")[0] == "history":
        raise UserError("history runs take no training requests, so that they can be reproduced")
    require_training_allowed(workspace.settings)
    database = open_database(workspace.db_url)
    try:
        key = CandleStore(database, workspace.cache_dir).resolve(symbol).key
    finally:
        database.dispose()
    return give(workspace, environment, "learn", instrument=key)
