"""``ares reconcile``: the ledger beside the venue, line by line."""

from __future__ import annotations

import typer

from ares.cli.output import JSON_OPTION, note, print_json, print_table, say
from ares.cli.status import ENV_OPTION

ADDRESS_OPTION = typer.Option(
    None, "--address", help="Of the venue's server, such as http://127.0.0.1:8600."
)


def command(
    env: str | None = ENV_OPTION,
    address: str | None = ADDRESS_OPTION,
    all_: bool = typer.Option(False, "--all", help="Show the lines that are the same, too."),
    json_: bool = JSON_OPTION,
) -> int:
    """Show the ledger beside the venue: balances, open orders, executions. Nothing is changed.

    Exit code 1: they differ. `ares settle` settles what a person has looked at.
    """
    import msgspec

    from ares.bootstrap.reconcile import account_environment, reconciliation
    from ares.config.workspace import Workspace

    workspace = Workspace.here()
    environment = account_environment(workspace, env)
    found = reconciliation(workspace, environment, address)
    if json_:
        print_json({**msgspec.to_builtins(found), "differences": len(found.differing)})
        return 1 if found.differing else 0
    shown = found.lines if all_ else [x for x in found.lines if x.differs or x.kind == "balance"]
    print_table(
        ["", "what", "instrument", "name", "ledger", found.venue, "note"],
        [
            [
                "DIFFERS" if x.differs else "",
                x.kind,
                x.instrument,
                x.name,
                x.ledger,
                x.venue,
                x.note,
            ]
            for x in shown
        ],
    )
    if not found.complete:
        note(f"{found.venue} did not show all pages: what is missing proves nothing")
    kinds = {kind: sum(x.kind == kind for x in found.lines) for kind in ("order", "execution")}
    compared = f"{len(found.lines)} lines compared: {kinds['order']} open orders, " + (
        f"{kinds['execution']} executions"
    )
    say(f"{len(found.differing) or 'no'} differences; {compared}")
    return 1 if found.differing else 0
