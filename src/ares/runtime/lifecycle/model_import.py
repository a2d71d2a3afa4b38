"""A user's own ONNX model: tried on real rows, measured on all of them, kept as a candidate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from ares.adapters.model_store import ModelStore
from ares.adapters.onnx_model import open_model
from ares.adapters.provenance import git_commit, library_versions
from ares.domain.errors import UserError
from ares.domain.instrument import Instrument
from ares.domain.model import Ensemble, Validation
from ares.domain.model_life import ModelsImported
from ares.domain.package import GRAPH_FILE, Package, PackageCard, sealed, sha256
from ares.domain.timeframe import MINUTE_MS, Timeframe
from ares.domain.utc import utc_iso, utc_text, utc_version
from ares.kernel.features import VOLATILITY_20
from ares.kernel.features.columns import column_names
from ares.kernel.features.user import UserFeatures
from ares.learn.calibration import Payoff, fit_payoff
from ares.learn.evaluate import OosMetrics, evaluate
from ares.learn.recipe import Recipe
from ares.learn.rows import Rows, rows_of, with_user
from ares.learn.walk_forward import OutOfSample
from ares.observe.user_features_check import require_no_leak
from ares.runtime.registry.model_check import OpenedModel, check_scores
from ares.runtime.registry.model_journal import record, stamp, who
from ares.runtime.registry.paths import ModelPaths
from ares.runtime.training.instrument_history import HistorySource, load_history
from ares.runtime.training.plan import recipe_for
from ares.runtime.training.training_rules import RecipeRules, TrainingContext
from ares.store.candles import CandleStore
from ares.store.database import open_database

ROWS_MIN = 50
"""Fewer rows show nothing about a model's outputs."""

NOTE = "measured on all stored rows: Ares cannot know which of them the model has seen"
PROMISED = "measured on the rows after {day} UTC, as far as --trained-to is true"


@dataclass(frozen=True, slots=True)
class OnnxImport:
    """An ONNX file to import, and the values of the workspace that it is tried with.

    symbol, interval : what it is a model of.
    venue, reference : the venue and symbol that cross-instrument features look at.
    trained_to_ms    : the promise that it has learned from no later bar; None: not known.
    rules            : of a recipe, for the label that its trades are measured by.
    """

    path: Path
    symbol: str
    interval: str
    venue: str
    reference: str
    rules: RecipeRules
    context: TrainingContext
    trained_to_ms: int | None = None


class ImportedModel(msgspec.Struct, frozen=True):
    """An imported model: its package, and the ensemble of it alone, which may be traded."""

    package: Package
    ensemble: Ensemble
    metrics: OosMetrics


