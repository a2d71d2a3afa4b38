"""``ares run``: the engine over stored candles with virtual money."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import typer

from ares.cli.output import (
    JSON_OPTION,
    ProgressBar,
    count,
    duration,
    note,
    number,
    percent,
    print_facts,
    print_json,
    print_table,
    progress,
    say,
    utc,
)
from ares.domain.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any, TypeAlias

    from ares.bootstrap import RunResult
    from ares.observe.run_report import InstrumentReport, RunReport
    from ares.runtime.engine.history_run import RunEnd

    SignalHandler: TypeAlias = Callable[[int, FrameType | None], Any] | int | None


def command(
    env: str = typer.Option(
        "history", "--env", help="history, paper, rehearsal/NAME, or live: real money."
    ),
    symbol: list[str] = typer.Option([], "--symbol", "-s", help="Symbol or key; repeat for more."),
    from_: str = typer.Option(
        None, "--from", help="First day or time, UTC; default: two weeks before --to."
    ),
    to: str = typer.Option(None, "--to", help="Day or time at which it ends, UTC (exclusive)."),
    feed: str = typer.Option("venue", "--feed", help="Of paper: venue, or stored candles."),
    address: str = typer.Option(
        None, "--address", help="Of --feed venue: http://HOST:PORT of `ares sim serve`."
    ),
    speed: str = typer.Option(
        None, "--speed", help="Of stored candles: times real time (paper: 1), or max (history)."
    ),
    account: str = typer.Option(
        None, "--account", help="Of live: live_trading.account_name, instead of a prompt."
    ),
    run: str = typer.Option(None, "--run", help="Name of the run; default: its window."),
    learn: bool = typer.Option(
        None,
        "--learn/--no-learn",
        help="Retrain and swap models during the run; default: settings.",
    ),
    json_: bool = JSON_OPTION,
) -> int:
    """Run the engine over stored candles or in real time, with virtual money, on a rehearsal
    server, or with real money. Ctrl-C stops it cleanly; the same command continues it.
    """
    from ares.bootstrap import RunRequest, history_run
    from ares.config.workspace import Workspace
    from ares.research.window import parse_utc

    if env in ("paper", "live") or env.startswith("rehearsal/"):
        from ares.cli.real_time import run_real_time

        from_ms, to_ms = (None if t is None else parse_utc(t) for t in (from_, to))
        return run_real_time(
            env, tuple(symbol) or None, feed, from_ms, to_ms, speed, learn, address, account
        )
    if env != "history":
        raise UserError(f"--env {env}: write history, paper, rehearsal/NAME or live")
    if speed not in (None, "max"):
        raise UserError(f"--speed {speed}: history runs support max only")
    if run is not None and not run.replace("-", "").replace("_", "").isalnum():
        raise UserError(f"--run {run}: use letters, digits, - and _ only")
    if run is not None and len(run) > RUN_NAME_MAX:
        raise UserError(f"--run: the name has {len(run)} characters: use {RUN_NAME_MAX} at most")
    workspace = Workspace.here()
    request = RunRequest(
        tuple(symbol) or None,
        None if from_ is None else parse_utc(from_),
        None if to is None else parse_utc(to),
        run,
        workspace.settings.learns_in_history if learn is None else learn,
    )
    stop = _StopSignal()
    with stop, ExitStack() as shown:
        bars: list[ProgressBar] = []

        def reached(done: int, total: int) -> None:
            if not bars:  # an error before the run starts is one line, without a progress bar
                bars.append(shown.enter_context(progress("run", unit="instants")))
            bars[0].expect(total)
            bars[0].reach(done)

        def remark(text: str) -> None:
            bars[0].say(text) if bars else note(text)

        ran = history_run(workspace, request, reached, stop, remark)
    if json_:
        print_json(_as_json(ran))
    else:
        show(ran)
    return 0 if ran.end.finished else 130


RUN_NAME_MAX = 100
"""Characters of a run's name, which is that of a folder."""


