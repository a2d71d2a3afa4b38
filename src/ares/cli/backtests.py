"""``ares backtests``: stored backtests, listed, shown, compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from ares.cli.output import (
    JSON_OPTION,
    count,
    note,
    number,
    percent,
    print_json,
    print_table,
    say,
    utc,
)
from ares.domain.errors import UserError

if TYPE_CHECKING:
    from ares.research.metrics import BacktestMetrics
    from ares.research.result_json import StoredBacktest

app = typer.Typer(no_args_is_help=True)

NONE = "no backtest is stored: `ares backtest` stores each, unless --no-db is given"


@app.command("list")
def list_(json_: bool = JSON_OPTION) -> None:
    """List the stored backtests, the newest first."""
    from ares.research.report_text import signed

    found = _all()
    if json_:
        print_json([{"id": each.id, **each.content} for each in found])
        return
    if not found:
        say(NONE)
        return
    columns = ("id", "strategy", "instruments", "from", "to (UTC)", "net", "Sharpe", "drawdown",
               "trades")  # fmt: skip
    rows = [
        (
            *(each.id, each.name, ", ".join(each.content["instruments"])),
            *(utc(each.metrics.from_ms), utc(each.metrics.to_ms)),
            *(signed(each.metrics.net_return), number(each.metrics.sharpe)),
            *(percent(each.metrics.max_drawdown), count(each.metrics.trades)),
        )
        for each in found
    ]
    print_table(columns, rows, optional=("instruments", "from", "to (UTC)", "drawdown"))


@app.command()
def show(
    id_: str = typer.Argument(None, metavar="[ID]", help="Or its beginning; default: the newest."),
    json_: bool = JSON_OPTION,
) -> None:
    """Show one stored backtest."""
    found = _find(id_)
    if json_:
        print_json({"id": found.id, **found.content})
        return
    say(f"{found.name} \u00b7 {', '.join(found.content['instruments'])}", style="bold")
    say(f"{utc(found.metrics.from_ms)} to {utc(found.metrics.to_ms)} UTC, stored as {found.id}")
    for text in found.content["warnings"]:
        say(f"! {text}", style="bold yellow")
    print_with_hold(found.name, found.metrics, found.hold)


@app.command()
def compare(
    ids: list[str] = typer.Argument(..., metavar="ID...", help="Two or more, or their beginnings."),
    json_: bool = JSON_OPTION,
) -> None:
    """Compare stored backtests metric by metric."""
    found = {each.id: each for each in map(_find, ids)}
    if len(found) < 2:
        raise UserError("give two or more backtests: `ares backtests list` names them")
    if json_:
        print_json({each.id: each.metrics for each in found.values()})
        return
    names = [f"{each.name} ({each.id})" for each in found.values()]
    print_metrics(names, [each.metrics for each in found.values()])
    windows = {(each.metrics.from_ms, each.metrics.to_ms) for each in found.values()}
    if len(windows) > 1:
        note("these backtests cover different windows: their returns do not compare directly")


def print_with_hold(
    name: str,
    metrics: BacktestMetrics,
    hold: BacktestMetrics,
    others: Sequence[tuple[str, BacktestMetrics]] = (),
) -> None:
    """Print a result next to buy & hold, unless it is buy & hold, and next to other results."""
    held = [] if metrics == hold else [("buy & hold", hold)]
    names, columns = zip((name, metrics), *held, *others, strict=True)
    print_metrics(names, columns)


def print_metrics(names: Sequence[str], columns: Sequence[BacktestMetrics]) -> None:
    """Print every metric of one or more results, numbers to the right."""
    from ares.research.report_text import metric_rows

    rows = [row for row in metric_rows(columns) if not row[0].startswith("Drawdown from")]
    widths = [max(len(row[k]) for row in rows) for k in range(len(columns) + 1)]
    aligned = [
        (row[0], *(text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True)))
        for row in rows
    ]
    print_table(("", *names), aligned)


def _all() -> list[StoredBacktest]:
    from ares.config.workspace import Workspace
    from ares.research.result_json import stored_backtests

    return stored_backtests(Workspace.here().reports_dir)


def _find(id_: str | None) -> StoredBacktest:
    """Return the backtest whose id begins so; raise UserError where none or several do."""
    found = _all()
    if not found:
        raise UserError(NONE)
    if id_ is None:
        return found[0]
    matching = [each for each in found if each.id.startswith(id_)]
    if len(matching) != 1:
        several = f"{len(matching)} backtests begin with" if matching else "no backtest is called"
        raise UserError(f"{several} '{id_}': `ares backtests list` names them")
    return matching[0]
