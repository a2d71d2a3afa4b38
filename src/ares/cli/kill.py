"""``ares kill``: stop an environment now, whatever state its engine is in."""

from __future__ import annotations

import typer

from ares.cli.output import JSON_OPTION, note, print_json, say
from ares.cli.reconcile import ADDRESS_OPTION


def command(
    flatten: bool = typer.Option(
        False, "--flatten", help="Sell what the ledger holds; otherwise stops are kept."
    ),
    reason: str = typer.Option("kill", "--reason", help="Why; it is journaled."),
    env: str | None = typer.Option(None, "--env", help="Default: what runs, or the only one."),
    address: str | None = ADDRESS_OPTION,
    json_: bool = JSON_OPTION,
) -> int:
    """Stop now: cancel entries and keep stops, or --flatten. An engine that does not answer is
    ended, and this command acts in its place. Stopped stays stopped until `ares resume`.

    Exit code 1: something is held still that the venue takes no order for.
    """
    import msgspec

    from ares.bootstrap.kill import KillRequest, kill
    from ares.config.workspace import Workspace
    from ares.runtime.registry.model_journal import who

    request = KillRequest(env, flatten, reason, address)
    end = kill(Workspace.here(), request, who(), note)
    if json_:
        print_json(msgspec.to_builtins(end))
        return 1 if end.remains else 0
    for line in end.remains:
        say(f"held still: {line}")
    if end.by == "next start":
        say("no engine runs: its next start carries this out before all else")
    what = "flat" if flatten and end.flat else "entries cancelled, stops kept"
    if end.by != "next start" and not end.remains:
        say(f"{end.environment}: {what}")
    say("stopped until `ares resume`")
    return 1 if end.remains else 0
