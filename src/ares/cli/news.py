"""``ares news``: headlines and scores in from files or feeds, listed and checked."""

from __future__ import annotations

import math
import time
from pathlib import Path

import typer

from ares.cli.news_views import NOTHING, show_check, show_import, show_newest, show_sources
from ares.cli.output import JSON_OPTION, print_json, progress, say
from ares.domain.errors import UserError

app = typer.Typer(no_args_is_help=True)


@app.command("import")
def import_(
    path: Path = typer.Argument(
        ..., metavar="PATH", help="A Parquet, CSV, JSON lines or feed file, or a folder."
    ),
    source: str = typer.Option(
        "", "--source", help="Name of the source; default: as in the file, else the file's name."
    ),
    symbols: list[str] = typer.Option(
        [], "--symbol", "-s", help="Currency that all are about; default: as the file says, "
        "else the whole market."
    ),
    scale: str = typer.Option(
        "", "--scale", metavar="LOW:HIGH", help="Values among the scores that mean -1 and 1."
    ),
    rescore: bool = typer.Option(
        False, "--rescore", help="Score headlines here, whatever scores came with them."
    ),
    json_: bool = JSON_OPTION,
) -> int:  # fmt: skip
    """Store news from files; importing again adds only what is new."""
    from ares.bootstrap.series import news_store
    from ares.config.workspace import Workspace
    from ares.runtime.ingest.news_import import NewsFormat, import_news

    about = tuple(base for symbol in symbols for base in _bases(symbol))
    how = NewsFormat(_source(source), about, _scale(scale), rescore)
    with news_store(Workspace.here()) as store, progress("import", unit="files") as bar:
        report = import_news(
            store,
            path,
            how,
            time.time_ns() // 1_000_000,
            on_start=bar.expect,
            on_file=lambda name: bar.advance(remark=name),
        )
    if json_:
        print_json(report)
    else:
        show_import(report)
    return 2 if report.refused else 0


@app.command()
def fetch(
    url: str = typer.Argument("", metavar="[URL]", help="A feed; default: sentiment.feeds."),
    source: str = typer.Option("", "--source", help="Name of the source; default: its host."),
    symbol: str = typer.Option("", "--symbol", "-s", help="Currency that all of it is about."),
    json_: bool = JSON_OPTION,
) -> int:
    """Store what is new in RSS and Atom feeds; exit code 3 where one is broken."""
    from urllib.parse import urlsplit

    from ares.adapters.news_feed import check_address
    from ares.bootstrap.series import news_store
    from ares.config.workspace import Workspace
    from ares.runtime.ingest.news_import import fetch_news

    workspace = Workspace.here()
    feeds = [(feed.name, feed.url, feed.about) for feed in workspace.settings.sentiment.feeds]
    if url:
        check_address(url)
        name = _source(source) or urlsplit(url).hostname or url
        feeds = [(name, url, ",".join(_bases(symbol)))]
    elif symbol:
        raise UserError("--symbol goes with an address: for sentiment.feeds it is their 'about'")
    elif source:
        feeds = [feed for feed in feeds if feed[0] == source]
    if not feeds:
        raise UserError(
            f"no feed {source or 'is configured'}: give an address, or add one to sentiment.feeds "
            "in ares.yaml"
        )
    with news_store(workspace) as store, progress("fetch", total=len(feeds), unit="feeds") as bar:
        report = fetch_news(
            store,
            feeds,
            lambda: time.time_ns() // 1_000_000,
            on_feed=lambda name: bar.advance(remark=name),
        )
    if json_:
        print_json(report)
    else:
        show_import(report)
    return 3 if report.refused else 0


@app.command("list")
def list_(
    rows: int = typer.Option(0, "--rows", min=0, help="Show so many of the newest rows instead."),
    symbol: str = typer.Option("", "--symbol", "-s", help="Only what is about this currency."),
    json_: bool = JSON_OPTION,
) -> None:
    """Show what is stored: source, scope, rows, first and last."""
    from ares.bootstrap.series import news_store
    from ares.config.workspace import Workspace

    scope = next(iter(_bases(symbol)), None)
    with news_store(Workspace.here()) as store:
        newest = store.newest(rows, scope) if rows else []
        sources = [] if rows else [s for s in store.sources() if scope in (None, s.scope)]
    if rows:
        if json_:
            print_json(newest)
        else:
            show_newest(newest)
        return
    if json_:
        print_json(sources)
    elif sources:
        show_sources(sources)
    else:
        say(NOTHING)


@app.command()
def check(json_: bool = JSON_OPTION) -> int:
    """Find gaps and stale sources; exit code 1 where no source that counts is fresh."""
    from ares.bootstrap.series import news_store
    from ares.config.workspace import Workspace
    from ares.observe.news_check import check_news, fresh

    workspace = Workspace.here()
    now_ms = time.time_ns() // 1_000_000
    with news_store(workspace) as store:
        checked = check_news(store, workspace.settings.sentiment.spec, now_ms)
    ok = fresh(checked)
    if json_:
        print_json({"ok": ok, "sources": checked})
    elif checked:
        show_check(checked, ok)
    else:
        say(NOTHING)
    return 0 if ok else 1


def _source(name: str) -> str:
    """Return what a person calls a source, as settings may name it; '' where they do not."""
    from ares.config.sentiment import SOURCE

    if name and not SOURCE.fullmatch(name):
        raise UserError(f"--source '{name}': use letters, digits and ._:/()+- (80 at most)")
    return name


def _bases(symbol: str) -> tuple[str, ...]:
    """Return the currencies of ``--symbol``; none where it is not given."""
    from ares.adapters.news_rows import bases_of

    bases = bases_of(symbol)
    if symbol and not bases:
        raise UserError(f"--symbol {symbol}: write a currency, such as BTC")
    return bases


def _scale(text: str) -> tuple[float, float] | None:
    """Return ``LOW:HIGH`` as two numbers."""
    if not text:
        return None
    try:
        low, high = (float(part) for part in text.split(":"))
    except ValueError:
        raise UserError(f"--scale {text}: write two numbers, such as 0:100") from None
    if not 1e-9 < abs(high - low) < math.inf:
        raise UserError(f"--scale {text}: the two numbers must be finite and differ, such as 0:100")
    return low, high
