"""Runs read again: certified, re-stepped, explained, and their champions compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ares.bootstrap.values import user_features
from ares.config.workspace import Workspace

if TYPE_CHECKING:
    from ares.core.models import Scorers
    from ares.domain.run import RunSetup
    from ares.journal.verify import JournalCheck
    from ares.kernel.features.user import UserFeatures
    from ares.observe.arms_report import ArmReport
    from ares.observe.refusals import RunRefusals
    from ares.research.backtest import BacktestResult
    from ares.runtime.engine.hot_swap import Opener
    from ares.runtime.replay.certify import Certificate
    from ares.runtime.replay.explanation import Explanation
    from ares.runtime.replay.restep import RestepResult
    from ares.runtime.replay.waterfall import ScopeWaterfall, Waterfall


@dataclass(frozen=True, slots=True)
class _RecordedRun:
    """The folder of a run with the models and features that it was made with."""

    folder: Path
    scorers: Scorers
    user: UserFeatures | None
    open_ensemble: Opener


def arms_of_run(workspace: Workspace, run: str | None) -> tuple[ArmReport, ...]:
    """Return how champions and challengers of a run (default: the newest) compare."""
    from ares.observe.arms_report import report_arms
    from ares.observe.run_report import run_folder

    return report_arms(run_folder(workspace.journal_dir, run))


def certify_run(workspace: Workspace, run: str | None) -> Certificate:
    """Recompute a run (default: the newest) by the backtest path and compare."""
    from ares.runtime.replay.certify import certify

    recorded = _comparable(workspace, run)
    return certify(recorded.folder, recorded.scorers, recorded.user, recorded.open_ensemble)


def waterfall_run(workspace: Workspace, run: str | None) -> Waterfall:
    """Return the parity waterfall of a run (default: the newest), from its journal alone."""
    from ares.observe.run_report import run_folder
    from ares.runtime.replay.waterfall import waterfall

    return waterfall(run_folder(workspace.journal_dir, run))


def waterfall_picture(found: Waterfall) -> bytes:
    """Return the picture of a waterfall, as PNG."""
    import numpy as np

    from ares.adapters.waterfall_plot import PARTS, PlotParts, WaterfallPlot, draw_waterfall

    def parts_of(scope: ScopeWaterfall) -> PlotParts | None:
        if scope.bps is None:
            return None
        signal, timing, fill, fee = (getattr(scope.bps, name) for name in PARTS)
        return PlotParts(
            scope.name, scope.bps.backtest, (signal, timing, fill, fee), scope.bps.live
        )

    trades = sorted(found.trades, key=lambda trade: trade.decided_ms)
    rows = [[getattr(trade.quote, name) for name in PARTS] for trade in trades]
    instruments = (parts_of(scope) for scope in found.instruments)
    return draw_waterfall(
        WaterfallPlot(
            f"{found.environment}: backtest to live",
            found.sentence,
            found.currency,
            parts_of(found.total),
            [parts for parts in instruments if parts is not None],
            np.array([trade.decided_ms for trade in trades], np.int64),
            np.array(rows, np.float64).reshape(-1, len(PARTS)),
        )
    )


def restep_run(workspace: Workspace, run: str | None) -> RestepResult:
    """Step a run's journal (default: the newest) again and compare."""
    from ares.runtime.replay.restep import restep

    recorded = _comparable(workspace, run)
    return restep(recorded.folder, recorded.scorers, recorded.user, recorded.open_ensemble)


def run_result(workspace: Workspace, run: str | None) -> BacktestResult:
    """Return a run (default: the newest) as the result of a backtest, for its report."""
    from ares.observe.run_report import run_folder
    from ares.research.run_result import run_result

    return run_result(run_folder(workspace.journal_dir, run))


def refusals_of_run(
    workspace: Workspace, run: str | None, instrument: str | None, from_ms: int, to_ms: int
) -> RunRefusals:
    """Return why signals of a run (default: the newest) were refused in a window."""
    from ares.observe.refusals import refusals
    from ares.observe.run_report import run_folder

    return refusals(run_folder(workspace.journal_dir, run), instrument, from_ms, to_ms)


def verify_run(workspace: Workspace, run: str | None) -> tuple[str, JournalCheck]:
    """Verify every record of a run's journal (default: the newest); return the run's name too."""
    from ares.journal.verify import verify
    from ares.observe.run_report import run_folder, run_name

    folder = run_folder(workspace.journal_dir, run)
    return run_name(folder), verify(folder)


def why_run(
    workspace: Workspace, run: str | None, instrument: str, at_ms: int | None
) -> Explanation:
    """Explain one closing instant of a run (default: the newest run, its newest instant).

    An instant in an epoch of another version of Ares is explained from the journal alone.
    """
    from ares.observe.run_report import run_folder
    from ares.runtime.replay.epochs import changed_at
    from ares.runtime.replay.explain import explain
    from ares.runtime.replay.explain_journal import explain_journal
    from ares.runtime.replay.explanation import decision_seq
    from ares.runtime.replay.restep import open_run

    folder = run_folder(workspace.journal_dir, run)
    setup = open_run(folder)
    changed = changed_at(folder, decision_seq(folder, setup, instrument, at_ms))
    if changed:
        return explain_journal(folder, instrument, at_ms, changed)
    recorded = _recorded(workspace, folder, setup)
    return explain(
        folder, instrument, at_ms, recorded.scorers, recorded.user, recorded.open_ensemble
    )


def _comparable(workspace: Workspace, run: str | None) -> _RecordedRun:
    """Return a run (None: the newest) of which this code can compute an epoch again."""
    from ares.observe.run_report import run_folder
    from ares.runtime.replay.epochs import recorded_epochs
    from ares.runtime.replay.restep import open_run

    folder = run_folder(workspace.journal_dir, run)
    setup = open_run(folder)
    recorded_epochs(folder).comparable()
    return _recorded(workspace, folder, setup)


def _recorded(workspace: Workspace, folder: Path, setup: RunSetup) -> _RecordedRun:
    """Return a run with the models and features that it was made with."""
    from ares.runtime.engine import served_models as served

    user = user_features(workspace)
    return _RecordedRun(
        folder,
        served.scorers_of(workspace.models_dir, setup),
        served.features_of_run(workspace.models_dir, user, setup),
        served.opener_of(workspace.models_dir, folder, user, setup),
    )
