"""``ares data``: import candles from files, fetch them from a venue, list and check them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from ares.cli.data_series import app as series_app
from ares.cli.data_series import import_series
from ares.cli.data_views import (
    NOTHING,
    checked_json,
    fetched_json,
    import_json,
    series_json,
    show_check,
    show_fetched,
    show_import,
    show_series,
)
from ares.cli.output import JSON_OPTION, note, print_json, progress, say

app = typer.Typer(no_args_is_help=True)
app.command("import-series")(import_series)
app.add_typer(series_app, name="series")


@app.command("import")
def import_(
    paths: list[Path] = typer.Argument(
        ..., metavar="PATH...", help="Parquet, CSV, Feather, JSON or zip files; folders; patterns."
    ),
    venue: str = typer.Option(
        "", "--venue", help="Default: from the name of file or folder, else the settings'."
    ),
    symbol: str = typer.Option(
        "", "--symbol", "-s", help="BASE/QUOTE; default: from the file's name."
    ),
    interval: str = typer.Option(
        "", "--interval", "-i", help="1m 5m 15m 1h 4h 1d; default: from the file's name."
    ),
    repair: bool = typer.Option(False, "--repair", help="Sort by time, drop duplicate rows."),
    json_: bool = JSON_OPTION,
) -> int:
    """Store candles from files, and from folders with all that is below them.

    Takes the files of Binance, freqtrade (user_data/data), TradingView, Kraken and ccxt as they
    are. Importing again stores only new bars. Exit code 1 if no file holds candles, or bars differ
    from the stored ones, which are kept; 2 if files are invalid.
    """
    from ares.bootstrap import candle_store
    from ares.config.workspace import Workspace
    from ares.runtime.ingest.candle_import import import_candles

    workspace = Workspace.here()
    kept = "the candles of these files are stored; run the command again to import the rest"
    with candle_store(workspace) as store, progress("import", unit="files", kept=kept) as bar:
        report = import_candles(
            store,
            paths,
            venue or None,
            symbol or None,
            interval or None,
            venue_default=workspace.settings.venue,
            repair=repair,
            on_start=bar.expect,
            on_file=lambda name: bar.advance(remark=name),
        )
    if json_:
        print_json(import_json(report))
    else:
        show_import(report)
    if report.refused:
        return 2
    conflicts = any(file.conflict_count for file in report.imported)
    return 0 if report.imported and not conflicts else 1


@app.command()
def fetch(
    symbols: list[str] = typer.Option([], "--symbol", "-s", help="Default: the settings' symbols."),
    intervals: list[str] = typer.Option(
        ["1m"], "--interval", "-i", help="1m 5m 15m 1h 4h 1d; repeat for more."
    ),
    venue: str = typer.Option("", "--venue", help="Default: the settings' venue."),
    from_: str = typer.Option("", "--from", help="UTC; default: after the last stored bar."),
    to: str = typer.Option("", "--to", help="UTC; default: now."),
    address: str = typer.Option(
        "", "--address", help="http://HOST:PORT of a mirror or test server."
    ),
    json_: bool = JSON_OPTION,
) -> None:
    """Fetch missing candles from a venue. An interrupted fetch continues when run again."""
    from ares.adapters.candle_names import parse_interval
    from ares.bootstrap.data import FetchRequest, fetch_stored
    from ares.config.workspace import Workspace
    from ares.domain.symbols import parse_symbol
    from ares.research.cli_values import utc_ms

    workspace = Workspace.here()
    request = FetchRequest(
        series=tuple(
            (parse_symbol(symbol), parse_interval(interval))
            for symbol in symbols or list(workspace.settings.symbols)
            for interval in intervals
        ),
        from_ms=utc_ms(from_),
        to_ms=utc_ms(to),
        venue=venue or None,
        address=address or None,
    )
    reports = fetch_stored(workspace, request, _series_bar, on_retry=note)
    if json_:
        print_json([fetched_json(report) for report in reports])
    else:
        show_fetched(reports)


@app.command("list")
def list_(json_: bool = JSON_OPTION) -> None:
    """List the stored candles: instrument, interval, bars, first and last."""
    from ares.bootstrap import candle_store
    from ares.config.workspace import Workspace

    with candle_store(Workspace.here()) as store:
        store.require_counts()
        series = store.series()
    if json_:
        print_json([series_json(each) for each in series])
    elif series:
        show_series(series)
    else:
        say(NOTHING)


@app.command()
def check(
    symbols: list[str] = typer.Option([], "--symbol", "-s", help="Only these; default: all."),
    every: bool = typer.Option(False, "--all", help="List every finding, not only the first."),
    json_: bool = JSON_OPTION,
) -> int:
    """Find gaps, bars without volume, jumps and errors in stored candles, each with its time.

    Exit code 1 if there are errors: off-grid times, invalid prices, intervals that disagree; 3 if
    the database is damaged: its own check, the number of bars, and a checksum of each series.
    """
    from ares.bootstrap import candle_store
    from ares.config.workspace import Workspace
    from ares.observe.candle_check import check_store

    with candle_store(Workspace.here()) as store:
        chosen = [store.resolve(symbol) for symbol in symbols] or None
        total = len(store.series()) if not chosen else None
        with progress("check", total=total, unit="series") as bar:
            checked = check_store(
                store, chosen, lambda s: bar.advance(remark=f"{s.instrument.key} {s.interval}")
            )
    errors = sum(finding.kind.is_error for each in checked for finding in each.findings)
    if json_:
        print_json({"ok": errors == 0, "series": [checked_json(each, every) for each in checked]})
    else:
        show_check(checked, every, errors)
    return 1 if errors else 0


@contextmanager
def _series_bar(symbol: str, interval: str) -> Iterator[Callable[[float, str], None]]:
    """Show the progress of one series; the value takes the share that is done, and a remark."""
    with progress(f"{symbol} {interval}", total=100, unit="%") as bar:
        yield lambda share, remark: bar.reach(round(share * 100), remark)
