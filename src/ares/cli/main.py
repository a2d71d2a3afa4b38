"""The ``ares`` command: its nouns, each imported only when it is called, and its exit codes."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Any, NamedTuple

import typer
import typer.core
import typer.main

from ares import __version__
from ares.cli.os_errors import line_of_os_error
from ares.cli.other_words import hint_of
from ares.cli.output import error_line
from ares.config.telemetry import switch_off
from ares.domain.errors import AresError, UserError

EXIT_DONE, EXIT_USER, EXIT_EXTERNAL, EXIT_BUG, EXIT_INTERRUPT, EXIT_PIPE = 0, 2, 3, 70, 130, 141


class Noun(NamedTuple):
    """A command: ``attribute`` of ``module`` is a Typer app or a function."""

    module: str
    attribute: str
    help: str


NOUNS = {
    "init": Noun(
        "ares.cli.init", "command", "Create a workspace: ares.yaml, .env.example, folders."
    ),
    "demo": Noun(
        "ares.cli.demo",
        "command",
        "Everything in one run: candles, models, backtest, engine, report.",
    ),
    "config": Noun("ares.cli.config", "app", "Show, check and change the settings."),
    "data": Noun(
        "ares.cli.data", "app", "Candles and external series: import, fetch, list, check."
    ),
    "news": Noun("ares.cli.news", "app", "News: import, fetch, list, check."),
    "train": Noun("ares.cli.train", "command", "Train candidate models and report their evidence."),
    "sweep": Noun("ares.cli.sweep", "command", "Try many recipes; each counts as a trial."),
    "models": Noun(
        "ares.cli.models",
        "app",
        "Models: list, show, add, compare, validate, promote, rollback, archive, export, import.",
    ),
    "deploy": Noun(
        "ares.cli.deploy",
        "app",
        "Put a model into production by restart: install, rollback, status.",
    ),
    "backtest": Noun("ares.cli.backtest", "command", "Backtest a model, a strategy or a baseline."),
    "run": Noun(
        "ares.cli.run",
        "command",
        "Run the engine: history, paper, rehearsal, live.",
    ),
    "up": Noun(
        "ares.cli.up", "command", "Keep an environment's processes running; --status shows them."
    ),
    "recover": Noun(
        "ares.cli.recover", "command", "Recover from a fault: database, venue, feed, model, ..."
    ),
    "drill": Noun(
        "ares.cli.drill", "command", "Rehearse kill, lost venue, lost database, restore, flatten."
    ),
    "runs": Noun("ares.cli.runs", "app", "Runs of the engine: list, show, report, compare."),
    "backtests": Noun("ares.cli.backtests", "app", "Stored backtests: list, show, compare."),
    "status": Noun(
        "ares.cli.status", "command", "The running engine: data, positions, orders, halts."
    ),
    "kill": Noun(
        "ares.cli.kill", "command", "Stop now, whatever state the engine is in; --flatten sells."
    ),
    "watchdog": Noun(
        "ares.cli.watchdog", "command", "Watch an engine: end it and act where it gives no sign."
    ),
    "halt": Noun("ares.cli.control", "halt", "Halt entries of the running engine."),
    "resume": Noun("ares.cli.control", "resume", "Allow entries again after a halt."),
    "flatten": Noun("ares.cli.control", "flatten", "Sell everything, and halt entries."),
    "force-exit": Noun("ares.cli.control", "force_exit", "Sell the position in one symbol now."),
    "settle": Noun("ares.cli.control", "settle", "Settle differences between ledger and venue."),
    "snapshot": Noun("ares.cli.control", "snapshot", "Write a snapshot of the engine's state."),
    "stop": Noun("ares.cli.control", "stop", "Stop the running engine cleanly."),
    "breakers": Noun("ares.cli.breakers", "app", "Circuit breakers: status, recover, reset, test."),
    "symbols": Noun("ares.cli.symbols", "app", "Instruments of the running engine: add, remove."),
    "learn": Noun(
        "ares.cli.learn", "app", "Continuous learning of a run: its status, retrain now."
    ),
    "certify": Noun(
        "ares.cli.certify", "command", "Recompute a run by the backtest path and compare."
    ),
    "restep": Noun(
        "ares.cli.restep", "command", "Run a journal through the engine again and compare effects."
    ),
    "journal": Noun("ares.cli.journal", "app", "The journal of a run: verify."),
    "db": Noun("ares.cli.db", "app", "The database: upgrade, check, rebuild the tables."),
    "reconcile": Noun(
        "ares.cli.reconcile", "command", "Show the ledger beside the venue, line by line."
    ),
    "keys": Noun(
        "ares.cli.keys", "app", "API keys of venues, encrypted: set, list, rotate, delete, check."
    ),
    "signer": Noun("ares.cli.signer", "app", "The process that alone holds the keys: run, status."),
    "venues": Noun(
        "ares.cli.venues", "app", "Venues: what they promise and lack, with source and date."
    ),
    "sim": Noun(
        "ares.cli.sim", "app", "Synthetic markets (candles); a market data server (serve, fault)."
    ),
    "why": Noun("ares.cli.why", "command", "Explain a bar: why Ares did, or did not, trade."),
}


def main(args: Sequence[str] | None = None) -> None:
    """Run ``ares`` with ``args`` (None: those of the process) and exit with its exit code."""
    switch_off()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a character that it lacks is escaped
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run(args))


def run(args: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; an error that a user can fix is one line.

    returns : 0 done, 1 the answer is no, 2 invalid input, 3 an external failure (disk, database,
              venue), 70 a bug in Ares (with its traceback), 130 interrupted, 141 broken pipe.
    """
    try:
        answer = typer.main.get_command(app).main(
            list(args) if args is not None else None, prog_name="ares", standalone_mode=False
        )
        sys.stdout.flush()
    except SystemExit as leaving:  # Typer and Rich turn a broken pipe into an exit of their own
        if isinstance(leaving.__context__, BrokenPipeError):
            return _broken_pipe()
        return leaving.code if isinstance(leaving.code, int) else EXIT_BUG
    except (KeyboardInterrupt, typer.Abort):
        return EXIT_INTERRUPT
    except BrokenPipeError:
        return _broken_pipe()
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
        """Return the noun's own command instead of the placeholder that help shows."""
        name, placeholder, rest = super().resolve_command(ctx, args)
        return name, load(name) if name in NOUNS else placeholder, rest


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
    version: bool = typer.Option(False, "--version", help="Print the version."),
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
    """Print an error and return its exit code; a traceback is printed only for a bug."""
    if isinstance(error, AresError):
        text = str(error)
        answer = hint_of(text) if isinstance(error, UserError) else ""
        error_line(f"{text.partition(': ')[0]}: {answer}" if answer else text)
        return error.exit_code
    if isinstance(error, typer.TyperException):  # an unknown option, a missing argument
        text = error.format_message()
        path = getattr(getattr(error, "ctx", None), "command_path", "ares")
        if text.strip():
            text = text.strip().rstrip(".")
            if answer := hint_of(text):
                error_line(f"{text.partition(' Did you mean')[0].rstrip('.')}: {answer}")
                return EXIT_USER
            error_line(f"{text}{'' if text.endswith('?') else '.'} Try '{path} --help'.")
        return EXIT_USER
    code, line = line_of_os_error(error) if isinstance(error, OSError) else (EXIT_BUG, "")
    if line:
        error_line(line)
        return code
    external = "not enough memory" if isinstance(error, MemoryError) else _database_error(error)
    if external:
        error_line(external)
        return EXIT_EXTERNAL
    traceback.print_exception(error)
    error_line(f"this is a bug in Ares {__version__}: please report it with the lines above")
    return EXIT_BUG


def _database_error(error: BaseException) -> str | None:
    """Return a line for a locked, full or damaged database; an invalid query is a bug.

    Both libraries are looked up among the imported modules: their errors cannot occur before the
    import, and ``ares --help`` stays fast without it.
    """
    for library in ("sqlalchemy.exc", "sqlite3"):
        module = sys.modules.get(library)
        if module is None:
            continue
        operational, damaged = module.OperationalError, module.DatabaseError
        if isinstance(error, operational) or type(error) is damaged:
            reason = str(getattr(error, "orig", None) or error).splitlines()[0]
            return (
                f"the database failed ({reason}): check that no other process locks it, that "
                "the disk has free space, and that the file is not damaged"
            )
    return None


def _broken_pipe() -> int:
    """Redirect stdout to the null device, so that the interpreter's last flush cannot fail."""
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - open until exit
    return EXIT_PIPE
