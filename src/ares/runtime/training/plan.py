"""What is to be trained: from a request and the settings to one job for each package."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import msgspec

from ares.adapters.provenance import git_commit, library_versions
from ares.config.workspace import Workspace
from ares.domain.errors import UserError
from ares.domain.instrument import Instrument
from ares.domain.sentiment import SentimentSpec
from ares.domain.timeframe import Timeframe
from ares.kernel.features.columns import column_names, columns_hash
from ares.kernel.features.user import UserFeatures
from ares.kernel.trade.rules import round_trip_bps
from ares.learn.recipe import BoostRecipe, Recipe, default_label
from ares.runtime.engine.plan import utc_minute
from ares.runtime.training.instrument_history import HistorySource
from ares.runtime.training.instrument_selection import instruments_of
from ares.runtime.training.job import PackageJob, UserModule
from ares.runtime.training.news import sentiment_of_wholes
from ares.store.candles import CandleStore
from ares.store.database import open_database

if TYPE_CHECKING:
    from ares.config.settings import Settings

Scope = Literal["instrument", "universe"]


class TrainingRequest(msgspec.Struct, frozen=True):
    """What to train; empty or None: as the settings say.

    symbols, intervals : e.g. ``BTC/USDT`` or ``binance:BTC/USDT``; ``1h``.
    from_ms, to_ms     : no outcome outside is looked at; bars before only warm features up.
    price_only         : leave sentiment out, though there may be news.
    workers            : processes; 0: as the settings say.
    """

    symbols: tuple[str, ...] = ()
    intervals: tuple[str, ...] = ()
    from_ms: int | None = None
    to_ms: int | None = None
    scope: Scope | None = None
    price_only: bool = False
    workers: int = 0


def package_jobs(
    workspace: Workspace,
    request: TrainingRequest,
    created: datetime,
    user: UserFeatures | None = None,
) -> tuple[list[PackageJob], list[str]]:
    """Return the jobs of a request, one for each pair or for each timeframe of the universe, and
    a line for each configured symbol that has no candles.

    user : the features of the settings' module.

    The slowest (the shortest timeframes) come first, so that no core waits for a late one.
    Raises UserMistake where a symbol or interval is unknown, or the window is none.
    """
    settings = workspace.settings
    first_ms, last_ms = request.from_ms, request.to_ms
    if first_ms is not None and last_ms is not None and first_ms >= last_ms:
        raise UserError("--from is not before --to: there is nothing to train on")
    instruments, reference, remarks = _instruments(workspace, request.symbols, first_ms, last_ms)
    scope = request.scope or settings.learning.scope
    wholes = [tuple(instruments)] if scope == "universe" else [(one,) for one in instruments]
    module = None
    if user is not None and settings.features.module is not None:
        module = UserModule(settings.features.module, workspace.root.resolve(), user.hash)
    source = HistorySource(workspace.db_url, workspace.cache_dir, request.from_ms, request.to_ms)
    news, said = sentiment_of_wholes(workspace, wholes, first_ms, last_ms, request.price_only)
    jobs = [
        PackageJob(
            source=source,
            instruments=whole,
            recipe=recipe_for(settings, timeframe, scope, request.price_only, user, news[whole]),
            reference=reference,
            rows_min=settings.learning.rows_min,
            rows_max=settings.learning.rows_max,
            edge_bps_min=settings.strategy.edge_bps_min,
            version=created.strftime("%Y%m%d_%H%M%S"),
            created_at=stamp(created),
            git_commit=git_commit(),
            libraries=library_versions(),
            user=module,
        )
        for timeframe in sorted(_timeframes(settings, request), key=lambda t: t.ms)
        for whole in wholes
    ]
    return jobs, [*remarks, *said]


def recipe_for(
    settings: Settings,
    timeframe: Timeframe,
    scope: Scope,
    price_only: bool = False,
    user: UserFeatures | None = None,
    sentiment: SentimentSpec | None = None,
) -> Recipe:
    """Return the recipe that the settings describe for a timeframe.

    sentiment : how its columns of sentiment are made; None: by prices alone.
    """
    costs, retraining = settings.costs, settings.continuous_learning.retraining
    cost_bps = round_trip_bps(costs.fee_bps, costs.spread_bps, costs.slippage_bps)
    return Recipe(
        timeframe=timeframe,
        features=column_names(user, sentiment is not None),
        features_hash=columns_hash(user, sentiment is not None),
        label=default_label(
            timeframe,
            cost_bps,
            "triple_barrier",
            settings.learning.horizon,
            settings.learning.width,
        ),
        boost=BoostRecipe(
            rounds_per_epoch=retraining.rounds_per_epoch,
            epochs_max=retraining.max_epochs,
            patience=retraining.patience,
            target_confidence=retraining.target_confidence,
            leaves=settings.learning.leaves,
        ),
        scope=scope,
        folds=settings.learning.folds,
        embargo_bars=settings.learning.embargo_bars,
        price_only=price_only,
        sentiment=sentiment,
    )


def stamp(when: datetime) -> str:
    """Return a time as cards and tags write it: ``2023-04-20T12:00:00Z``."""
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def _instruments(
    workspace: Workspace, symbols: Sequence[str], first_ms: int | None, last_ms: int | None
) -> tuple[list[Instrument], Instrument | None, list[str]]:
    """Return the instruments meant, the one that cross features look at, and remarks.

    Of the configured symbols, those without candles are left out; one that was asked for is not.
    Without a configured reference that has candles, the cross features are neutral.
    """
    settings = workspace.settings
    engine = open_database(workspace.db_url)
    try:
        store = CandleStore(engine, workspace.cache_dir)
        meant, remarks = instruments_of(store, settings, symbols)
        _require_on_candles(store, meant, first_ms, last_ms)
        try:
            reference = store.resolve_at(settings.venue, settings.reference_symbol)
        except UserError as mistake:
            if settings.features.reference is not None:
                raise
            reference = None
            remarks.append(f"cross-instrument features are neutral: {mistake}")
        return list(dict.fromkeys(meant)), reference, remarks
    finally:
        engine.dispose()


def _require_on_candles(
    store: CandleStore, meant: Sequence[Instrument], first_ms: int | None, last_ms: int | None
) -> None:
    """Raise UserMistake where the window holds no candle at all, before a worker is started."""
    stored = [one for one in store.series() if one.instrument in meant]
    inside = [
        one
        for one in stored
        if (first_ms is None or one.last_ms >= first_ms)
        and (last_ms is None or one.first_ms < last_ms)
    ]
    if not inside:
        known = ", ".join(
            f"{one.instrument.key} {one.interval} {utc_minute(one.first_ms)} to "
            f"{utc_minute(one.last_ms)}"
            for one in stored[:3]
        )
        raise UserError(f"no candles in the window of --from and --to (stored: {known})")


def _timeframes(settings: Settings, request: TrainingRequest) -> list[Timeframe]:
    configured = settings.weights
    asked = [Timeframe.parse(text) for text in request.intervals] or list(configured)
    strange = [timeframe.value for timeframe in asked if timeframe not in configured]
    if strange:
        raise UserError(
            f"{', '.join(strange)} has no weight: add it to timeframes.intervals in ares.yaml"
        )
    return list(dict.fromkeys(asked))
