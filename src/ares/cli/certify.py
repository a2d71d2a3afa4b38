"""``ares certify``: recompute a run by the backtest path and compare every fact; its waterfall."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ares.cli.output import (
    JSON_OPTION,
    count,
    number,
    plain,
    print_json,
    print_table,
    say,
    some,
    utc,
)
from ares.domain.errors import UserError

if TYPE_CHECKING:
    from ares.runtime.replay.certify import Certificate
    from ares.runtime.replay.parity import Parts
    from ares.runtime.replay.waterfall import Waterfall

TRADES_SHOWN = 10


def command(
    run: str = typer.Argument(
        None, help="Name of the run: history/NAME, paper, rehearsal/NAME; default: the newest."
    ),
    with_waterfall: bool = typer.Option(
        False, "--waterfall",
        help="Also compare executions with the backtest: in bps, by signal, timing, fill and fee.",
    ),
    picture: Path = typer.Option(None, "--picture", help="Write the waterfall as PNG."),
    json_: bool = JSON_OPTION,
) -> int:  # fmt: skip
    """Recompute a run by the backtest path (features, scores, decisions, requests, fills) and
    compare with its journal. Exit code 1 if they differ. At a real venue executions are facts:
    --waterfall shows what they cost against the fill model.
    """
    from ares.adapters.durable import write_file
    from ares.bootstrap.replays import certify_run, waterfall_picture, waterfall_run
    from ares.config.workspace import Workspace

    if picture is not None and not with_waterfall:
        raise UserError("--picture is of the waterfall: add --waterfall")
    if picture is not None and picture.is_dir():
        raise UserError(f"--picture {picture}: is a folder; name a file in it, waterfall.png")
    workspace = Workspace.here()
    done = certify_run(workspace, run)
    found = waterfall_run(workspace, run) if with_waterfall else None
    if found is not None and picture is not None:
        write_file(picture, waterfall_picture(found))
    if json_:
        print_json(done if found is None else plain(done) | {"waterfall": plain(found)})
    else:
        _print_certificate(done)
        if found is not None:
            _print_waterfall(found)
        if picture is not None:
            say(f"picture: {picture}")
    return 1 if done.mismatches else 0


def _print_certificate(done: Certificate) -> None:
    rows = [(kind, count(n), count(wrong)) for kind, (n, wrong) in done.lines.items()]
    print_table(("facts", "compared", "mismatches"), rows, title=f"certify {done.environment}")
    if done.mismatches:
        say(f"NOT certified: {count(done.mismatches)} of {count(done.compared)} facts differ.")
        say("The first in full:")
        print_json(done.first)
    else:
        say(f"Certified: {count(done.compared)} facts of {count(done.events)} events agree.")
    if "fills" not in done.lines:
        say("Executions are the venue's and were not compared; --waterfall shows what they cost.")
    for epoch in done.epochs:
        if epoch.changed:
            say(epoch.remark)


def _print_waterfall(found: Waterfall) -> None:
    """Print the totals, then the trades with the worst gap."""
    scopes = [*found.instruments, found.total]
    rows = [(s.name, count(s.both + s.only_backtest + s.only_live), *_bps(s.bps)) for s in scopes]
    print_table(
        ("bps", "trades", "backtest", "signal", "timing", "fill", "fee", "live"), rows,
        title=f"parity waterfall {found.environment}",
    )  # fmt: skip
    say(found.sentence)
    differing = [trade for trade in found.trades if trade.quote.gap or trade.remark]
    shown = [trade for trade in differing if trade.bps is not None][:TRADES_SHOWN]
    if not shown:
        return
    trades = [
        (
            utc(trade.decided_ms),
            trade.instrument.partition(":")[2],
            *_parts(trade.bps),
            trade.remark,
        )
        for trade in shown
    ]
    print_table(
        ("decided", "symbol", "gap", "signal", "timing", "fill", "fee", "remark"), trades,
        title=f"{some(len(differing), 'trade')} that differ, the worst first, bps",
    )  # fmt: skip


def _bps(parts: Parts | None) -> tuple[str, ...]:
    names = ("backtest", "signal", "timing", "fill", "fee", "live")
    return tuple(number(None if parts is None else getattr(parts, name)) for name in names)


def _parts(parts: Parts | None) -> tuple[str, ...]:
    names = ("gap", "signal", "timing", "fill", "fee")
    return tuple(number(None if parts is None else getattr(parts, name), 1) for name in names)
