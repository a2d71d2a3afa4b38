"""``ares restep``: a run's journal through the engine again, compared byte by byte."""

from __future__ import annotations

import typer

from ares.cli.output import JSON_OPTION, count, print_json, say


def command(
    run: str = typer.Argument(None, help="Name of the run; default: the newest."),
    json_: bool = JSON_OPTION,
) -> int:
    """Step a run's journal again: the effects must be the same bytes. Exit code 1 if not."""
    from ares.bootstrap import restep_run
    from ares.config.workspace import Workspace

    done = restep_run(Workspace.here(), run)
    if json_:
        print_json(done)
    elif done.mismatches:
        say(f"{done.environment}: {count(done.mismatches)} of {count(done.compared)} events step")
        say("to other effects than were journaled. The first in full:")
        print_json(done.first)
    else:
        say(f"{done.environment}: {count(done.compared)} events stepped again, byte-equal effects.")
    return 1 if done.mismatches else 0
