"""``ares restep``: step a run's journal through the engine again and compare the effects."""

from __future__ import annotations

import typer

from ares.cli.output import JSON_OPTION, count, print_json, say


def command(
    run: str = typer.Argument(None, help="Name of the run; default: the newest."),
    json_: bool = JSON_OPTION,
) -> int:
    """Step a run's journal again and compare the effects. Exit code 1 if they differ."""
    from ares.bootstrap import restep_run
    from ares.config.workspace import Workspace

    done = restep_run(Workspace.here(), run)
    if json_:
        print_json(done)
    elif done.mismatches:
        say(f"{done.environment}: {count(done.mismatches)} of {count(done.compared)} events give")
        say("other effects than the journal has. The first in full:")
        print_json(done.first)
    else:
        say(f"{done.environment}: {count(done.compared)} events stepped again: byte-equal effects.")
    for epoch in () if json_ else done.epochs:
        if epoch.changed:
            say(epoch.remark)
    return 1 if done.mismatches else 0
