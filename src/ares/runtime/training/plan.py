"""What is to be trained: from a request and the rules to one job for each package."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from ares.adapters.provenance import git_commit, library_versions
from ares.adapters.strategy_file import LoadedStrategy, load_strategy
from ares.domain.errors import UserError
from ares.domain.instrument import Instrument
from ares.domain.series import SentimentSpec, SeriesSpec, ValueSpec
from ares.domain.strategy import StrategySource
from ares.domain.timeframe import Timeframe
from ares.domain.utc import utc_iso, utc_text, utc_version
from ares.kernel.features.columns import column_names, columns_hash
from ares.kernel.features.user import UserFeatures
from ares.learn.recipe import BoostRecipe, Recipe, default_label
from ares.runtime.training.instrument_history import HistorySource, store_of
from ares.runtime.training.instrument_selection import instruments_of
from ares.runtime.training.job import PackageJob, user_module
from ares.runtime.training.series import series_of_groups
from ares.runtime.training.training_rules import RecipeRules, Scope, TrainingRules
from ares.store.candles import CandleStore, Series
from ares.store.database import open_database


class TrainingRequest(msgspec.Struct, frozen=True):
    """What to train; empty or None leaves it to the settings.

    symbols, intervals : e.g. ``BTC/USDT`` or ``binance:BTC/USDT``; ``1h``.
    from_ms, to_ms     : no outcome outside is used; bars before only warm features up.
    price_only         : leave external series (sentiment too) out, though some may be stored.
    workers            : processes; 0 leaves it to the settings.
    strategy           : a strategy of the user's own, calibrated instead of a model fitted.
    """

    symbols: tuple[str, ...] = ()
    intervals: tuple[str, ...] = ()
    from_ms: int | None = None
    to_ms: int | None = None
    scope: Scope | None = None
    price_only: bool = False
    workers: int = 0
    strategy: StrategySource | None = None


def package_jobs(
    rules: TrainingRules,
    request: TrainingRequest,
    created: datetime,
    user: UserFeatures | None = None,
) -> tuple[list[PackageJob], list[str]]:
    """Return the jobs of a request, one for each pair or for each timeframe of the universe, and
    a line for each configured symbol that has no candles.

    user : the features of the settings' module.

    The slowest (the shortest timeframes) come first, so that no core waits for a late one.
    Raises UserError where a symbol or interval is unknown, or the window is empty.
    """
    first_ms, last_ms, context = request.from_ms, request.to_ms, rules.context
    if first_ms is not None and last_ms is not None and first_ms >= last_ms:
        raise UserError("--from is not before --to: there is nothing to train on")
    instruments, reference, remarks = _instruments(rules, request)
    scope = request.scope or rules.scope
    wholes = [tuple(instruments)] if scope == "universe" else [(i,) for i in instruments]
    strategy = None if request.strategy is None else load_strategy(request.strategy)
    specs = () if request.price_only or strategy else rules.series
    series, series_remarks = series_of_groups(context.data, wholes, first_ms, last_ms, specs)
    jobs = [
        PackageJob(
            source=HistorySource(context.data.database_url, context.data.cache, first_ms, last_ms),
            instruments=whole,
            recipe=strategy_recipe(rules.recipe, timeframe, scope, strategy)
            if strategy
            else recipe_for(
                rules.recipe, timeframe, scope, request.price_only, user, series[whole]
            ),
            reference=reference,
            rows_min=rules.rows_min,
            rows_max=context.rows_max,
            edge_bps_min=context.edge_bps_min,
            version=utc_version(created),
            created_at=utc_iso(created),
            git_commit=git_commit(),
            libraries=library_versions(),
            user=None if strategy else user_module(context.user, user),
            strategy=request.strategy,
        )
        for timeframe in sorted(_timeframes(rules, request), key=lambda t: t.ms)
        for whole in wholes
    ]
    return jobs, [*remarks, *series_remarks]


def recipe_for(
    rules: RecipeRules,
    timeframe: Timeframe,
    scope: Scope,
    price_only: bool = False,
    user: UserFeatures | None = None,
    series: Sequence[SeriesSpec] = (),
) -> Recipe:
    """Return the recipe of a timeframe.

    series : external series that it is trained with; none: by prices alone.

    Raises UserError where a series' column is called like one of the user's.
    """
    names = column_names(user, series)
    _require_distinct(names)
    return Recipe(
        timeframe=timeframe,
        features=names,
        features_hash=columns_hash(user, series),
        label=default_label(
            timeframe, rules.cost_bps, "triple_barrier", rules.horizon, rules.barrier_width
        ),
        boost=rules.boost,
        scope=scope,
        folds=rules.folds,
        embargo_bars=rules.embargo_bars,
        price_only=price_only,
        sentiment=next((spec for spec in series if isinstance(spec, SentimentSpec)), None),
        value_series=tuple(spec for spec in series if isinstance(spec, ValueSpec)),
    )


def strategy_recipe(
    rules: RecipeRules, timeframe: Timeframe, scope: Scope, strategy: LoadedStrategy
) -> Recipe:
    """Return the recipe that calibrates a strategy on a timeframe.

    Nothing is fitted, so the settings of boosting are no part of it.
    """
    plain = msgspec.structs.replace(
        recipe_for(rules, timeframe, scope, price_only=True, user=strategy.columns),
        boost=BoostRecipe(),
    )
    return msgspec.structs.replace(
        plain,
        algorithm="strategy",
        strategy=strategy.spec,
        features=strategy.columns.names,
        price_only=False,
    )


def _require_distinct(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(
            f"two features are called {twice[0]}: rename the function in features.module, or the "
            "series in features.series"
        )


def _instruments(
    rules: TrainingRules, request: TrainingRequest
) -> tuple[list[Instrument], Instrument | None, list[str]]:
    """Return the instruments to train, the one that cross features look at, and remarks.

    Configured symbols without candles are skipped; a requested one is not.
    Without a configured reference that has candles, the cross features are neutral.
    """
    data, configured = rules.context.data, rules.instruments
    engine = open_database(data.database_url)
    try:
        store = CandleStore(engine, data.cache)
        instruments, remarks = instruments_of(store, configured, request.symbols)
        _require_candles(store, instruments, request.from_ms, request.to_ms)
        try:
            reference = store.resolve_at(configured.venue, configured.reference)
        except UserError as error:
            if configured.reference_required:
                raise
            reference = None
            remarks.append(f"cross-instrument features are neutral: {error}")
        return list(dict.fromkeys(instruments)), reference, remarks
    finally:
        engine.dispose()


def _require_candles(
    store: CandleStore,
    instruments: Sequence[Instrument],
    first_ms: int | None,
    last_ms: int | None,
) -> None:
    """Raise UserError where the window holds no candle at all, before a worker is started."""
    stored = [series for series in store.series() if series.instrument in instruments]
    inside = [
        series
        for series in stored
        if (first_ms is None or series.last_ms >= first_ms)
        and (last_ms is None or series.first_ms < last_ms)
    ]
    if not inside:
        known = ", ".join(
            f"{series.instrument.key} {series.interval} {utc_text(series.first_ms)} to "
            f"{utc_text(series.last_ms)}"
            for series in stored[:3]
        )
        raise UserError(f"no candles in the window of --from and --to (stored: {known})")


def require_enough_candles(jobs: Sequence[PackageJob]) -> None:
    """Raise UserError where the stored candles are too short for any of the jobs, before a worker
    is started.
    """
    stored = store_of(jobs[0].source).series()
    reasons = []
    for job in jobs:
        rows = sum(
            max((_bars_at_most(series, job) for series in stored if series.instrument == i),
                default=0)
            for i in job.instruments
        )  # fmt: skip
        if rows >= job.rows_min:
            return
        reasons.append(
            f"{job.label}: at most {rows:,} rows, and learning.rows_min is {job.rows_min:,}"
        )
    raise UserError(f"nothing could be trained ({'; '.join(reasons[:3])}): import more candles")


def _bars_at_most(series: Series, job: PackageJob) -> int:
    """Return how many bars of a job's timeframe a stored series can give; 0 for longer ones."""
    timeframe, source = job.recipe.timeframe, job.source
    if Timeframe(series.interval).ms > timeframe.ms:
        return 0
    first_ms = max(series.first_ms, source.from_ms or series.first_ms)
    last_ms = min(series.last_ms, source.to_ms or series.last_ms)
    return max(0, last_ms - first_ms) // timeframe.ms + 1


def _timeframes(rules: TrainingRules, request: TrainingRequest) -> list[Timeframe]:
    requested = [Timeframe.parse(text) for text in request.intervals] or list(rules.weights)
    unweighted = [t.value for t in requested if t not in rules.weights]
    if unweighted:
        raise UserError(
            f"{', '.join(unweighted)} has no weight: add it to timeframes.intervals in ares.yaml"
        )
    return list(dict.fromkeys(requested))
