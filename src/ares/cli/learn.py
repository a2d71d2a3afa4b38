"""``ares learn``: what a run's learner has done, and a request to train now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from ares.cli.output import (
    JSON_OPTION,
    count,
    note,
    number,
    percent,
    print_facts,
    print_json,
    print_table,
    say,
    utc,
)
from ares.domain.errors import UserError

if TYPE_CHECKING:
    from ares.config.settings import Settings
    from ares.observe.learning_report import InstrumentLearning, LearningReport, RetrainingRecord

NEWEST = 20
TRAINED = ("triggered", "instrument", "trigger", "rows", "confidence", "outcome", "because")

app = typer.Typer(no_args_is_help=True)


@app.command()
def status(
    run: str = typer.Option(None, "--run", help="Name of the run; default: the newest."),
    json_: bool = JSON_OPTION,
) -> None:
    """Show what a run's learner did and why, what it may still do, and the last drift."""
    from ares.config.workspace import Workspace
    from ares.observe.learning_report import report_learning
    from ares.observe.run_report import run_folder
    from ares.runtime.learner.learner import policy_of, thresholds_of

    workspace = Workspace.here()
    settings = workspace.settings
    folder = run_folder(workspace.journal_dir, run)
    report = report_learning(folder, policy_of(settings), thresholds_of(settings))
    if json_:
        print_json(report)
    else:
        _show(report)
        if not report.learns:
            note(_no_learner(report.environment, settings))


@app.command()
def now(
    symbol: str = typer.Option(..., "--symbol", "-s", help="Symbol or key to train now."),
    env: str = typer.Option("paper", "--env", help="Environment whose engine runs."),
) -> None:
    """Ask the learner of a running engine to train now. It keeps to the day's budget, and needs no
    rest. History runs take no requests: they decide by themselves, so that they can be repeated.
    """
    from datetime import UTC, datetime

    from ares.bootstrap.training import require_training_allowed
    from ares.config.workspace import Workspace
    from ares.runtime.learner.learn_requests import LearnRequest, leave
    from ares.runtime.registry.model_journal import who
    from ares.runtime.training.plan import stamp
    from ares.runtime.validation.validate import require_environment
    from ares.store.candles import CandleStore
    from ares.store.database import open_database

    require_environment(env)
    workspace = Workspace.here()
    require_training_allowed(workspace.settings)
    engine = open_database(workspace.db_url)
    try:
        key = CandleStore(engine, workspace.cache_dir).resolve(symbol).key
    finally:
        engine.dispose()
    leave(workspace.journal_dir, env, LearnRequest(key, who(), stamp(datetime.now(UTC))))
    say(f"Asked the learner in {env} to train {key}.")


def _no_learner(environment: str, settings: Settings) -> str:
    """Return that a run has no learner, and what would make one that has."""
    from ares.bootstrap.training import require_training_allowed

    try:
        require_training_allowed(settings)
    except UserError as forbidden:
        return f"{environment} has no learner: {forbidden}"
    return (
        f"{environment} has no learner, so nothing here triggers a training: "
        "`ares run --learn --run NAME` makes a run that has one"
    )


def _show(report: LearningReport) -> None:
    what = "learning" if report.learns else "no learner,"
    title = f"{report.environment}: {what} up to {utc(report.now_ms)} UTC"
    columns = (
        "instrument", "state", "rest until", "budget", "failed in a row", "trades", "net/trade",
        "promised", "drift", "most in",
    )  # fmt: skip
    print_table(columns, [_row(one) for one in report.instruments], title=title)
    if not report.retrainings:
        say("Nothing was trained.")
    else:
        rows = [_retraining(one) for one in report.retrainings[-NEWEST:]]
        print_table(TRAINED, rows, title=f"retrainings: {count(len(report.retrainings))}")
        print_facts(
            {
                "triggers": ", ".join(f"{name} {n}" for name, n in report.triggers.items()),
                "outcomes": ", ".join(f"{name} {n}" for name, n in report.outcomes.items()),
            }
        )
    for alert in report.alerts[-NEWEST:]:
        note(f"{utc(alert.ts_ms)} {report.instruments[alert.instrument].instrument}: "
             f"{alert.message}")  # fmt: skip


def _row(one: InstrumentLearning) -> tuple[object, ...]:
    return (
        one.instrument, one.state,
        None if one.rest_until_ms is None else utc(one.rest_until_ms),
        None if one.budget_left is None else f"{one.budget_left} of {one.budget}",
        None if one.budget_left is None else count(one.failures), count(one.trades),
        None if one.net_bps is None else f"{one.net_bps:+.1f} bps",
        None if one.expected_bps_min is None else f"{one.expected_bps_min:+.1f} bps",
        None if one.drift_score is None else number(one.drift_score), one.drift_feature,
    )  # fmt: skip


def _retraining(one: RetrainingRecord) -> tuple[object, ...]:
    because = one.note or (", ".join(one.failed) if one.failed else one.reason)
    return (
        utc(one.triggered_ms), one.instrument, one.trigger,
        None if one.rows is None else count(one.rows), percent(one.confidence, 1),
        one.outcome or "under way", because,
    )  # fmt: skip
