"""``ares up``: keep an environment's processes running."""

from __future__ import annotations

import getpass
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ares.cli.keys import PASSPHRASE_FILE
from ares.cli.output import JSON_OPTION, note, print_json, print_table, say

if TYPE_CHECKING:
    from ares.runtime.ops.up_status import UpStatus

COLUMNS = ("process", "state", "lives", "process id", "starts", "detail")


def command(
    words: list[str] = typer.Argument(None, help="After --: further words for `ares run`."),
    env: str = typer.Option("paper", "--env", help="paper, live or rehearsal/NAME."),
    address: str = typer.Option(
        None, "--address", help="Of the engine's feed: http://HOST:PORT of `ares sim serve`."
    ),
    learn: bool = typer.Option(
        None, "--learn/--no-learn", help="Of the engine; default: settings."
    ),
    passphrase_file: Path | None = PASSPHRASE_FILE,
    status: bool = typer.Option(False, "--status", help="Show what runs, and start nothing."),
    json_: bool = JSON_OPTION,
) -> int:
    """Start an environment's processes and keep them running: what dies is started again, what
    hangs is killed. Ctrl-C or SIGTERM ends them in order. Killed, it leaves them running, and the
    next `ares up` adopts them.
    """
    from ares.adapters.log_file import log_lines
    from ares.bootstrap.keys import passphrase_sources
    from ares.bootstrap.up import UpRequest, run_up, up_status
    from ares.config.workspace import Workspace

    workspace = Workspace.here()
    if status:
        found = up_status(workspace, env)
        print_json(found) if json_ else _show(found)
        return 0
    further = [] if learn is None else ["--learn" if learn else "--no-learn"]
    request = UpRequest(env, (*further, *(words or [])), address)
    prompt = getpass.getpass if sys.stdin.isatty() else None
    sources = passphrase_sources(workspace, passphrase_file, None, prompt)
    stop = _Stop()
    with log_lines(workspace.logs_dir / f"{env.replace('/', '-')}-up.log") as write:

        def line(text: str) -> None:
            write(text)
            say(text)

        with stop:
            ended = run_up(workspace, request, line, stop.wait, sources)
    note("all processes have ended" if ended else "stopped; the processes that run go on")
    return 0


class _Stop:
    """SIGINT and SIGTERM, each of which ends one wait."""

    def __init__(self) -> None:
        self._signalled = threading.Event()
        self._previous: dict[int, object] = {}

    def wait(self, seconds: float) -> bool:
        """Wait; return whether there was a signal."""
        found = self._signalled.wait(seconds)
        self._signalled.clear()
        return found

    def __enter__(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, lambda *_: self._signalled.set())

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]


def _show(status: UpStatus) -> None:
    say(f"{status.environment}: `ares up` is process {status.pid}")
    print_table(
        COLUMNS,
        [
            (
                each.name,
                each.state,
                each.liveness,
                each.pid or None,
                each.starts,
                each.detail or None,
            )
            for each in status.processes
        ],
    )
    for health in status.components:
        say(f"{health.component}: {health.problem or 'healthy'}")
    say(f"healthy checks in a row: {status.checks_in_a_row}")
    for text in status.alarms.values():
        say(f"ALARM: {text}")
