"""``ares models ab``: champion and challenger of a run side by side."""

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
        say("Nobody traded in this run: it had no models.")
    for report in reports:
        _show(report)
    return 0


def _show(report: ArmReport) -> None:
    columns = ("ensemble", "stood as", "from", "until", "real", "net/trade", "virtual",
               "net/trade", "won")  # fmt: skip
    print_table(columns, [_row(arm) for arm in report.arms], title=report.instrument)
    for arm in report.arms:
        if arm.ended:
            say(f"{arm.ensemble_hash[:12]} left: {arm.ended}")
    if report.comparison is None:
        say("No two arms have run side by side yet.")
    else:
        _say(report.comparison)
    say("")


def _row(arm: Arm) -> tuple[object, ...]:
    r = arm.results

    def bps(value: float | None) -> str | None:
        return None if value is None else f"{value:+.1f} bps"

    until = "now" if arm.until_ms is None else utc(arm.until_ms)
    return (
        arm.ensemble_hash[:12], ", ".join(arm.stages), utc(arm.since_ms), until,
        count(r.real_trades), bps(r.real_mean_bps), count(r.virtual_trades),
        bps(r.virtual_mean_bps), percent(r.win_rate, 0),
    )  # fmt: skip


def _say(one: ArmComparison) -> None:
    """Say in plain words how the two compare, with the evidence for it."""
    other = f"{one.challenger_stage or 'challenger'} {one.challenger[:12]}".strip()
    say(
        f"On the same {count(one.hours)} hours since {utc(one.since_ms)}, a unit of notional each:"
        f" champion {one.champion[:12]} {one.champion_bps:+.0f} bps, {other}"
        f" {one.challenger_bps:+.0f} bps."
    )
    goal = "" if one.goal is None else f" (needed: {number(one.goal)})"
    if one.goal is not None and one.e_better >= one.goal:
        verdict = f"the {other} is better"
    elif one.goal is not None and one.e_worse >= one.goal:
        verdict = f"the {other} is worse"
    else:
        verdict = "neither is shown to be better"
    say(
        f"Evidence that the {other} is better: {number(one.e_better)}, worse: "
        f"{number(one.e_worse)}{goal}: {verdict}."
    )
