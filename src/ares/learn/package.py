"""From rows to a package: fitted walk-forward, exported, compared, evaluated and drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from ares.domain.instrument import Instrument
from ares.domain.package import PICTURE_FILE, Package, PackageCard, sealed
from ares.domain.strategy import SOURCE_FILE
from ares.kernel.bars import F64, Bars
from ares.learn import parity
from ares.learn.equity import EquityPath, equity_of_holding, equity_of_trades
from ares.learn.evaluate import OosMetrics, evaluate, non_overlapping
from ares.learn.fit import FittedModel, LearningCurve, importance_of
from ares.learn.parity import Scorer
from ares.learn.recipe import Recipe
from ares.learn.rows import Rows, blanked
from ares.learn.series import with_missing
from ares.learn.walk_forward import OutOfSample, WalkForwardResult, fit_walk_forward


@dataclass(frozen=True, slots=True)
class TrainingEvidence:
    """What the picture of a package shows.

    rows           : that the model was fitted on.
    trained_ms, evaluated_ms : first decision and last known outcome of those rows, and of the
                     rows evaluated out of sample.
    p              : (n,) probabilities predicted out of sample.
    traded, held   : equity out of sample after costs, and holding over the same time.
    importance     : features with their share of the gain of all splits, the largest first.
    """

    instruments: tuple[str, ...]
    recipe: Recipe
    rows: int
    trained_ms: tuple[int, int]
    evaluated_ms: tuple[int, int]
    metrics: OosMetrics
    p: F64
    curve: LearningCurve
    traded: EquityPath
    held: EquityPath | None
    importance: tuple[tuple[str, float], ...] = ()


Draw = Callable[[TrainingEvidence], bytes]
"""Makes ``training.png`` of a package's evidence."""

OpenGraph = Callable[[bytes, int], Scorer]
"""Opens an exported graph for rows of so many features, as it will be served."""


@dataclass(frozen=True, slots=True)
class PackageSpec:
    """What the caller states about a package: instruments, columns, bars, origin.

    instruments  : in the order of the rows' lanes.
    columns      : names of all feature columns, as they come out of the kernel.
    bars         : (n_instruments,) bars of the recipe's timeframe, for the result of holding.
    edge_bps_min : expected edge above which a signal counts as a trade.
    reference, path_interval, window_* : see ``domain.package.PackageCard``.
    strategy     : source of the user's strategy whose score is the last column; None: no strategy.
    version, created_at, git_commit, libraries : from outside; nothing here reads a clock.
    """

    instruments: tuple[Instrument, ...]
    columns: tuple[str, ...]
    bars: tuple[Bars, ...]
    edge_bps_min: float
    version: str
    created_at: str
    git_commit: str
    libraries: dict[str, str]
    reference: str | None = None
    path_interval: str | None = None
    window_from_ms: int | None = None
    window_to_ms: int | None = None
    strategy: bytes | None = None


@dataclass(frozen=True, slots=True)
class TrainedPackage:
    """A package with its metrics, and the walk-forward that it comes from."""

    package: Package
    metrics: OosMetrics
    walk_forward: WalkForwardResult

    @property
    def out_of_sample(self) -> OutOfSample:
        """Return the predictions of the walk-forward's models on their test folds."""
        return self.walk_forward.out_of_sample


def make_package(
    rows: Rows,
    recipe: Recipe,
    spec: PackageSpec,
    open_graph: OpenGraph,
    picture: Draw | None = None,
) -> TrainedPackage:
    """Return the package that the recipe makes of these rows.

    picture : draws its evidence; None: the package has no picture.

    Raises TooFewRowsError, or ConversionWrongError when the exported graph is not the model.
    """
    x = blanked(rows.x, spec.columns, recipe.features)
    result = fit_walk_forward(x, rows, recipe)
    graph = result.fitted.exported(result.platt)
    reference = with_missing(result.fitted.reference_rows(x), recipe.series)
    compared = parity.require_parity(
        parity.compare(result.probability(reference), open_graph(graph, x.shape[1]), reference)
    )
    outputs = result.out_of_sample
    from_ms, to_ms = int(outputs.rows.decided_ms[0]), int(outputs.rows.ends_ms.max())
    holding = equity_of_holding(spec.bars, from_ms, to_ms, recipe.label.cost_bps)
    metrics = evaluate(
        outputs,
        edge_bps_min=spec.edge_bps_min,
        interval_ms=recipe.timeframe.ms,
        seed=recipe.seed,
        buy_hold_bps=None if holding is None else 1e4 * (float(holding.value[-1]) - 1.0),
    )
    files = {result.fitted.file_name: graph}
    if spec.strategy is not None:
        files[SOURCE_FILE] = spec.strategy
    if picture:
        files[PICTURE_FILE] = picture(_evidence(rows, recipe, spec, result, metrics, holding))
    card = _card(rows, recipe, spec, result, metrics, compared)
    return TrainedPackage(sealed(card, files), metrics, result)


