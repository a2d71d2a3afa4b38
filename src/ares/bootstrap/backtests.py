"""Backtests of a workspace's models: candles, packages, champions and rules made ready."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ares.bootstrap.values import user_features
from ares.config.workspace import Workspace
from ares.domain.instrument import Instrument

if TYPE_CHECKING:
    from ares.research.backtest import BacktestResult
    from ares.research.backtest_request import BacktestRequest

ENVIRONMENTS = ("history", "paper", "live")
"""Where a champion may be; the later one counts where several have one."""


def backtest(
    workspace: Workspace,
    request: BacktestRequest,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> BacktestResult:
    """Backtest a model, an ensemble or a baseline over stored candles; nothing is written."""
    from ares.adapters.model_store import ModelStore
    from ares.bootstrap.data import candle_store
    from ares.bootstrap.runs import rules_of
    from ares.research.backtest_request import BacktestRunner
    from ares.runtime.registry.model_journal import read_registry
    from ares.runtime.training.series import columns_at

    settings, book = workspace.settings, read_registry(workspace.journal_dir)
    champions: dict[str, str] = {}
    for environment in ENVIRONMENTS:
        champions |= book.champions(environment)
    with candle_store(workspace) as store:
        runner = BacktestRunner(
            store=store,
            models=ModelStore(workspace.models_dir),
            champions=champions,
            out_of_use=book.archived,
            judged=book.judged,
            rules=rules_of(settings),
            cash_quote=settings.account.capital_quote,
            symbols=settings.symbols,
            venue=settings.venue,
            validation_discount=settings.continuous_learning.confidence.validation_discount,
            user=None if request.is_rule else user_features(workspace),
            reference=f"{settings.venue}:{settings.reference_symbol}",
            series_of=lambda key, specs, close_ms: columns_at(
                workspace.db_url, specs, Instrument.parse(key), close_ms
            ),
            on_progress=on_progress,
        )
        return runner.run(request)
