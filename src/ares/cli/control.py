"""Commands to the running engine, answered by it: halt, resume, flatten, settle, stop and more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from ares.cli.output import error_line, note, say
from ares.cli.status import ENV_OPTION

if TYPE_CHECKING:
    from ares.store.commands import CommandAnswer

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
    """Allow entries again, of a symbol or of all; end what `ares kill` stopped. Halts for
    differences stay until settled.
    """
    from ares.bootstrap.kill import resume_stopped
    from ares.config.workspace import Workspace

    stopped = None if symbol else resume_stopped(Workspace.here(), env)
    if stopped is not None:
        say(f"{stopped} is not stopped any more: its next start trades, unless halts stand in it")
        return
    ask(env, "resume", instrument=symbol, reason=reason)


def flatten(
    symbol: str = SYMBOL_OPTION, reason: str = REASON_OPTION, env: str | None = ENV_OPTION
) -> None:
    """Sell all that is held of a symbol, or of all; cancel entries, and halt them until
    `ares resume`.
    """
    ask(env, "flatten", instrument=symbol, reason=reason)


def force_exit(
    symbol: str = typer.Option(..., "--symbol", "-s", help="Symbol."),
    reason: str = REASON_OPTION,
    env: str | None = ENV_OPTION,
) -> None:
    """Sell the position in one symbol now, without a halt: the next signal may enter again."""
    ask(env, "force-exit", instrument=symbol, reason=reason)


def settle(
    symbol: str = SYMBOL_OPTION,
    reason: str = REASON_OPTION,
    order: str = typer.Option(
        "", "--absent", metavar="ORDER", help="An order that never arrived: its client id."
    ),
    env: str | None = ENV_OPTION,
) -> None:
    """Settle differences as they stand at the venue: lots are held outside the ledger, cash was
    moved. Look at the venue first.
    """
    outcome = "absent" if order else ""
    ask(env, "settle", instrument=symbol, reason=reason, order=order, outcome=outcome)


def snapshot(env: str | None = ENV_OPTION) -> None:
    """Write a snapshot of the engine's state now."""
    ask(env, "snapshot")


def stop(
    reason: str = typer.Option("", "--reason", help="Why; it is journaled."),
    env: str | None = ENV_OPTION,
) -> None:
    """Stop the engine cleanly, and wait until it has ended; positions and their stops stay. The
    same start continues it.
    """
    from ares.bootstrap.control import END_S, stop_engine
    from ares.config.workspace import Workspace

    answer, has_ended = stop_engine(Workspace.here(), env, reason)
    if answer.outcome == "refused" or not has_ended:
        show_answer("stop", answer)
        note(f"it has not ended after {END_S:g} s: its terminal and its log say what it does")
        return
    say("the engine has stopped")


def ask(env: str | None, verb: str, version: str = "", **arguments: str) -> None:
    """Give a command and print its answer; exit code 1 where it was refused."""
    from ares.bootstrap.control import WAIT_S, give
    from ares.config.workspace import Workspace

    show_answer(verb, give(Workspace.here(), env, verb, version, WAIT_S, **arguments))


def show_answer(verb: str, answer: CommandAnswer) -> None:
    """Print the answer to a command; exit code 1 where it was refused."""
    if answer.outcome == "refused":
        error_line(f"{verb} was refused: {answer.detail}")
        raise typer.Exit(1)
    say(answer.detail)
