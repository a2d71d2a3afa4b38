"""From rows to a package: walked, exported, compared with what was trained, judged and drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from ares.domain.instrument import Instrument
from ares.domain.package import GRAPH_FILE, PICTURE_FILE, Package, PackageCard, sealed
from ares.kernel.bars import F64, Bars
from ares.learn import parity
from ares.learn.equity import EquityPath, held, traded
from ares.learn.evaluate import OosMetrics, evaluate, in_turn
from ares.learn.fit import LearningCurve
from ares.learn.onnx_graph import reference_rows, to_onnx
from ares.learn.parity import Scorer
from ares.learn.recipe import Recipe
from ares.learn.rows import Rows, blanked
from ares.learn.series import with_missing
from ares.learn.walk_forward import OutOfSample, WalkForwardResult, walk


@dataclass(frozen=True, slots=True)
class TrainingEvidence:
    """What the picture of a package shows.

    rows           : that the model was fitted on.
    trained_ms, evaluated_ms : first decision and last known outcome of those rows, and of the
                     rows evaluated out of sample.
    p              : (n,) probabilities predicted out of sample.
    traded, held   : equity out of sample after costs, and holding over the same time.
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


Draw = Callable[[TrainingEvidence], bytes]
"""Makes ``training.png`` of a package's evidence."""

OpenGraph = Callable[[bytes, int], Scorer]
"""Opens an exported graph for rows of so many features, as it will be served."""


@dataclass(frozen=True, slots=True)
class PackageSpec:
    """What a model is made of and for, as the caller knows it.

    instruments  : in the order of the rows' lanes.
    columns      : names of all feature columns, as they come out of the kernel.
    bars         : (n_instruments,) bars of the recipe's timeframe, for holding's result.
    edge_bps_min : expected edge above which a signal counts as a trade.
    reference, watched, window_* : see ``domain.package.PackageCard``.
    version, created_at, git_commit, libraries : from outside; nothing here asks a clock.
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
    watched: str | None = None
    window_from_ms: int | None = None
    window_to_ms: int | None = None


@dataclass(frozen=True, slots=True)
class TrainedPackage:
    """A package with the evidence that its picture and card tell of, and the walk it comes from."""

    package: Package
    metrics: OosMetrics
    walked: WalkForwardResult

    @property
    def out_of_sample(self) -> OutOfSample:
        """Return what the walk's models said about rows that they had not seen."""
        return self.walked.out_of_sample


def make_package(
    rows: Rows,
    recipe: Recipe,
    subject: PackageSpec,
    open_graph: OpenGraph,
    picture: Draw | None = None,
) -> TrainedPackage:
    """Return the package that the recipe makes of these rows.

    picture : draws its evidence; None: the package has no picture.

    Raises TooFewRowsError, or ConversionWrongError when the exported graph is not the model.
    """
    x = blanked(rows.x, subject.columns, recipe.features)
    walked = walk(x, rows, recipe)
    graph = to_onnx(walked.fitted.trees, walked.platt)
    made = with_missing(reference_rows(x, walked.fitted.trees), recipe.series)
    compared = parity.require_parity(
        parity.compare(walked.probability(made), open_graph(graph, x.shape[1]), made)
    )
    seen = walked.out_of_sample
    from_ms, to_ms = int(seen.rows.decided_ms[0]), int(seen.rows.ends_ms.max())
    holding = held(subject.bars, from_ms, to_ms, recipe.label.cost_bps)
    metrics = evaluate(
        seen,
        edge_bps_min=subject.edge_bps_min,
        interval_ms=recipe.timeframe.ms,
        seed=recipe.seed,
        buy_hold_bps=None if holding is None else 1e4 * (float(holding.value[-1]) - 1.0),
    )
    files = {GRAPH_FILE: graph}
    if picture:
        files[PICTURE_FILE] = picture(_evidence(rows, recipe, subject, walked, metrics, holding))
    card = _card(rows, recipe, subject, walked, metrics, compared)
    return TrainedPackage(sealed(card, files), metrics, walked)


def package_name(recipe: Recipe, instruments: Sequence[Instrument]) -> str:
    """Return the name of the folder that this recipe's packages go to.

    The universe has one name for a timeframe, whichever instruments it was pooled from.
    """
    if recipe.scope == "universe":
        return f"universe_{recipe.timeframe}"
    return f"{instruments[0].slug}_{recipe.timeframe}"


def _evidence(
    rows: Rows,
    recipe: Recipe,
    subject: PackageSpec,
    walked: WalkForwardResult,
    metrics: OosMetrics,
    holding: EquityPath | None,
) -> TrainingEvidence:
    outputs = walked.out_of_sample
    evaluated = outputs.rows
    from_ms, to_ms = int(evaluated.decided_ms[0]), int(evaluated.ends_ms.max())
    entered = in_turn(evaluated, outputs.edge_bps > metrics.edge_bps_min)
    return TrainingEvidence(
        instruments=tuple(instrument.key for instrument in subject.instruments),
        recipe=recipe,
        rows=len(rows),
        trained_ms=(int(rows.decided_ms[0]), int(rows.ends_ms.max())),
        evaluated_ms=(from_ms, to_ms),
        metrics=metrics,
        p=outputs.p,
        curve=walked.fitted.curve,
        traded=traded(evaluated, entered, from_ms, to_ms),
        held=holding,
    )


def _card(
    rows: Rows,
    recipe: Recipe,
    subject: PackageSpec,
    walked: WalkForwardResult,
    metrics: OosMetrics,
    compared: parity.Parity,
) -> PackageCard:
    label = recipe.label
    curve = {
        "epochs": walked.fitted.curve.epochs,
        "fitted": list(walked.fitted.curve.fitted),
        "stopping": list(walked.fitted.curve.stopping),
        "stopping_base": walked.fitted.curve.stopping_base,
    }
    return PackageCard(
        name=package_name(recipe, subject.instruments),
        version=subject.version,
        scope=recipe.scope,
        instruments=tuple(instrument.key for instrument in subject.instruments),
        timeframe=recipe.timeframe,
        origin="trained",
        features=subject.columns,
        features_hash=recipe.features_hash,
        recipe=recipe.content,
        recipe_hash=recipe.hash,
        horizon_bars=label.horizon_bars,
        width_sigmas=label.width_sigmas,
        width_min_bps=label.width_min_bps,
        cost_bps=label.cost_bps,
        gain=walked.payoff.gain,
        loss=walked.payoff.loss,
        data_from_ms=int(rows.decided_ms[0]),
        data_to_ms=int(np.max(rows.ends_ms)),
        data_rows=len(rows),
        data_hash=rows.hash,
        validation=metrics.validation,
        metrics={**msgspec.to_builtins(metrics), "learning_curve": curve},
        parity=msgspec.to_builtins(compared),
        libraries=subject.libraries,
        git_commit=subject.git_commit,
        created_at=subject.created_at,
        reference=subject.reference,
        verdict=None,
        watched=subject.watched,
        window_from_ms=subject.window_from_ms,
        window_to_ms=subject.window_to_ms,
    )
