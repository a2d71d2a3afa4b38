"""``ares learn``: what a run's learner did, and a request to train now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from ares.cli.control import show_answer
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

if TYPE_CHECKING:
    from ares.observe.learning_report import InstrumentLearning, LearningReport, RetrainingRecord

NEWEST = 20
TRAINED = ("triggered", "instrument", "trigger", "rows", "confidence", "outcome", "reason")

app = typer.Typer(no_args_is_help=True)


@app.command()
def status(
    run: str = typer.Option(None, "--run", help="Name of the run; default: the newest."),
    json_: bool = JSON_OPTION,
) -> None:
    """Show what a run's learner did and why, what it may do next, and the last drift."""
    from ares.bootstrap.learner import learning_of_run, why_no_learner
    from ares.config.workspace import Workspace

    workspace = Workspace.here()
    report = learning_of_run(workspace, run)
    if json_:
        print_json(report)
    else:
        _show(report)
        if not report.learns:
            note(why_no_learner(workspace, report.environment))


@app.command()
def now(
    symbol: str = typer.Option(..., "--symbol", "-s", help="Symbol or key to train now."),
    env: str = typer.Option("paper", "--env", help="Environment whose engine runs."),
) -> None:
    """Request a training from the learner of a running engine. It counts against the daily budget
    and does not wait for the minimum interval. History runs take no requests: they stay
    reproducible.
    """
    from ares.bootstrap.learner import request_training
    from ares.config.workspace import Workspace

    show_answer("learn now", request_training(Workspace.here(), symbol, env))


def _show(report: LearningReport) -> None:
    what = "learning" if report.learns else "no learner,"
    title = f"{report.environment}: {what} up to {utc(report.now_ms)} UTC"
    columns = (
        "instrument", "state", "next allowed", "budget", "failures", "trades", "net/trade",
        "expected", "drift", "most in",
    )  # fmt: skip
    print_table(
        columns,
        [_row(each) for each in report.instruments],
        title=title,
        optional=("most in", "drift", "failures", "expected", "trades"),
    )
    if not report.retrainings:
        say("Nothing was trained.")
    else:
        rows = [_retraining(record) for record in report.retrainings[-NEWEST:]]
        print_table(TRAINED, rows, title=f"retrainings: {count(len(report.retrainings))}")
        counts = {"triggers": report.triggers, "outcomes": report.outcomes}
        print_facts(
            {
                title: ", ".join(f"{name} {n}" for name, n in found.items()) or "none yet"
                for title, found in counts.items()
            }
        )
    for alert in report.alerts[-NEWEST:]:
        note(f"{utc(alert.ts_ms)} {report.instruments[alert.instrument].instrument}: "
             f"{alert.message}")  # fmt: skip


def _row(row: InstrumentLearning) -> tuple[object, ...]:
    return (
        row.instrument, row.state,
        None if row.next_allowed_ms is None else utc(row.next_allowed_ms),
        None if row.budget_left is None else f"{row.budget_left} of {row.budget}",
        None if row.budget_left is None else count(row.failures), count(row.trades),
        None if row.net_bps is None else f"{row.net_bps:+.1f} bps",
        None if row.expected_bps_min is None else f"{row.expected_bps_min:+.1f} bps",
        None if row.drift_score is None else number(row.drift_score), row.drift_feature,
    )  # fmt: skip


def _retraining(record: RetrainingRecord) -> tuple[object, ...]:
    reason = record.note or (", ".join(record.failed) if record.failed else record.reason)
    return (
        utc(record.triggered_ms), record.instrument, record.trigger,
        None if record.rows is None else count(record.rows), percent(record.confidence, 1),
        record.outcome or "running", reason,
    )  # fmt: skip
