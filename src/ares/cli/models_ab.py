"""``ares models ab``: champion and challenger of a run, compared on the same bars."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from ares.cli.output import (
    JSON_OPTION,
    count,
    number,
    percent,
    plain,
    print_json,
    print_table,
    say,
    utc,
)

if TYPE_CHECKING:
    from ares.observe.arms_report import Arm, ArmComparison, ArmReport


def ab(
    run: str = typer.Option(None, "--run", help="Name of the run; default: the newest."),
    json_: bool = JSON_OPTION,
) -> int:
    """Compare the arms of a run: champion, challengers and canaries, on the same bars."""
    from ares.bootstrap import arms_of_run
    from ares.config.workspace import Workspace

    reports = arms_of_run(Workspace.here(), run)
    if json_:
        print_json(plain(reports))
        return 0
    if not reports:
        say("No ensemble traded in this run: it had no models.")
    for report in reports:
        _show_report(report)
    return 0


def _show_report(report: ArmReport) -> None:
    columns = ("ensemble", "stage", "from", "until", "real", "net/trade", "virtual",
               "virtual net/trade", "won")  # fmt: skip
    rows = [_row(arm) for arm in report.arms]
    print_table(columns, rows, title=report.instrument, optional=("until", "won"))
    for arm in report.arms:
        if arm.ended:
            say(f"{arm.ensemble_hash[:12]} ended: {arm.ended}")
    if report.comparison is None:
        say("No two ensembles have run on the same bars yet.")
    else:
        _show_comparison(report.comparison)
    say("")


def _row(arm: Arm) -> tuple[object, ...]:
    results = arm.results

    def bps(value: float | None) -> str | None:
        return None if value is None else f"{value:+.1f} bps"

    until = "now" if arm.until_ms is None else utc(arm.until_ms)
    return (
        arm.ensemble_hash[:12], ", ".join(arm.stages), utc(arm.since_ms), until,
        count(results.real_trades), bps(results.real_mean_bps), count(results.virtual_trades),
        bps(results.virtual_mean_bps), percent(results.win_rate, 0),
    )  # fmt: skip


def _show_comparison(found: ArmComparison) -> None:
    """Print the comparison as sentences, with its evidence."""
    other = f"{found.challenger_stage or 'challenger'} {found.challenger[:12]}".strip()
    say(
        f"On the same {count(found.hours)} hours since {utc(found.since_ms)}, on one unit of "
        f"notional: champion {found.champion[:12]} {found.champion_bps:+.0f} bps, {other}"
        f" {found.challenger_bps:+.0f} bps."
    )
    goal = "" if found.goal is None else f" (needed: {number(found.goal)})"
    if found.goal is not None and found.e_better >= found.goal:
        verdict = f"the {other} is better"
    elif found.goal is not None and found.e_worse >= found.goal:
        verdict = f"the {other} is worse"
    else:
        verdict = "neither is shown to be better"
    say(
        f"Evidence that the {other} is better: {number(found.e_better)}, worse: "
        f"{number(found.e_worse)}{goal}: {verdict}."
    )
