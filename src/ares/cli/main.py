"""The ``ares`` command: its nouns, loaded only when one is called, with its exit codes."""

from __future__ import annotations

import errno
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any, NamedTuple

import typer
import typer.core
import typer.main

from ares import __version__
from ares.cli.output import error_line
from ares.config.telemetry import switch_off
from ares.domain.errors import AresError

EXIT_DONE, EXIT_MISTAKE, EXIT_TROUBLE, EXIT_BUG, EXIT_INTERRUPT, EXIT_PIPE = 0, 2, 3, 70, 130, 141


class Noun(NamedTuple):
    """Where a noun lives: ``attribute`` of ``module`` is a Typer app or a function."""

    module: str
    attribute: str
    help: str


NOUNS = {
    "init": Noun("ares.cli.init", "command", "Make a workspace: ares.yaml, .env.example, folders."),
    "demo": Noun(
        "ares.cli.demo", "command", "The whole story on one screen, from candles to a report."
    ),
    "config": Noun("ares.cli.config", "app", "Show and check the settings."),
    "data": Noun("ares.cli.data", "app", "Candles in, listed and checked."),
    "news": Noun("ares.cli.news", "app", "Headlines and scores in, listed and checked."),
    "train": Noun("ares.cli.train", "command", "Train candidate models, with their evidence."),
    "models": Noun(
        "ares.cli.models",
        "app",
        "Models: list, show, compare, validate, promote, rollback, archive, ab, export.",
    ),
    "deploy": Noun(
        "ares.cli.deploy",
        "app",
        "Put a model into production by restart: install, rollback, status.",
    ),
    "backtest": Noun(
        "ares.cli.backtest", "command", "Judge a model, an ensemble or a baseline on history."
    ),
    "run": Noun(
        "ares.cli.run", "command", "Run the engine over stored candles with virtual money."
    ),
    "learn": Noun(
        "ares.cli.learn", "app", "Learning while trading: what a run's learner did, train now."
    ),
    "certify": Noun(
        "ares.cli.certify", "command", "Recompute a run by the backtest path and compare."
    ),
    "restep": Noun(
        "ares.cli.restep", "command", "Run a journal through the engine again and compare."
    ),
    "sim": Noun("ares.cli.sim", "app", "Made-up worlds whose truth is known: candles."),
    "why": Noun("ares.cli.why", "command", "Explain a bar: why Ares did, or did not, trade."),
}


def main(args: Sequence[str] | None = None) -> None:
    """Run ``ares`` with ``args`` (the process's own) and leave with its exit code."""
    switch_off()
    sys.exit(run(args))


def run(args: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; what a person did wrong becomes one line.

    returns : 0 done, 1 the answer is no, 2 the caller's mistake, 3 the world's trouble,
              70 a bug in Ares (with its traceback), 130 interrupted, 141 the reader went away.
    """
    try:
        answer = typer.main.get_command(app).main(
            list(args) if args is not None else None, prog_name="ares", standalone_mode=False
        )
        sys.stdout.flush()
    except SystemExit as leaving:  # Typer and Rich turn a broken pipe into an exit of their own
        if isinstance(leaving.__context__, BrokenPipeError):
            return _reader_gone()
        return leaving.code if isinstance(leaving.code, int) else EXIT_BUG
    except (KeyboardInterrupt, typer.Abort):
        return EXIT_INTERRUPT
    except BrokenPipeError:
        return _reader_gone()
    except Exception as error:
        return exit_code_of(error)
    return answer if type(answer) is int else EXIT_DONE


class _Nouns(typer.core.TyperGroup):
    """The root group: help shows the table of nouns, a call imports the one noun called."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        for name, noun in NOUNS.items():
            self.add_command(typer.core.TyperCommand(name, help=noun.help), name)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return the noun's real command in place of the stand-in that help shows."""
        name, stand_in, rest = super().resolve_command(ctx, args)
        return name, load(name) if name in NOUNS else stand_in, rest


def load(name: str) -> Any:
    """Import a noun and return its command."""
    noun = NOUNS[name]
    target = getattr(importlib.import_module(noun.module), noun.attribute)
    if isinstance(target, typer.Typer):
        group = typer.main.get_group(target)
        group.name, group.help = name, group.help or noun.help
        return group
    single = typer.Typer(add_completion=False)
    single.command(name)(target)
    return typer.main.get_command(single)


app = typer.Typer(
    cls=_Nouns,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _root(
    ctx: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and leave."),
) -> None:
    """Ares takes a machine-learned trading model from training to real money, and keeps it there
    safely.
    """
    if version:
        print(f"ares {__version__}")
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        print(ctx.get_help())


def exit_code_of(error: Exception) -> int:
    """Print what went wrong, as one line where a person can do something about it; return the
    exit code.
    """
    if isinstance(error, AresError):
        error_line(str(error))
        return error.exit_code
    if isinstance(error, typer.TyperException):  # an unknown option, a missing argument
        text = error.format_message()
        path = getattr(getattr(error, "ctx", None), "command_path", "ares")
        if text.strip():
            text = text.strip().rstrip(".")
            error_line(f"{text}{'' if text.endswith('?') else '.'} Try '{path} --help'.")
        return EXIT_MISTAKE
    trouble = _disk_trouble(error) or _database_trouble(error)
    if trouble:
        error_line(trouble)
        return EXIT_TROUBLE
    traceback.print_exception(error)
    error_line(f"this is a bug in Ares {__version__}: please report it with the lines above")
    return EXIT_BUG


_DISK = {
    errno.ENOSPC: "the disk is full: make room and run the command again",
    errno.EDQUOT: "the disk quota is used up: make room and run the command again",
    errno.EROFS: "the disk is read-only: choose a folder that can be written",
    errno.EACCES: "permission denied: check who owns the file or folder",
    errno.EPERM: "permission denied: check who owns the file or folder",
    errno.EIO: "the disk does not answer (input/output error): check the disk",
}


def _disk_trouble(error: BaseException) -> str | None:
    if not isinstance(error, OSError) or error.errno not in _DISK:
        return None
    place = f"{error.filename}: " if error.filename else ""
    return place + _DISK[error.errno]


def _database_trouble(error: BaseException) -> str | None:
    """Return a line for a locked, full or broken database; a wrong query stays a bug.

    Both libraries are looked up among the modules already imported: an error of theirs cannot
    exist before they do, and ``ares --help`` need not load them.
    """
    for library in ("sqlalchemy.exc", "sqlite3"):
        module = sys.modules.get(library)
        if module is None:
            continue
        operational, broken = module.OperationalError, module.DatabaseError
        if isinstance(error, operational) or type(error) is broken:
            reason = str(getattr(error, "orig", None) or error).splitlines()[0]
            return (
                f"the database does not do its work ({reason}): see that nobody holds it, "
                "that the disk has room, and that the file is whole"
            )
    return None


def _reader_gone() -> int:
    """Point stdout at nothing, so that the interpreter's last flush cannot fail."""
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - lives to the end
    return EXIT_PIPE
