"""``ares certify``: recompute a run by the backtest path and compare every fact."""

from __future__ import annotations

import typer

from ares.cli.output import JSON_OPTION, count, print_json, print_table, say


def command(
    run: str = typer.Argument(None, help="Name of the run; default: the newest."),
    json_: bool = JSON_OPTION,
) -> int:
    """Recompute a run by the backtest path (features, scores, decisions, requests, fills) and
    compare with its journal. Exit code 1 if they differ.
    """
    from ares.bootstrap import certify_run
    from ares.config.workspace import Workspace

    done = certify_run(Workspace.here(), run)
    if json_:
        print_json(done)
    else:
        rows = [(kind, count(n), count(wrong)) for kind, (n, wrong) in done.lines.items()]
        print_table(("facts", "compared", "mismatches"), rows, title=f"certify {done.environment}")
        if done.mismatches:
            say(f"NOT certified: {count(done.mismatches)} of {count(done.compared)} facts differ.")
            say("The first in full:")
            print_json(done.first)
        else:
            say(f"Certified: {count(done.compared)} facts of {count(done.events)} events agree.")
    for epoch in () if json_ else done.epochs:
        if epoch.changed:
            say(epoch.remark)
    return 1 if done.mismatches else 0
