"""``ares data import-series`` and ``ares data series``: values from outside, in and checked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ares.cli.formatting import count, some, utc
from ares.cli.output import JSON_OPTION, note, number, print_json, print_table, say
from ares.domain.errors import UserError
from ares.domain.timeframe import DAY_MS, HOUR_MS, MINUTE_MS

if TYPE_CHECKING:
    from ares.observe.series_check import SeriesChecked
    from ares.store.series import StoredScope

app = typer.Typer(no_args_is_help=True, help="External series: list, check, remove.")

NOTHING = "no series are stored: `ares data import-series PATH --name NAME`"
UNITS_MS = {"m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}


def import_series(
    path: Path = typer.Argument(
        ..., metavar="PATH", help="A Parquet, CSV or JSON lines file with published and value."
    ),
    name: str = typer.Option(..., "--name", help="Name of the series, such as fear_greed."),
    lag: str = typer.Option(
        "", "--lag", metavar="TIME", help="From publication until a value is known, such as 0m, 8h "
        "or 1d; where the file has no column 'known'."
    ),
    value: str = typer.Option(
        "", "--value", metavar="COLUMN", help="Column of the values; default: value, else NAME."
    ),
    symbol: str = typer.Option(
        "", "--symbol", "-s", help="BTC or BTC/USDT that all values are about; default: as the "
        "column symbol says, else all instruments."
    ),
    json_: bool = JSON_OPTION,
) -> int:  # fmt: skip
    """Store the values of a file as an external series; importing again adds what is new.

    Exit code 1 where values differ from the stored ones, which are kept.
    """
    from ares.bootstrap.series import import_series as stored
    from ares.config.workspace import Workspace

    done = stored(Workspace.here(), path, name, _lag_ms(lag), value, symbol)
    code = 1 if done.saved.differing else 0
    if json_:
        print_json(done)
        return code
    about = ", ".join(scope or "all instruments" for scope in done.scopes)
    say(
        f"{name}: {some(done.saved.new, 'new value')} of {count(done.rows)} about {about}, "
        f"published {utc(done.first_ms)} to {utc(done.last_ms)} UTC; version {done.saved.version}"
    )
    if done.saved.differing:
        note(
            f"kept: {some(done.saved.differing, 'value')} as stored before, not as in this file "
            f"(`ares data series remove {name}` removes them)"
        )
    if done.not_yet_known:
        note(f"{some(done.not_yet_known, 'value')} will be known when the lag is over")
    return code


@app.command("list")
def list_(json_: bool = JSON_OPTION) -> None:
    """Show what is stored: series, scope, values, first and last, content version."""
    from ares.bootstrap.series import list_series
    from ares.config.workspace import Workspace

    stored = list_series(Workspace.here())
    if json_:
        print_json(stored)
    elif stored:
        _show_stored(stored)
    else:
        say(NOTHING)


@app.command()
def check(json_: bool = JSON_OPTION) -> int:
    """Show the age of each series; exit code 1 where one of features.series is stale."""
    from ares.bootstrap.series import check_series
    from ares.config.workspace import Workspace
    from ares.observe.series_check import all_fresh

    checked = check_series(Workspace.here())
    ok = all_fresh(checked)
    if json_:
        print_json({"ok": ok, "series": checked})
    elif checked:
        _show_checked(checked)
    else:
        say(NOTHING)
    return 0 if ok else 1


@app.command()
def remove(
    name: str = typer.Argument(..., metavar="NAME", help="The series to remove."),
    json_: bool = JSON_OPTION,
) -> None:
    """Remove a series; models trained with it score without it from then on."""
    from ares.bootstrap.series import remove_series
    from ares.config.workspace import Workspace

    removed = remove_series(Workspace.here(), name)
    if json_:
        print_json({"series": name, "removed": removed})
    else:
        say(f"{name}: {some(removed, 'value')} removed")


def _lag_ms(text: str) -> int | None:
    """Return a time such as ``8h``; None where none is given."""
    if not text:
        return None
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)\s*([mhd])", text.strip())
    if found is None:
        raise UserError(f"--lag {text}: write minutes, hours or days, such as 0m, 8h or 1d")
    return round(float(found[1]) * UNITS_MS[found[2]])


def _show_stored(stored: list[StoredScope]) -> None:
    print_table(
        ("series", "about", "values", "from", "to (UTC)", "longest lag, hours", "version", "hash"),
        [
            (
                *(scope.series, scope.scope or "all", count(scope.rows)),
                *(utc(scope.first_ms), utc(scope.last_ms), number(scope.lag_ms_max / HOUR_MS, 1)),
                *(str(scope.version), scope.content_hash[:12]),
            )
            for scope in stored
        ],
    )


def _show_checked(checked: list[SeriesChecked]) -> None:
    print_table(
        (
            "series",
            "about",
            "values",
            "newest (UTC)",
            "age, hours",
            "longest pause, hours",
            "stale",
        ),
        [
            (
                *(row.stored.series, row.stored.scope or "all", count(row.stored.rows)),
                *(utc(row.stored.last_ms), number(row.age_hours, 1)),
                *(number(row.stored.pause_ms / HOUR_MS, 1), "yes" if row.stale else "no"),
            )
            for row in checked
        ],
    )
    for row in checked:
        for remark in row.remarks:
            say(f"{row.stored.series} ({row.stored.scope or 'all'}): {remark}")
