"""Sweeps, composed: each point's settings and strategy become the rules of a training."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ares.bootstrap.values import data_paths, model_paths
from ares.config.workspace import Workspace
from ares.domain.errors import UserError
from ares.domain.strategy import StrategySource
from ares.domain.sweep import Point, SamplerName, SweepParameter, SweepPlan

if TYPE_CHECKING:
    from ares.adapters.worker_pool import WorkerPool
    from ares.runtime.training.plan import TrainingRequest
    from ares.runtime.training.training_rules import TrainingRules
    from ares.runtime.validation.sweep import SweepReport

STRATEGY = "strategy."
RETRAINING = "continuous_learning.retraining."
SETTINGS = (
    *(f"learning.{name}" for name in ("horizon", "width", "leaves", "folds", "embargo_bars")),
    *(
        f"{RETRAINING}{name}"
        for name in ("rounds_per_epoch", "max_epochs", "patience", "target_confidence")
    ),
)
"""The settings that are part of a recipe."""

TRIALS_DEFAULT = 20


@dataclass(frozen=True, slots=True)
class SweepRequest:
    """The request of ``ares sweep``.

    parameters : settings of SETTINGS, or ``strategy.NAME`` for a parameter of ``strategy``.
    trials     : recipes to try; None: the whole grid, else TRIALS_DEFAULT.
    """

    parameters: tuple[SweepParameter, ...]
    symbol: str | None = None
    intervals: tuple[str, ...] = ()
    from_ms: int | None = None
    to_ms: int | None = None
    sampler: SamplerName = "grid"
    trials: int | None = None
    strategy: StrategySource | None = None
    workers: int = 0


def sweep(
    workspace: Workspace,
    request: SweepRequest,
    *,
    on_progress: Callable[[int, int, str], None] = lambda _done, _total, _what: None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    pool: WorkerPool | None = None,
) -> SweepReport:
    """Run a sweep in a workspace, or continue it; see ``runtime.validation.sweep``."""
    from contextlib import nullcontext

    from ares.bootstrap.training import recipe_rules, training_rules
    from ares.config.load import changed_settings
    from ares.runtime.training.plan import TrainingRequest
    from ares.runtime.training.train import training_pool
    from ares.runtime.validation.sweep import run_sweep

    settings, rules = workspace.settings, training_rules(workspace)
    _require_known(request)
    symbol = request.symbol or _first_symbol(workspace)
    training = TrainingRequest(
        symbols=(symbol,),
        intervals=request.intervals,
        from_ms=request.from_ms,
        to_ms=request.to_ms or _newest_ms(workspace, symbol),
        scope="instrument",
    )

    def inputs(point: Point) -> tuple[TrainingRules, TrainingRequest]:
        changed, parameters = settings, {}
        for name, value in point.items():
            if name.startswith(STRATEGY):
                parameters[name.removeprefix(STRATEGY)] = value
            else:
                changed = changed_settings(changed, f"{name}={value}")[1]
        strategy = request.strategy
        if strategy is not None:
            merged = {**strategy.parameters, **parameters}
            strategy = StrategySource(strategy.path, strategy.source, strategy.name, merged)
        own = _with(training, strategy)
        return replace(rules, recipe=recipe_rules(changed)), own

    plan = SweepPlan(
        request.parameters, request.sampler, request.trials or _trials(request), 1,
        _base(workspace, request, training),
    )  # fmt: skip
    for parameter in plan.parameters:  # a value that is not allowed is found before the work
        for value in parameter.choices or (parameter.low, parameter.high):
            inputs({parameter.name: value})
    workers = request.workers or rules.workers
    with nullcontext(pool) if pool else training_pool(workers) as running:
        batch = max(2, running.workers) if request.sampler == "tpe" else plan.trials
        plan = SweepPlan(plan.parameters, plan.sampler, plan.trials, batch, plan.base, plan.seed)
        return run_sweep(model_paths(workspace), plan, inputs, running, now, on_progress)


def sweep_picture(report: SweepReport, deflated_min: float | None = None) -> bytes:
    """Return the picture of a sweep as PNG; ``deflated_min``: the gate's limit."""
    from ares.research.sweep_plot import SweepPlot, SweepPoint, draw_sweep

    points = tuple(
        SweepPoint(each.result.point, each.result.sharpe, each.deflated, each.expected_max)
        for each in report.ranked
        if each.result.ensemble
    )
    names = tuple(parameter.name for parameter in report.plan.parameters)
    return draw_sweep(
        SweepPlot(report.instrument, names, points, report.trials, report.by_trials, deflated_min)
    )


def _with(training: TrainingRequest, strategy: StrategySource | None) -> TrainingRequest:
    import msgspec

    return msgspec.structs.replace(training, strategy=strategy)


def _require_known(request: SweepRequest) -> None:
    """Raise UserError where a parameter is no part of a recipe, or there is nothing to try."""
    if not request.parameters:
        raise UserError("name what to try: --param learning.horizon=0.33,0.5,1")
    names = [parameter.name for parameter in request.parameters]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"--param {name} is given twice: list its values in one")
        if name.startswith(STRATEGY) and request.strategy is None:
            raise UserError(f"--param {name}: name the strategy with --strategy FILE:NAME")
        if not name.startswith(STRATEGY) and name not in SETTINGS:
            raise UserError(
                f"--param {name} is no part of a recipe: use one of {', '.join(SETTINGS)}, or "
                "strategy.NAME"
            )
        if request.strategy is not None and name.startswith((RETRAINING, "learning.leaves")):
            raise UserError(f"--param {name}: no trees are fitted to a strategy")
    if request.sampler == "grid" and not all(p.choices for p in request.parameters):
        raise UserError("a range without a step has no grid: add one, or use --sampler random")


def _trials(request: SweepRequest) -> int:
    """Return how many recipes a sweep without ``--trials`` tries."""
    if request.sampler != "grid":
        return TRIALS_DEFAULT
    n = 1
    for parameter in request.parameters:
        n *= len(parameter.choices)
    return n


def _first_symbol(workspace: Workspace) -> str:
    """Return the first of the settings' symbols that has candles."""
    from ares.bootstrap.data import candle_store
    from ares.bootstrap.training import configured_instruments
    from ares.runtime.training.instrument_selection import instruments_of

    with candle_store(workspace) as store:
        found, _ = instruments_of(store, configured_instruments(workspace.settings), ())
    return found[0].key


def _newest_ms(workspace: Workspace, symbol: str) -> int | None:
    """Return the end of the stored candles, so that an interrupted sweep goes on with the same."""
    from ares.domain.timeframe import Timeframe
    from ares.store.candles import CandleStore
    from ares.store.database import open_database

    data = data_paths(workspace)
    engine = open_database(data.database_url)
    try:
        store = CandleStore(engine, data.cache)
        instrument = store.resolve(symbol)
        ends = [
            last_ms + Timeframe(interval).ms
            for interval in store.intervals(instrument)
            if (last_ms := store.last_ms(instrument, interval)) is not None
        ]
    finally:
        engine.dispose()
    return max(ends, default=None)


def _base(workspace: Workspace, request: SweepRequest, training: TrainingRequest) -> str:
    """Return the hash of what all points of a sweep share."""
    import msgspec

    module = workspace.settings.features.module
    parts = [
        msgspec.json.encode(msgspec.structs.replace(training, workers=0), order="sorted"),
        workspace.settings.hash.encode(),
        msgspec.json.encode(request.strategy, order="sorted"),
        (workspace.root / Path(module)).read_bytes() if module else b"",
    ]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()
