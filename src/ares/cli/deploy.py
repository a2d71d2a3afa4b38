"""``ares deploy``: a model into production by restart, back again, and the state of that."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ares.cli.models_gate import FORMER_TO, environment_of
from ares.cli.output import JSON_OPTION, error_line, note, print_json, say
from ares.domain.errors import UserError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from ares.runtime.deploy.plan import DeployPlan, DeployReport
    from ares.runtime.deploy.policy import DeployEffects

app = typer.Typer(no_args_is_help=True)

ENVIRONMENT = "paper or live; default: live_trading.mode."
EXIT_OF = {"installed": 0, "already": 0, "rolled_back": 0, "refused": 1, "reverted": 1, "down": 3}


@app.command()
def install(
    package: Path = typer.Argument(..., help="The zip file of an exported ensemble."),
    yes: bool = typer.Option(False, "--yes", "-y", help="Approve without a prompt."),
    now: bool = typer.Option(False, "--now", help="Do not wait for the quiet hours."),
    no_wait: bool = typer.Option(False, "--no-wait", help="Refuse outside the quiet hours."),
    env: str = typer.Option("", "--env", help=ENVIRONMENT),
    to: str = FORMER_TO,
    sha256: str = typer.Option(
        "", "--sha256", help="What the file must be, as `ares models export` printed it."
    ),
    force: bool = typer.Option(
        False, "--force", help="Without a verdict; needs a reason; not in live."
    ),
    reason: str = typer.Option("", "--reason", help="The reason, for the journal."),
    json_: bool = JSON_OPTION,
) -> int:
    """Verify a package, ask for approval, install it, restart the service and check it.

    Outside the quiet hours it waits for them. Where the service does not come up, the previous
    champion is restored. Exit code 1: refused, or the previous champion was restored; 3: the
    service is not up with that either.
    """
    from ares.bootstrap.deploy import install as install_package
    from ares.cli.deploy_views import show_plan
    from ares.config.workspace import Workspace
    from ares.runtime.deploy.plan import DeployRequest

    if now and no_wait:
        raise UserError("--now and --no-wait: choose one")
    if not package.exists():
        raise UserError(f"{package}: there is no such file: name the zip of `ares models export`")
    request = DeployRequest(
        package, environment_of(env, to) or None, now, not no_wait, yes, force, reason, sha256
    )
    _require_terminal(yes, json_)

    def approve(plan: DeployPlan) -> bool:
        if not json_:
            show_plan(plan)
        return yes or _confirmed("Install it?")

    with _signals_as_interrupt():
        report = install_package(Workspace.here(), request, approve, _effects())
    return _print_report(report, json_)


@app.command()
def rollback(
    symbol: str = typer.Argument("", help="Of the instrument, where there are several."),
    yes: bool = typer.Option(False, "--yes", "-y", help="Approve without a prompt."),
    env: str = typer.Option("", "--env", help=ENVIRONMENT),
    to: str = FORMER_TO,
    reason: str = typer.Option("", "--reason", help="The reason, for the journal."),
    json_: bool = JSON_OPTION,
) -> int:
    """Put the previous champion back into service at once; an interrupted install is reverted."""
    from ares.bootstrap.deploy import rollback as roll_back
    from ares.config.workspace import Workspace

    _require_terminal(yes, json_)

    def approve(sentence: str) -> bool:
        note(sentence)
        return _confirmed("Go on?")

    with _signals_as_interrupt():
        report = roll_back(
            Workspace.here(),
            symbol or None,
            environment_of(env, to) or None,
            reason,
            yes,
            approve,
            _effects(),
        )
    return _print_report(report, json_, EXIT_OF | {"reverted": 0})


@app.command()
def status(
    env: str = typer.Option("", "--env", help=ENVIRONMENT),
    to: str = FORMER_TO,
    json_: bool = JSON_OPTION,
) -> int:
    """Show the champions, interrupted installs, and whether the service is running.

    Exit code 1: an install was interrupted, or left the service down. Staging folders of killed
    installs are removed.
    """
    from ares.bootstrap.deploy import status as deploy_status
    from ares.cli.deploy_views import show_status
    from ares.config.workspace import Workspace

    found = deploy_status(Workspace.here(), environment_of(env, to) or None, _effects())
    if json_:
        print_json({**_fields(found), "down": found.down, "ok": found.ok})
    else:
        show_status(found)
    return 0 if found.ok else 1


def _confirmed(question: str) -> bool:
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:  # Ctrl-C, or the end of the input
        raise KeyboardInterrupt from None


def _require_terminal(yes: bool, json_: bool) -> None:
    if not yes and (json_ or not sys.stdin.isatty()):
        raise UserError("there is no terminal to ask for approval: approve it with --yes")


def _effects() -> DeployEffects:
    from ares.runtime.deploy.policy import DeployEffects

    return DeployEffects(say=note)


def _print_report(report: DeployReport, json_: bool, exit_of: Mapping[str, int] = EXIT_OF) -> int:
    """Print the outcome, and return the exit code."""
    code = exit_of[report.result]
    if json_:
        print_json(report)
    elif code == 0:
        champion, result = report.champion[:12] or "none", report.result.replace("_", " ")
        say(f"{report.instrument}: {result}; champion in {report.environment} is {champion}")
    if code:
        subject = f"{report.instrument}: " if report.instrument else ""
        prefix = {"refused": "", "reverted": "reverted: ", "down": "the service is down: "}
        champion = f" (champion: {report.champion[:12] or 'none'})" if report.instrument else ""
        error_line(f"{subject}{prefix[report.result]}{report.reason}{champion}")
    elif not json_:
        note(report.reason)
    for warning in report.warnings:
        note(warning)
    return code


def _fields(value: DataclassInstance) -> dict[str, object]:
    return {field.name: getattr(value, field.name) for field in fields(value)}


@contextmanager
def _signals_as_interrupt() -> Iterator[None]:
    """Treat a terminate signal, or a closed terminal, like Ctrl-C: the install is undone."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
