"""``ares watchdog``: a process of its own that acts where the engine cannot."""

from __future__ import annotations

import getpass
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ares.cli.keys import PASSPHRASE_FD, PASSPHRASE_FILE
from ares.cli.output import note
from ares.cli.reconcile import ADDRESS_OPTION

if TYPE_CHECKING:
    from ares.bootstrap.watchdog import WatchdogReady


def command(
    env: str = typer.Option(..., "--env", help="live or rehearsal/NAME."),
    address: str | None = ADDRESS_OPTION,
    passphrase_file: Path | None = PASSPHRASE_FILE,
    passphrase_fd: int | None = PASSPHRASE_FD,
) -> int:
    """Watch an engine until SIGTERM. Without a sign of it for `watchdog.silent_seconds` it is ended
    for good; entries are cancelled and stops kept, and it stays stopped until `ares resume`.

    Prints one line of JSON once it watches. Its key is its own: it queries and cancels.
    """
    import msgspec

    from ares.bootstrap.keys import passphrase_sources
    from ares.bootstrap.watchdog import run_watchdog
    from ares.config.workspace import Workspace

    workspace = Workspace.here()
    prompt = getpass.getpass if sys.stdin.isatty() else None
    sources = passphrase_sources(workspace, passphrase_file, passphrase_fd, prompt)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())

    def ready(line: WatchdogReady) -> None:
        print(msgspec.json.encode(line).decode(), flush=True)

    run_watchdog(workspace, env, address, sources, ready, note, stop)
    return 0
