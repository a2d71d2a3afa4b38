"""``ares signer``: the process that alone holds the keys of an environment."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ares.cli.keys import ADDRESS, PASSPHRASE_FD, PASSPHRASE_FILE
from ares.cli.output import JSON_OPTION, note, print_facts, print_json, print_table, utc

if TYPE_CHECKING:
    from ares.bootstrap.signer import SignerReady

ENV = typer.Option(..., "--env", help="live or rehearsal/NAME.")

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _root() -> None:
    """Hold the keys, sign with them, and send to the venue: nothing else has a secret."""


@app.command()
def run(
    env: str = ENV,
    address: str | None = ADDRESS,
    passphrase_file: Path | None = PASSPHRASE_FILE,
    passphrase_fd: int | None = PASSPHRASE_FD,
    while_fd: int | None = typer.Option(
        None, "--while-fd", help="End when the other end of this inherited pipe is closed."
    ),
) -> int:
    """Run the signer of an environment until SIGTERM; prints one line of JSON when it serves."""
    import msgspec

    from ares.bootstrap.keys import passphrase_sources
    from ares.bootstrap.signer import run_signer
    from ares.config.workspace import Workspace

    workspace = Workspace.here()
    prompt = getpass.getpass if sys.stdin.isatty() else None
    sources = passphrase_sources(workspace, passphrase_file, passphrase_fd, prompt)

    def ready(line: SignerReady) -> None:
        print(msgspec.json.encode(line).decode(), flush=True)

    run_signer(workspace, env, address, sources, ready, note, while_fd)
    return 0


@app.command()
def status(env: str = ENV, json_: bool = JSON_OPTION) -> int:
    """Show what a running signer holds, where it sends, and what it refused."""
    from ares.bootstrap.signer import signer_status
    from ares.config.workspace import Workspace

    found = signer_status(Workspace.here(), env)
    if json_:
        print_json(found)
        return 0
    print_facts({"process": found.pid, "since": utc(found.started_ms)})
    print_table(
        ["key", "sent to", "for", "allowed", "sent", "refused"],
        [
            (k.name, k.host, ", ".join(k.rights), ", ".join(k.allows), k.sent, k.refused)
            for k in found.keys
        ],
    )
    for text in found.memory:
        note(text)
    return 0
