"""``ares drill``: rehearse faults on purpose, and see what holds."""

from __future__ import annotations

import typer

from ares.cli.output import JSON_OPTION, duration, note, print_json, print_table, say
from ares.cli.sim_serve import ADDRESS


def command(
    env: str = typer.Option(..., "--env", help="rehearsal/NAME, which `ares up` runs."),
    address: str = typer.Option(ADDRESS, "--address", help="Of its `ares sim serve`."),
    json_: bool = JSON_OPTION,
) -> int:
    """Kill, freeze, lose the venue and the database, restore a backup, flatten, resume: on a
    rehearsal that `ares up` runs. Exit code 1: something did not hold.
    """
    from ares.bootstrap.drill import drill_rehearsal
    from ares.config.workspace import Workspace

    found = drill_rehearsal(Workspace.here(), env, address, note)
    code = 0 if all(each.held for each in found) else 1
    if json_:
        print_json(found)
        return code
    print_table(
        ("step", "promise", "held", "took", "detail"),
        [
            (r.name, r.promise, "yes" if r.held else "NO", duration(r.seconds), r.detail)
            for r in found
        ],
        optional=("promise",),
    )
    say("Everything held." if code == 0 else "Something did not hold.")
    return code
