"""``ares recover``: look for a fault, and take one step after the other until it is gone."""

from __future__ import annotations

import typer

from ares.cli.output import JSON_OPTION, note, print_json, print_table, say
from ares.domain.errors import UserError


def command(
    issue: str | None = typer.Argument(None, help="A fault; without one they are listed."),
    env: str = typer.Option("paper", "--env", help="paper, live or rehearsal/NAME."),
    json_: bool = JSON_OPTION,
) -> int:
    """Recover from a fault: a procedure, a fallback, and emergency shut-down as the last. Exit code
    1: neither of the first two helped.
    """
    from ares.bootstrap.recover import RecoveryProcedures, recover_issue
    from ares.bootstrap.up import require_environment
    from ares.config.workspace import Workspace
    from ares.runtime.ops.recovery import ISSUES

    workspace = Workspace.here()
    require_environment(env)
    if issue is None:
        rows = [
            (each.issue, each.text, each.procedure.text, each.fallback.text)
            for each in RecoveryProcedures(workspace, env).all()
        ]
        print_table(("issue", "what", "procedure", "fallback"), rows)
        note("Behind each is emergency shut-down: stop trading, save the state, notify.")
        return 0
    known = next((each for each in ISSUES if each == issue), None)
    if known is None:
        raise UserError(f"'{issue}' is no issue: {', '.join(ISSUES)}")
    found = recover_issue(workspace, env, known, note)
    if json_:
        print_json(found)
    elif not found.problem:
        say(f"{issue}: nothing is wrong")
    else:
        say(f"{issue}: {found.by or 'nothing'} helped")
    return 0 if found.is_well else 1
