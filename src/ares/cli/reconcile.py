"""``ares reconcile``: the ledger beside the venue, line by line; and what differs, settled."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from ares.cli.output import JSON_OPTION, error_line, note, print_json, print_table, say, utc
from ares.cli.status import ENV_OPTION
from ares.domain.errors import NothingToDo, UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ares.bootstrap.reconcile import Reconciliation
    from ares.config.workspace import Workspace
    from ares.runtime.engine.status import DifferenceStatus
    from ares.store.commands import CommandAnswer

HOWS = ("correct", "ignore", "adopt")
ASK = "ask"

ADDRESS_OPTION = typer.Option(
    None, "--address", help="Of the venue's server, such as http://127.0.0.1:8600."
)


def command(
    env: str | None = ENV_OPTION,
    address: str | None = ADDRESS_OPTION,
    all_: bool = typer.Option(False, "--all", help="Show the lines that are the same, too."),
    settle: str = typer.Option(
        "", "--settle", help="What waits for a person: correct, ignore, adopt, or ask for each."
    ),
    difference: str = typer.Option(
        "", "--difference", metavar="ID", help="Settle this one only; default: all that wait."
    ),
    reason: str = typer.Option("", "--reason", help="Why it is settled so; it is journaled."),
    json_: bool = JSON_OPTION,
) -> int:
    """Show the ledger beside the venue: balances, open orders, executions. Nothing is changed
    without --settle.

    Exit code 1: they differ, or the engine refused to settle.
    """
    from ares.bootstrap.reconcile import account_environment, reconciliation, waiting_differences
    from ares.config.workspace import Workspace

    _require_sensible(settle, reason, json_)
    workspace = Workspace.here()
    environment = account_environment(workspace, env)
    found = reconciliation(workspace, environment, address)
    waiting = waiting_differences(workspace, environment)
    if not json_:
        _show(found, all_)
        _show_waiting(waiting, settle)
    if settle:
        return _settle(workspace, environment, waiting, settle, difference, reason, json_)
    if json_:
        print_json(_as_json(found, waiting))
    return 1 if found.differing else 0


def _require_sensible(settle: str, reason: str, json_: bool) -> None:
    if settle not in ("", ASK, *HOWS):
        raise UserError(f"--settle {settle}: one of {', '.join((*HOWS, ASK))}")
    if settle in HOWS and not reason.strip():
        raise UserError("--settle needs a --reason: it is journaled")
    if settle == ASK and (json_ or not sys.stdin.isatty()):
        raise UserError(f"--settle ask asks at a terminal: use one of {', '.join(HOWS)} here")


def _as_json(found: Reconciliation, waiting: Sequence[DifferenceStatus]) -> dict[str, object]:
    import msgspec

    lines: dict[str, object] = msgspec.to_builtins(found)
    return {
        **lines, "differences": len(found.differing), "waiting": msgspec.to_builtins(waiting)
    }  # fmt: skip


def _show(found: Reconciliation, all_: bool) -> None:
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


def _show_waiting(waiting: Sequence[DifferenceStatus], settle: str) -> None:
    """Print the differences that the engine has found and halts for."""
    if waiting:
        columns = ["id", "instrument", "kind", "quantity", "since", "detail"]
        print_table(
            columns,
            [[d.id, d.instrument, d.kind, d.qty_base, utc(d.since_ms), d.detail] for d in waiting],
            title="wait for a person",
        )
    if waiting and not settle:
        note("settle them with --settle correct, ignore or adopt, and --reason")


def _settle(
    workspace: Workspace,
    environment: str,
    waiting: Sequence[DifferenceStatus],
    how: str,
    only: str,
    reason: str,
    json_: bool,
) -> int:
    """Have the engine settle what waits; print its answers."""
    from ares.bootstrap.control import running_engine
    from ares.bootstrap.reconcile import settle_difference

    running_engine(workspace, environment)  # raises where none runs
    chosen = [d for d in waiting if only in ("", d.id)]
    if not chosen:
        what = f"no difference {only} waits" if only else "no difference waits"
        raise NothingToDo(f"{what}: the engine compares every few minutes, then see again")
    answers: list[tuple[DifferenceStatus, CommandAnswer]] = []
    for difference in chosen:
        picked, why = (how, reason) if how != ASK else _answer_of_a_person(difference)
        if picked:
            answer = settle_difference(workspace, environment, difference, picked, why)
            answers.append((difference, answer))
    refused = [answer for _, answer in answers if answer.outcome == "refused"]
    if json_:
        print_json([{"id": d.id, "outcome": a.outcome, "detail": a.detail} for d, a in answers])
    for difference, answer in () if json_ else answers:
        if answer.outcome == "refused":
            error_line(f"settle was refused: {answer.detail}")
        else:
            say(f"{difference.id} ({difference.detail}): {answer.detail}")
    return 1 if refused else 0


def _answer_of_a_person(difference: DifferenceStatus) -> tuple[str, str]:
    """Ask a person what one difference is; return how to settle it, and why. Empty: not now."""
    name = f"{difference.id} {difference.instrument} {difference.kind}: {difference.detail}"
    how = ""
    while how not in ("skip", *HOWS):
        text = f"{name} ({', '.join((*HOWS, 'skip'))})"
        how = str(typer.prompt(text, default="skip", err=True)).strip()
    if how == "skip":
        return "", ""
    return how, str(typer.prompt("why", err=True))