def import_onnx(
    paths: ModelPaths,
    request: OnnxImport,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> ImportedModel:
    """Import an ONNX file with the contract: ``features`` in, ``probability`` out.

    The columns are the kernel's features in their order, then those of the settings' module where
    there is one. A probability is the chance that a long trade entered now wins net of costs, as
    the timeframe's label defines it. The model is tried on stored rows.

    Raises UserError where the file is not such a model, or there are no rows to try it on.
    """
    path, created = request.path, now()
    timeframe = Timeframe.parse(request.interval)
    try:
        graph = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        raise UserError(f"{path}: there is no such file") from None
    user = None if request.context.user is None else request.context.user.load()
    scorer = open_model(graph, len(column_names(user)), str(path))
    instrument, reference, recipe, rows = _rows(request, timeframe, user)
    [p] = check_scores([OpenedModel(str(path), scorer)], [rows.x])
    payoff = fit_payoff(rows.net, rows.barrier_width)
    later = _after(rows, request.trained_to_ms)
    metrics = evaluate(
        OutOfSample(rows[later], p[later], payoff.edge_bps(p, rows.barrier_width)[later]),
        edge_bps_min=request.context.edge_bps_min,
        interval_ms=timeframe.ms,
        seed=recipe.seed,
    )
    card = _card(
        request,
        graph,
        column_names(user),
        (instrument, reference),
        recipe,
        rows,
        payoff,
        metrics,
        created,
    )
    store = ModelStore(paths.models)
    package = store.add(sealed(card, {GRAPH_FILE: graph}))
    ensemble = package.alone(instrument.key, utc_iso(created))
    store.save_ensemble(ensemble)
    stored = ModelsImported((package.card.ref,), ensemble.hash, path.name, stamp(now), who())
    record(paths.journals, [stored])
    return ImportedModel(package, ensemble, metrics)


def _card(
    request: OnnxImport,
    graph: bytes,
    columns: tuple[str, ...],
    about: tuple[Instrument, Instrument],
    recipe: Recipe,
    rows: Rows,
    payoff: Payoff,
    metrics: OosMetrics,
    created: datetime,
) -> PackageCard:
    """Return the card of an imported model of an instrument and its reference."""
    (instrument, reference), timeframe = about, Timeframe.parse(request.interval)
    label = recipe.label
    return PackageCard(
        name=f"{instrument.slug}_{timeframe}_imported",
        version=utc_version(created),
        scope="instrument",
        instruments=(instrument.key,),
        timeframe=timeframe,
        origin="imported",
        features=columns,
        features_hash=recipe.features_hash,
        recipe={"imported": request.path.name, "sha256": sha256(graph)},
        recipe_hash=sha256(graph),
        horizon_bars=label.horizon_bars,
        width_sigmas=label.width_sigmas,
        width_min_bps=label.width_min_bps,
        cost_bps=label.cost_bps,
        gain=payoff.gain,
        loss=payoff.loss,
        data_from_ms=int(rows.decided_ms[0]),
        data_to_ms=int(np.max(rows.ends_ms)),
        data_rows=len(rows),
        data_hash=rows.hash,
        validation=Validation(),
        metrics={**msgspec.to_builtins(metrics), "note": _note(request.trained_to_ms)},
        parity={},
        libraries=library_versions(),
        git_commit=git_commit(),
        created_at=utc_iso(created),
        reference=reference.key,
        verdict=None,
        trained_to_ms=request.trained_to_ms,
    )


def _note(trained_to_ms: int | None) -> str:
    if trained_to_ms is None:
        return NOTE
    return PROMISED.format(day=utc_text(trained_to_ms // MINUTE_MS * MINUTE_MS))


def _after(rows: Rows, trained_to_ms: int | None) -> NDArray[np.bool_]:
    """Return which rows were decided after an instant (None: all); UserError where too few."""
    if trained_to_ms is None:
        return np.ones(len(rows), np.bool_)
    later: NDArray[np.bool_] = rows.decided_ms > trained_to_ms
    if later.sum() < ROWS_MIN:
        raise UserError(
            f"--trained-to: {later.sum()} rows were decided after it, too few to measure a model "
            f"(wanted {ROWS_MIN}): import newer candles, or leave it out"
        )
    return later


def _rows(
    request: OnnxImport, timeframe: Timeframe, user: UserFeatures | None
) -> tuple[Instrument, Instrument, Recipe, Rows]:
    """Return the instrument, its reference, and its newest rows with the outcome of each trade."""
    data, rows_max = request.context.data, request.context.rows_max
    engine = open_database(data.database_url)
    try:
        store = CandleStore(engine, data.cache)
        instrument = store.resolve(request.symbol)
        reference = store.resolve_at(request.venue, request.reference)
        require_no_leak(user, store, [instrument], [timeframe])
    finally:
        engine.dispose()
    source = HistorySource(data.database_url, data.cache)
    seen = load_history(source, instrument, timeframe, reference, rows_max, [])
    recipe = recipe_for(request.rules, timeframe, "instrument", user=user)
    rows = rows_of(
        seen.bars,
        seen.table.values,
        seen.table.warm,
        seen.table.values[:, VOLATILITY_20],
        recipe,
        path_bars=seen.path_bars,
        path_interval_ms=seen.path_interval_ms,
    )
    if len(rows) < ROWS_MIN:
        raise UserError(
            f"{instrument.key} has {len(rows)} rows of {timeframe}, too few to try a model on "
            f"(wanted {ROWS_MIN}): import more candles"
        )
    rows = rows.newest(rows_max)
    return instrument, reference, recipe, with_user(rows, [seen.bars], timeframe.ms, user)
