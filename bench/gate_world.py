"""One synthetic market through the gate: store candles, train three recipes, promote the best.

The path is that of the product: the candles are stored in a workspace of their own, ``train`` makes
each recipe's ensemble and counts its trials in the models' journal, and ``validate_model`` gives
the verdict. A user would validate the recipe that looks best, and if it is refused the next one;
``play`` does the same. The market counts as promoted if one recipe passes.

It differs from the command line in two ways. No pictures are drawn. And a model trained in the same
process is not trained again where validation requires it with the same rows (by SHA-256) and the
same recipe: training is deterministic to the byte. With ``again=True``, as in the first markets of
each kind, it is trained again.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ares.adapters.worker_pool import Task, WorkerPool
from ares.bootstrap.trade_rules import rules_of
from ares.bootstrap.training import train
from ares.bootstrap.validation import validate_model
from ares.config.workspace import Workspace
from ares.kernel.trade import Signals
from ares.learn.gate.account import AccountTerms, EvidenceAccount, annual_sharpe, trade
from ares.learn.gate.verdict import judge
from ares.learn.package import Draw, PackageSpec, TrainedPackage, make_package
from ares.learn.recipe import Recipe
from ares.learn.rows import Rows
from ares.runtime.registry.model_journal import read_registry
from ares.runtime.training.job import train_package
from ares.runtime.training.plan import TrainingRequest
from ares.runtime.validation.member_job import score_member
from ares.runtime.validation.pipeline import ValidationResult
from ares.sim.hours import HourlyMarket, hours
from ares.store.candles import CandleStore
from ares.store.database import open_database

NOW = datetime(2024, 1, 1, tzinfo=UTC)
RECIPES: tuple[dict[str, object], ...] = (
    {"width": 1.5},
    {"width": 2.0, "horizon": 0.75},
    {"width": 1.5, "horizon": 1.5},
)
"""What is tried on each world, as keys of ``learning``: trades of 12, 9 and 18 hours at most, with
their stops and take-profits 1.5, 2 and 1.5 deviations away."""


class CachedTraining(WorkerPool):
    """Runs tasks in this process at once, and caches what it trained."""

    def __init__(self, again: bool = False) -> None:
        """Start with an empty cache; ``again``: do not use it."""
        super().__init__(1)
        self._again = again
        self._made: dict[tuple[str, str], TrainedPackage] = {}

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Any]]:
        """Yield each task with its result."""
        for task in tasks:
            if task.function is train_package:
                yield task, train_package(task.argument, self._train)
            elif task.function is score_member:
                yield task, score_member(task.argument, self._recall)
            else:
                yield task, task.function(task.argument)

    def _train(
        self,
        rows: Rows,
        recipe: Recipe,
        subject: PackageSpec,
        opener: Any,
        picture: Draw | None = None,
    ) -> TrainedPackage:
        del picture
        trained = make_package(rows, recipe, subject, opener)
        self._made[rows.hash, recipe.hash] = trained
        return trained

    def _recall(
        self,
        rows: Rows,
        recipe: Recipe,
        subject: PackageSpec,
        opener: Any,
        picture: Draw | None = None,
    ) -> TrainedPackage:
        known = None if self._again else self._made.get((rows.hash, recipe.hash))
        if known is not None:
            return known
        return make_package(rows, recipe, subject, opener, picture=picture)


def play(
    seed: int,
    edge: float,
    folder: Path,
    n: int,
    again: bool = False,
    recipes: Sequence[dict[str, object]] = RECIPES,
    limits: dict[str, object] | None = None,
) -> dict[str, Any]:
    """Return the result of a market.

    folder  : for MLflow's database, which the markets of a process share.
    n       : number of hours.
    again   : train again what validation requires, without the cache.
    recipes : keys of ``learning``, one set for each recipe.
    limits  : keys of ``promotion``; None: its defaults.
    """
    started = time.perf_counter(), time.process_time()
    world = hours(seed, edge, n)
    root = Path(tempfile.mkdtemp(prefix="world_", dir=folder))
    try:
        judged = _judged(world, root, folder, again, recipes, limits or {})
        terms = AccountTerms(world.spec, rules_of(Workspace(root).settings), 10_000.0)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    passed = [each.verdict.passed for each in judged]
    chosen = judged[passed.index(True)] if any(passed) else judged[0]
    simple = [judge(each.evidence, each.limits, "simple").passed for each in judged]
    seen, rule = chosen.evidence, knows(world, terms)
    return {
        "seed": seed,
        "edge": edge,
        "hours": n,
        "promoted": any(passed),
        "simple": any(simple),
        "asked": len(judged),
        "first": passed[0],
        "refused_by": [[line.name for line in each.verdict.failed] for each in judged],
        "rule_sharpe": _rounded(rule.sharpe),
        "rule_trades": len(rule.net_bps),
        "rule_net_bps": _rounded(float(rule.net_bps.mean()) if len(rule.net_bps) else None),
        "sharpe": _rounded(seen.metrics.sharpe),
        "trades": seen.metrics.trades,
        "net_bps": _rounded(seen.metrics.net_bps),
        "e_value": float(f"{seen.e_value:.4g}"),
        "dsr": _rounded(seen.deflated_sharpe),
        "brier_skill": _rounded(seen.metrics.brier_skill),
        "calibration_error": _rounded(seen.calibration_error),
        "calibration_limit": _rounded(seen.calibration_limit),
        "days": round((seen.to_ms - seen.from_ms) / 86_400_000),
        "trials": seen.trials,
        "reproduced": [list(each.evidence.not_reproduced) for each in judged] if again else None,
        "seconds": round(time.perf_counter() - started[0], 1),
        "cpu_seconds": round(time.process_time() - started[1], 1),
    }


def knows(world: HourlyMarket, terms: AccountTerms) -> EvidenceAccount:
    """Return the account of the rule that knows the planted edge, at the same costs and sizes.

    It holds from one signal to the opposite one: without stop, take-profit and horizon.
    """
    edge = 1e3 * world.rule_edges()[:, None]
    silent = np.full_like(edge, np.nan)
    return trade(world.bars, 3_600_000, Signals(silent, edge, silent), terms.without_protections())


def _judged(
    world: HourlyMarket,
    root: Path,
    folder: Path,
    again: bool,
    recipes: Sequence[dict[str, object]],
    limits: dict[str, object],
) -> list[ValidationResult]:
    """Return the verdicts in order of the recipes' results, up to the first that passes."""
    Workspace.init(root)
    settings: dict[str, Any] = {
        "symbols": [world.spec.instrument.symbol],
        "venue": world.spec.instrument.venue,
        "timeframes": {"intervals": [{"interval": "1h", "weight": 1.0}]},
        "mlflow": {"tracking_uri": f"sqlite:///{folder / 'mlflow.db'}"},
        "promotion": limits,
    }
    path = root / "ares.yaml"
    path.write_text(yaml.safe_dump(settings))
    engine = open_database(Workspace(root).db_url)
    CandleStore(engine, root / "cache").save(world.spec, "1h", world.bars, "ares.sim.hours")
    engine.dispose()
    pool = CachedTraining(again=again)
    made: set[str] = set()
    for k, recipe in enumerate(recipes):
        path.write_text(yaml.safe_dump({**settings, "learning": recipe}))
        when = NOW + timedelta(hours=k)
        report = train(Workspace(root), TrainingRequest(), pool=pool, now=partial(_at, when))
        made |= {each.hash for each in report.ensembles}
    workspace = Workspace(root)
    sharpes = {
        trial.subject: annual_sharpe(np.frombuffer(trial.daily, "<f8")) or 0.0
        for trial in read_registry(workspace.journal_dir).trials
        if trial.subject in made
    }
    verdicts: list[ValidationResult] = []
    for subject in sorted(sharpes, key=lambda name: -sharpes[name]):
        verdicts.append(validate_model(workspace, subject, pool=pool))
        if verdicts[-1].verdict.passed:
            break
    return verdicts


def _at(when: datetime) -> datetime:
    return when


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 4)