class _StopSignal:
    """SIGINT or SIGTERM ends the run after the current instant; a second one ends the process at
    once, which loses nothing: the next start recovers from the journal.
    """

    def __init__(self) -> None:
        self._requested = False
        self._previous: dict[int, SignalHandler] = {}

    def __call__(self) -> bool:
        return self._requested

    def __enter__(self) -> _StopSignal:
        for number_ in (signal.SIGINT, signal.SIGTERM):
            self._previous[number_] = signal.signal(number_, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number_, handler in self._previous.items():
            signal.signal(number_, handler)

    def _handle(self, *_: object) -> None:
        if self._requested:
            # Like a kill: an exception inside a write would close the journal with another write,
            # after an incomplete record.
            os.write(2, b"\x1b[?25h\n" if sys.stderr.isatty() else b"\n")  # show the cursor
            os._exit(130)
        self._requested = True


def show(ran: RunResult) -> None:
    """Print the result of a run."""
    end, report = ran.end, ran.report
    for remark in (*ran.remarks, *end.remarks):
        note(remark)
    show_report(report)
    if end.instants:
        say(speed(end))
    elif end.finished:
        say("This run was finished already: nothing was run (--run NAME starts another).")
    if not end.finished:
        note("stopped: run the same command again to continue")


def show_report(report: RunReport) -> None:
    """Print the report of a run: instruments, moves of models, account, and a sentence."""
    title = f"{report.environment}: {utc(report.from_ms)} to {utc(report.to_ms)} UTC"
    columns = (
        "instrument", "stage", "mode", "confidence", "signals", "trades", "won", "net/trade",
        "pnl", "virtual", "virtual won", "virtual net/trade",
    )  # fmt: skip
    optional = ("stage", "signals", "won", "virtual won", "confidence")
    rows = [_row(row) for row in report.instruments]
    print_table(columns, rows, title=title, optional=optional)
    if report.moves:
        moves = [
            (
                utc(m.ts_ms),
                m.instrument,
                m.move.replace("_", " "),
                m.ensemble_hash[:12],
                m.who,
                m.reason,
            )
            for m in report.moves
        ]
        print_table(("when", "instrument", "move", "ensemble", "who", "why"), moves)
    print_facts(_facts(report))
    say("")
    say(report.verdict, style="bold")


def speed(end: RunEnd) -> str:
    """Return the engine's speed, and what else took a second or more."""
    text = (
        f"{count(end.bars)} bars at {count(end.instants)} closing instants in "
        f"{duration(end.feeding_seconds)}: {count(round(end.bars_per_s))} bars/s."
    )
    code_s, waited_s = end.code_seconds, end.waited_seconds
    others = [f"compilation took {duration(code_s)}"] if code_s >= 1 else []
    others += [f"waiting for trainings took {duration(waited_s)}"] if waited_s >= 1 else []
    return f"{text} Not included: {', '.join(others)}." if others else text


def _row(row: InstrumentReport) -> tuple[object, ...]:
    def bps(value: float | None) -> str | None:
        return None if value is None else f"{value:+.1f} bps"

    return (
        row.instrument, row.slot, row.mode, percent(row.mode_confidence, 1), count(row.signals),
        count(row.real.trades), percent(row.real.win_rate, 0), bps(row.real.mean_net_bps),
        number(row.pnl_quote), count(row.virtual.trades), percent(row.virtual.win_rate, 0),
        bps(row.virtual.mean_net_bps),
    )  # fmt: skip


def _facts(report: RunReport) -> dict[str, object]:
    refused: dict[str, int] = {}
    for row in report.instruments:
        for code, n in row.refused.items():
            refused[code] = refused.get(code, 0) + n
    facts: dict[str, object] = {
        "equity": f"{number(report.equity_start)} to {number(report.equity_end)} "
        f"({percent(report.net_return)})",
        "largest drawdown": percent(report.max_drawdown),
        "fees": number(report.fees),
        "orders": f"{report.orders}, {report.fills} fills, {report.rejected} rejected",
    }
    if refused:
        pairs = sorted(refused.items(), key=lambda kv: -kv[1])
        facts["refused signals"] = ", ".join(f"{code.replace('_', ' ')} {n}" for code, n in pairs)
    if report.retrainings:
        pairs = sorted(report.retrainings.items())
        facts["retrainings"] = ", ".join(f"{outcome} {n}" for outcome, n in pairs)
    for name, stale in report.stale_series.items():
        facts[f"{name} missing"] = ", ".join(
            f"{key} {n} times" if n > 1 else f"{key} once" for key, n in stale.items()
        )
    if report.breaker_changes:
        pairs = sorted(report.breaker_changes.items())
        facts["breakers opened"] = ", ".join(f"{which} {n}" for which, n in pairs)
    return facts


def _as_json(ran: RunResult) -> dict[str, object]:
    from ares.cli.output import plain

    report: dict[str, object] = plain(ran.report)
    report.pop("equity_ms", None)
    report.pop("equity_quote", None)
    end = {
        "finished": ran.end.finished,
        "resumed": ran.end.resumed,
        "seconds": ran.end.seconds,
        "feeding_seconds": ran.end.feeding_seconds,
        "code_seconds": ran.end.code_seconds,
        "waited_seconds": ran.end.waited_seconds,
        "bars_now": ran.end.bars,
        "folder": str(ran.end.folder),
        "remarks": [*ran.remarks, *ran.end.remarks],
    }
    return report | end
