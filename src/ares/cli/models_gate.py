"""``ares models`` as far as it judges and moves: validate, promote, rollback, archive, compare."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ares.cli.control import ask, show_answer
from ares.cli.output import JSON_OPTION, error_line, note, plain, print_json, progress, say
from ares.cli.status import ENV_OPTION
from ares.domain.errors import ExternalError, UserError

if TYPE_CHECKING:
    from ares.learn.gate.plausible import Attestation
    from ares.runtime.lifecycle.promotion import PromotionResult
    from ares.runtime.validation.verdict_file import SavedVerdict

FORMER_TO: Any = typer.Option("", "--to", hidden=True)
"""``--to`` named an environment once; it means a date in all other commands."""

TARGET = "An ensemble's hash, a symbol (its newest), or a package's name."


def environment_of(env: str, former: str) -> str:
    """Return the environment of ``--env``, or of ``--to``, its former name; empty for neither."""
    if env and former and env != former:
        raise UserError(f"--env {env} and --to {former}: give --env alone")
    if former:
        note(f"write --env {former}: --to means a date elsewhere")
    return env or former


def validate(
    model: str = typer.Argument(..., help=TARGET),
    env: str = typer.Option("", "--env", help="Whose champion it must beat; default: history."),
    to: str = FORMER_TO,
    picture: Path | None = typer.Option(
        None, "--picture", help="Write the picture (PNG) here too."
    ),
    plausible_by: str = typer.Option(
        "", "--plausible-by", help="Who answers for results above the limits of plausibility."
    ),
    reason: str = typer.Option("", "--reason", help="Why they are true; with --plausible-by."),
    json_: bool = JSON_OPTION,
) -> int:
    """Validate an ensemble: evidence against limits, line by line. Exit code 1: refused."""
    from ares.bootstrap.lifecycle import validate as validate_model
    from ares.cli.gate_views import show_verdict
    from ares.config.workspace import Workspace
    from ares.runtime.validation.verdict_file import verdict_json

    if picture is not None and picture.is_dir():
        raise UserError(f"--picture {picture}: is a folder; name a file in it, verdict.png")
    where = environment_of(env, to) or "history"
    word = _attestation(plausible_by.strip(), reason.strip())
    with _bar("validate") as reached:
        result, saved, warnings = validate_model(Workspace.here(), model, where, reached, word)
    if json_:
        print_json(verdict_json(saved))
    else:
        show_verdict(result, saved)
    if word is not None and result.attestation is None:
        note("--plausible-by was not needed: nothing is above the limits of plausibility")
    for remark in (*result.notes, *warnings):
        note(remark)
    if picture is not None:
        _write_picture(picture, saved)
    return 0 if result.verdict.passed else 1


def promote(
    target: str = typer.Argument("", help=TARGET + " Default: the newest of every instrument."),
    env: str = typer.Option("", "--env", help="history (default), paper or live."),
    to: str = FORMER_TO,
    force: bool = typer.Option(
        False, "--force", help="Without a verdict; needs a reason; not in live."
    ),
    reason: str = typer.Option("", "--reason", help="The reason, for the journal."),
    challenger: bool = typer.Option(
        False, "--challenger", help="The challenger of this symbol in the running engine."
    ),
    json_: bool = JSON_OPTION,
) -> int:
    """Make an ensemble champion; it needs a passing verdict of today's evidence. An engine that
    runs there serves it at once; another takes it over at its next start.
    """
    from ares.bootstrap.lifecycle import promote as promote_model
    from ares.config.workspace import Workspace

    where = environment_of(env, to) or "history"
    if challenger:
        if not target or not reason or force or json_:
            raise UserError("--challenger takes a symbol and --reason, and nothing else but --env")
        ask(None if where == "history" else where, "promote", instrument=target, reason=reason)
        return 0
    outcome = promote_model(Workspace.here(), target or None, where, force, reason or None)
    return _print_result(outcome, json_)


def rollback(
    symbol: str = typer.Argument("", help="Of the instrument, where there are several."),
    ensemble: str = typer.Option(
        "", "--ensemble", help="The one to go back to; default: the previous."
    ),
    to: str = FORMER_TO,
    environment: str = typer.Option("", "--env", help="Where there are champions in several."),
    reason: str = typer.Option("", "--reason", help="The reason, for the journal."),
    json_: bool = JSON_OPTION,
) -> int:
    """Make a former champion champion again, and archive the present one; in the engine that runs
    there too. One that the engine promoted by itself is rolled back in the engine.
    """
    from ares.bootstrap.lifecycle import rollback as roll_back
    from ares.bootstrap.running_models import rolled_back_in_engine
    from ares.config.workspace import Workspace

    if not (ensemble or to):
        answer = rolled_back_in_engine(
            Workspace.here(), symbol or None, environment or None, reason
        )
        if answer is not None:
            show_answer("rollback", answer)
            return 0
    outcome = roll_back(
        Workspace.here(),
        symbol or None,
        ensemble or to or None,
        environment or None,
        reason or None,
    )
    return _print_result(outcome, json_)


def dismiss(
    symbol: str = typer.Argument(..., help="Of the instrument."),
    reason: str = typer.Option(..., "--reason", help="The reason, for the journal."),
    env: str | None = ENV_OPTION,
) -> None:
    """Take the challenger of a symbol out of the running engine; its champion stays."""
    ask(env, "dismiss", instrument=symbol, reason=reason)


def archive(
    model: str = typer.Argument(..., help=TARGET),
    reason: str = typer.Option("", "--reason", help="The reason, for the journal."),
    json_: bool = JSON_OPTION,
) -> int:
    """Archive an ensemble for good: it is not promoted, and not rolled back to, any more."""
    from ares.bootstrap.lifecycle import archive as archive_model
    from ares.config.workspace import Workspace

    outcome = archive_model(Workspace.here(), model, reason or None)
    return _print_result(outcome, json_)


def compare(
    first: str = typer.Argument(..., help=TARGET),
    second: str = typer.Argument(..., help=TARGET),
    json_: bool = JSON_OPTION,
) -> None:
    """Compare two ensembles: recipe, data, features, and both on the same bars."""
    from ares.bootstrap.validation import compare_models
    from ares.cli.gate_views import show_comparison
    from ares.config.workspace import Workspace

    with _bar("compare") as reached:
        found = compare_models(Workspace.here(), first, second, on_progress=reached)
    if json_:
        print_json({**plain(found), "result": found.sentence})
    else:
        show_comparison(found)
    for remark in found.notes:
        note(remark)


def _attestation(by: str, reason: str) -> Attestation | None:
    """Return the word that a person gave for the results; None: none was given."""
    from ares.learn.gate.plausible import Attestation

    if not by and not reason:
        return None
    if not by or not reason:
        raise UserError("--plausible-by NAME and --reason TEXT go together: give both, or neither")
    return Attestation(by, reason)


def _write_picture(path: Path, saved: SavedVerdict) -> None:
    """Write the picture to another path; the verdict is saved and shown by then."""
    from ares.adapters.durable import write_file

    try:
        write_file(path, saved.png)
    except OSError as error:
        raise ExternalError(
            f"{path}: cannot be written ({error.strerror}); the verdict is saved, its picture is "
            f"{saved.picture}"
        ) from None


def _print_result(outcome: PromotionResult, json_: bool) -> int:
    """Print the outcome; return 1 where something was refused, 3 where disk or files failed."""
    if json_:
        print_json(outcome)
    else:
        for promotion in outcome.promoted:
            again = " again" if promotion.rolled_back else ""
            forced = " (forced)" if promotion.forced else ""
            say(
                f"{promotion.instrument}: {promotion.ensemble_hash[:12]} is champion in "
                f"{promotion.environment}{again}{forced}"
            )
        for ensemble_hash in outcome.archived:
            say(f"{ensemble_hash[:12]} is archived")
    for refusal in outcome.refused:
        error_line(refusal)
    for warning in outcome.warnings:
        note(warning)
    if outcome.external:
        return 3
    return 1 if outcome.refused else 0


@contextmanager
def _bar(label: str) -> Iterator[Callable[[int, int, str], None]]:
    with progress(label, unit="steps") as bar:
        most = 0

        def reached(done: int, total: int, what: str) -> None:
            nonlocal most  # the last step comes without the total
            most = max(most, total)
            bar.expect(most)
            bar.reach(most if done == total else done, what)

        yield reached
