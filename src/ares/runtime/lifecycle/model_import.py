"""A user's own ONNX model: tried on real rows, measured on all of them, kept as a candidate."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np

from ares.adapters.model_store import ModelStore
from ares.adapters.onnx_model import check_answers, open_model
from ares.adapters.provenance import git_commit, library_versions
from ares.config.workspace import Workspace
from ares.domain.errors import UserError
from ares.domain.instrument import Instrument
from ares.domain.model import Ensemble, Validation
from ares.domain.model_life import ModelsImported
from ares.domain.package import GRAPH_FILE, Package, PackageCard, sealed, sha256
from ares.domain.timeframe import Timeframe
from ares.domain.utc import utc_iso, utc_version
from ares.kernel.features import VOLATILITY_20
from ares.kernel.features.columns import column_names
from ares.kernel.features.user import UserFeatures
from ares.learn.calibration import fit_payoff
from ares.learn.evaluate import OosMetrics, evaluate
from ares.learn.recipe import Recipe
from ares.learn.rows import Rows, rows_of, with_user
from ares.learn.walk_forward import OutOfSample
from ares.observe.user_features_check import load_features, require_no_leak
from ares.runtime.registry.model_journal import record, stamp, who
from ares.runtime.training.instrument_history import HistorySource, load_seen
from ares.runtime.training.plan import recipe_for
from ares.runtime.training.training_rules import RecipeRules
from ares.store.candles import CandleStore
from ares.store.database import open_database

ROWS_MIN = 50
"""Fewer rows than this show nothing about a model's answers."""

NOTE = "measured on all stored rows: Ares cannot know which of them the model had seen"


class ImportedModel(msgspec.Struct, frozen=True):
    """A model that was taken in: its package, and the ensemble of one that may be traded."""

    package: Package
    ensemble: Ensemble
    metrics: OosMetrics


def import_onnx(
    workspace: Workspace,
    rules: RecipeRules,
    path: Path,
    symbol: str,
    interval: str,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> ImportedModel:
    """Take in an ONNX file that keeps the contract: ``features`` in, ``probability`` out.

    The columns are the kernel's features in their order, behind them those of the settings' module
    where there is one; a probability is that of a long trade
    entered now winning net of costs, as the timeframe's label says. It is tried on stored rows.

    Raises UserMistake where the file is no such model, or there are no rows to try it on.
    """
    settings, created = workspace.settings, now()
    timeframe = Timeframe.parse(interval)
    try:
        graph = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        raise UserError(f"{path}: there is no such file") from None
    user = load_features(settings.features.module, workspace.root)
    scorer = open_model(graph, len(column_names(user)), str(path))
    instrument, reference, recipe, rows = _rows(workspace, rules, symbol, timeframe, user)
    p = check_answers(scorer, rows.x, str(path))
    payoff = fit_payoff(rows.net, rows.width)
    metrics = evaluate(
        OutOfSample(rows, p, payoff.edge_bps(p, rows.width)),
        edge_bps_min=settings.strategy.edge_bps_min,
        interval_ms=timeframe.ms,
        seed=recipe.seed,
    )
    label = recipe.label
    card = PackageCard(
        name=f"{instrument.slug}_{timeframe}_imported",
        version=utc_version(created),
        scope="instrument",
        instruments=(instrument.key,),
        timeframe=timeframe,
        origin="imported",
        features=column_names(user),
        features_hash=recipe.features_hash,
        recipe={"imported": path.name, "sha256": sha256(graph)},
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
        metrics={**msgspec.to_builtins(metrics), "note": NOTE},
        parity={},
        libraries=library_versions(),
        git_commit=git_commit(),
        created_at=utc_iso(created),
        reference=reference.key,
        verdict=None,
    )
    store = ModelStore(workspace.models_dir)
    package = store.add(sealed(card, {GRAPH_FILE: graph}))
    ensemble = package.alone(instrument.key, utc_iso(created))
    store.save_ensemble(ensemble)
    stored = ModelsImported((package.card.ref,), ensemble.hash, path.name, stamp(now), who())
    record(workspace.journal_dir, [stored])
    return ImportedModel(package, ensemble, metrics)


def _rows(
    workspace: Workspace,
    rules: RecipeRules,
    symbol: str,
    timeframe: Timeframe,
    user: UserFeatures | None,
) -> tuple[Instrument, Instrument, Recipe, Rows]:
    """Return the instrument, its reference, and its newest rows with what became of each trade."""
    settings = workspace.settings
    engine = open_database(workspace.db_url)
    try:
        store = CandleStore(engine, workspace.cache_dir)
        instrument = store.resolve(symbol)
        reference = store.resolve_at(settings.venue, settings.reference_symbol)
        require_no_leak(user, store, [instrument], [timeframe])
    finally:
        engine.dispose()
    source = HistorySource(workspace.db_url, workspace.cache_dir)
    seen = load_seen(source, instrument, timeframe, reference, settings.learning.rows_max, [])
    recipe = recipe_for(rules, timeframe, "instrument", user=user)
    rows = rows_of(
        seen.bars,
        seen.table.values,
        seen.table.warm,
        seen.table.values[:, VOLATILITY_20],
        recipe,
        watched=seen.watched,
        watched_ms=seen.watched_ms,
    )
    if len(rows) < ROWS_MIN:
        raise UserError(
            f"{instrument.key} has {len(rows)} rows of {timeframe}, too few to try a model on "
            f"(wanted {ROWS_MIN}): import more candles"
        )
    rows = rows.newest(settings.learning.rows_max)
    return instrument, reference, recipe, with_user(rows, [seen.bars], timeframe.ms, user)
