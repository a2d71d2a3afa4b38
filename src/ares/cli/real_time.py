"""``ares run --env paper``, ``rehearsal/NAME`` and ``live``: the engine in real time."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING

import typer

from ares.cli.output import count, error_line, note, say, utc
from ares.domain.errors import UserError
from ares.domain.model_life import LIVE

if TYPE_CHECKING:
    from ares.bootstrap.real_time import RealTimeStart
    from ares.bootstrap.real_time_plan import RealTimeRequest
    from ares.config.workspace import Workspace
    from ares.runtime.engine.live_run import LiveRun

SPEED_MAX = 100_000.0


def run_real_time(
    environment: str,
    symbols: tuple[str, ...] | None,
    feed: str,
    from_ms: int | None,
    to_ms: int | None,
    speed: str | None,
    learn: bool | None,
    address: str | None = None,
    account: str | None = None,
) -> int:
    """Run an engine in real time until Ctrl-C, SIGTERM or `ares stop`; the same command continues
    it.
    """
    from ares.adapters.log_file import log_lines
    from ares.bootstrap.real_time import PAPER, paper_run
    from ares.bootstrap.real_time_plan import RealTimeRequest
    from ares.config.workspace import Workspace

    if feed not in ("venue", "stored"):
        raise UserError(f"--feed {feed}: venue or stored")
    if feed == "stored" and environment != PAPER:
        raise UserError(f"--feed stored: {environment} has the bars of the server it trades on")
    workspace = Workspace.here()
    learns = workspace.settings.continuous_learning.enabled if learn is None else learn
    request = RealTimeRequest(
        symbols, feed == "stored", from_ms, to_ms, _speed(speed), learns, address
    )
    if environment == LIVE:
        account = _account_name(workspace, request, account)
        if account is None:
            return 1
    log_name = environment.replace("/", "-")
    with log_lines(workspace.logs_dir / f"{log_name}.log") as write:

        def line(text: str) -> None:
            write(text)
            say(text)

        if environment == PAPER:
            end = paper_run(workspace, request, _started, line)
        elif environment == LIVE:
            from ares.bootstrap.live import live_run

            assert account is not None
            end = live_run(workspace, request, account, _started, line)
        else:
            from ares.bootstrap.rehearsal import rehearsal_run

            end = rehearsal_run(workspace, environment, request, _started, line)
    say(f"stopped ({end.stopped_by}): {count(end.instants)} closing instants, state saved")
    return 0


def _account_name(workspace: Workspace, request: RealTimeRequest, given: str | None) -> str | None:
    """Return the account's name as it was given or is typed now; None where live may not start:
    everything that is missing has been printed.
    """
    import msgspec

    from ares.bootstrap.live import live_conditions
    from ares.runtime.lifecycle.going_live import missing_but_name, missing_for_live

    conditions = live_conditions(workspace, request, given)
    if given is None and not missing_but_name(conditions) and sys.stdin.isatty():
        note(_terms(workspace))
        given = str(typer.prompt("Type the name of the account to trade it", err=True)).strip()
        conditions = msgspec.structs.replace(conditions, typed=given)
    missing = missing_for_live(conditions)
    for text in missing:
        error_line(f"live is refused: {text}")
    return None if missing else given


def _terms(workspace: Workspace) -> str:
    """Return what real money may do, in one line."""
    settings = workspace.settings
    live, account = settings.live_trading, settings.account
    return (
        f"real money at {settings.venue}: {', '.join(live.instruments or ())}; capital"
        f" {account.capital_quote:,.2f} {account.currency}, at most"
        f" {live.order_quote_max or 0.0:,.2f} {account.currency} an order"
    )


def _speed(text: str | None) -> float:
    """Return a speed; raise UserError where it is none."""
    try:
        speed = 1.0 if text is None else float(text)
    except ValueError:
        speed = 0.0
    if not 0.0 < speed <= SPEED_MAX:
        raise UserError(f"--speed {text}: a number of times real time, at most {SPEED_MAX:g}")
    return speed


def _started(start: RealTimeStart, run: LiveRun) -> None:
    """Say what runs, and let signals stop it."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, run.stop, signal.Signals(number).name)
    for remark in start.remarks:
        note(remark)
    what = "continues" if start.resumed else "begins"
    say(
        f"{start.setup.environment} {what}: {', '.join(start.setup.keys)}; market time"
        f" {utc(start.now_ms)} UTC"
    )
