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
    Bar,
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
    from ares.bootstrap import RunResult
    from ares.observe.run_report import InstrumentReport, RunReport
    from ares.runtime.engine.history_run import RunEnd


def command(
    env: str = typer.Option("history", "--env", help="history (paper and live are not built yet)."),
    symbol: list[str] = typer.Option([], "--symbol", "-s", help="Symbol or key; repeat for more."),
    from_: str = typer.Option(None, "--from", help="First day or time, UTC; default: two weeks."),
    to: str = typer.Option(None, "--to", help="Day or time before which it ends, UTC."),
    speed: str = typer.Option("max", "--speed", help="max: as fast as it goes."),
    run: str = typer.Option(None, "--run", help="Name of the run; default: its window."),
    learn: bool = typer.Option(
        None, "--learn/--no-learn", help="Train and swap models as it goes; default: settings."
    ),
    json_: bool = JSON_OPTION,
) -> int:
    """Run the engine over stored candles with virtual money. Ctrl-C stops it cleanly; the same
    command goes on where it stopped.
    """
    from ares.bootstrap import RunRequest, history_run
    from ares.config.workspace import Workspace
    from ares.research.window import parse_utc

    if env != "history":
        raise UserError(
            f"--env {env}: this version runs history only; paper and live come with the venues"
        )
    if speed != "max":
        raise UserError(f"--speed {speed}: history runs at max")
    if run is not None and not run.replace("-", "").replace("_", "").isalnum():
        raise UserError(f"--run {run}: use letters, digits, - and _")
    workspace = Workspace.here()
    request = RunRequest(
        tuple(symbol) or None,
        None if from_ is None else parse_utc(from_),
        None if to is None else parse_utc(to),
        run,
        workspace.settings.learns_in_history if learn is None else learn,
    )
    asked = _StopSignal()
    with asked, ExitStack() as shown:
        bars: list[Bar] = []

        def reached(done: int, total: int) -> None:
            if not bars:  # what is wrong before the run begins is one line
                bars.append(shown.enter_context(progress("run", unit="instants")))
            bars[0].expect(total)
            bars[0].reach(done)

        def told(text: str) -> None:
            bars[0].say(text) if bars else note(text)

        ran = history_run(workspace, request, reached, asked, told)
    if json_:
        print_json(_as_json(ran))
    else:
        show(ran)
    return 0 if ran.end.finished else 130


class _StopSignal:
    """Ctrl-C (or a terminate signal) asks the run to end after the instant at hand; a second one
    ends it where it is, which loses nothing: starting is recovering.
    """

    def __init__(self) -> None:
        self._asked = False
        self._before: dict[int, object] = {}

    def __call__(self) -> bool:
        return self._asked

    def __enter__(self) -> _StopSignal:
        for number_ in (signal.SIGINT, signal.SIGTERM):
            self._before[number_] = signal.signal(number_, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        for number_, handler in self._before.items():
            signal.signal(number_, handler)  # type: ignore[arg-type]

    def _ask(self, *_: object) -> None:
        if self._asked:
            # As hard as a kill: an exception out of the middle of a write would have the journal
            # write on as if nothing had been.
            os.write(2, b"\x1b[?25h\n" if sys.stderr.isatty() else b"\n")  # the cursor is back
            os._exit(130)
        self._asked = True


def show(ran: RunResult) -> None:
    """Print a run's end for a person."""
    end, report = ran.end, ran.report
    for remark in ran.remarks:
        note(remark)
    title = f"{report.environment}: {utc(report.from_ms)} to {utc(report.to_ms)} UTC"
    columns = (
        "instrument", "slot", "mode", "confidence", "signals", "trades", "won", "net/trade",
        "pnl", "virtual", "won", "net/trade",
    )  # fmt: skip
    print_table(columns, [_row(one) for one in report.instruments], title=title)
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
    if end.instants:
        say(speed(end))
    elif end.finished:
        say("The run was finished before: nothing was run again (--run NAME makes another).")
    if not end.finished:
        note("stopped: the same command goes on from here")


def speed(end: RunEnd) -> str:
    """Return how fast the engine was, and what else took a second or more."""
    text = (
        f"{count(end.bars)} bars at {count(end.instants)} closing instants in "
        f"{duration(end.feeding_seconds)}: {count(round(end.bars_per_s))} bars/s."
    )
    code_s, waited_s = end.code_seconds, end.waited_seconds
    beside = [f"getting its machine code ready took {duration(code_s)}"] if code_s >= 1 else []
    beside += [f"waiting for trainings {duration(waited_s)}"] if waited_s >= 1 else []
    return f"{text} Beside that, {' and '.join(beside)}." if beside else text


def _row(one: InstrumentReport) -> tuple[object, ...]:
    def bps(value: float | None) -> str | None:
        return None if value is None else f"{value:+.1f} bps"

    return (
        one.instrument, one.slot, one.mode, percent(one.mode_confidence, 1), count(one.signals),
        count(one.real.trades), percent(one.real.win_rate, 0), bps(one.real.mean_net_bps),
        number(one.pnl_quote), count(one.virtual.trades), percent(one.virtual.win_rate, 0),
        bps(one.virtual.mean_net_bps),
    )  # fmt: skip


def _facts(report: RunReport) -> dict[str, object]:
    refused: dict[str, int] = {}
    for one in report.instruments:
        for code, n in one.refused.items():
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
        "remarks": list(ran.remarks),
    }
    return report | end