def package_name(recipe: Recipe, instruments: Sequence[Instrument]) -> str:
    """Return the name of the folder that this recipe's packages go to.

    The universe has one name for a timeframe, whichever instruments it was pooled from.
    """
    name = "universe" if recipe.scope == "universe" else instruments[0].slug
    if recipe.strategy is not None:
        name = f"{name}_{recipe.strategy.name}"
    return f"{name}_{recipe.timeframe}"


def _evidence(
    rows: Rows,
    recipe: Recipe,
    spec: PackageSpec,
    result: WalkForwardResult,
    metrics: OosMetrics,
    holding: EquityPath | None,
) -> TrainingEvidence:
    outputs = result.out_of_sample
    evaluated = outputs.rows
    from_ms, to_ms = int(evaluated.decided_ms[0]), int(evaluated.ends_ms.max())
    entered = non_overlapping(evaluated, outputs.edge_bps > metrics.edge_bps_min)
    return TrainingEvidence(
        instruments=tuple(instrument.key for instrument in spec.instruments),
        recipe=recipe,
        rows=len(rows),
        trained_ms=(int(rows.decided_ms[0]), int(rows.ends_ms.max())),
        evaluated_ms=(from_ms, to_ms),
        metrics=metrics,
        p=outputs.p,
        curve=result.fitted.curve,
        traded=equity_of_trades(evaluated, entered, from_ms, to_ms),
        held=holding,
        importance=importance_of(result.fitted, spec.columns)
        if isinstance(result.fitted, FittedModel)
        else (),
    )


def _card(
    rows: Rows,
    recipe: Recipe,
    spec: PackageSpec,
    result: WalkForwardResult,
    metrics: OosMetrics,
    compared: parity.Parity,
) -> PackageCard:
    label = recipe.label
    curve = {
        "epochs": result.fitted.curve.epochs,
        "fitted": list(result.fitted.curve.fitted),
        "stopping": list(result.fitted.curve.stopping),
        "stopping_base": result.fitted.curve.stopping_base,
    }
    return PackageCard(
        name=package_name(recipe, spec.instruments),
        version=spec.version,
        scope=recipe.scope,
        instruments=tuple(instrument.key for instrument in spec.instruments),
        timeframe=recipe.timeframe,
        origin="trained",
        features=spec.columns,
        features_hash=recipe.features_hash,
        recipe=recipe.content,
        recipe_hash=recipe.hash,
        horizon_bars=label.horizon_bars,
        width_sigmas=label.width_sigmas,
        width_min_bps=label.width_min_bps,
        cost_bps=label.cost_bps,
        gain=result.payoff.gain,
        loss=result.payoff.loss,
        data_from_ms=int(rows.decided_ms[0]),
        data_to_ms=int(np.max(rows.ends_ms)),
        data_rows=len(rows),
        data_hash=rows.hash,
        validation=metrics.validation,
        metrics={**msgspec.to_builtins(metrics), "learning_curve": curve},
        parity=msgspec.to_builtins(compared),
        libraries=spec.libraries,
        git_commit=spec.git_commit,
        created_at=spec.created_at,
        reference=spec.reference,
        verdict=None,
        path_interval=spec.path_interval,
        window_from_ms=spec.window_from_ms,
        window_to_ms=spec.window_to_ms,
    )
