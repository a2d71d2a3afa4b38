"""``ares init [DIR]``: create a workspace, or complete one."""

from __future__ import annotations

import shlex
from pathlib import Path

import typer

from ares.cli.output import JSON_OPTION, print_json, say


def command(
    folder: Path = typer.Argument(Path(), metavar="[DIR]", help="The folder; created if missing."),
    json_: bool = JSON_OPTION,
) -> None:
    """Create a workspace: ares.yaml with every key explained, .env.example, folders.

    Existing files are never overwritten: a second init only adds what is missing.
    """
    from ares.config.workspace import Workspace

    workspace, made = Workspace.init(folder)
    if json_:
        print_json({"root": workspace.root.resolve(), "created": made})
        return
    if not made:
        say(f"{workspace.root.resolve()} is a workspace already: nothing was changed")
        return
    say(f"workspace {workspace.root.resolve()}: created {', '.join(made)}")
    enter = f"cd {shlex.quote(str(folder))} && " if workspace.root.resolve() != Path.cwd() else ""
    say(f"next: {enter}ares data import PATH --venue {workspace.settings.venue}")
