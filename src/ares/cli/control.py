"""``ares halt`` and ``ares resume``: commands to the running engine, answered by it."""

from __future__ import annotations

import typer

from ares.cli.output import error_line, say
from ares.cli.status import ENV_OPTION

SYMBOL_OPTION = typer.Option("", "--symbol", "-s", help="Symbol; default: all.")
REASON_OPTION = typer.Option(..., "--reason", help="Why; it is journaled.")


def halt(
    symbol: str = SYMBOL_OPTION, reason: str = REASON_OPTION, env: str | None = ENV_OPTION
) -> None:
    """Halt entries of a symbol, or of all, and cancel those not filled yet. Stops and exits go on.
    A halt stands until `ares resume`, also over a restart.
    """
    ask(env, "halt", instrument=symbol, reason=reason)


def resume(
    symbol: str = SYMBOL_OPTION, reason: str = REASON_OPTION, env: str | None = ENV_OPTION
) -> None:
    """Allow entries again, of a symbol or of all. Halts for differences stay until settled."""
    ask(env, "resume", instrument=symbol, reason=reason)


def ask(env: str | None, verb: str, version: str = "", **arguments: str) -> None:
    """Give a command and print its answer; exit code 1 where it was refused."""
    from ares.bootstrap.control import give
    from ares.config.workspace import Workspace

    answer = give(Workspace.here(), env, verb, version, **arguments)
    if answer.outcome == "refused":
        error_line(f"{verb} was refused: {answer.detail}")
        raise typer.Exit(1)
    say(answer.detail)
