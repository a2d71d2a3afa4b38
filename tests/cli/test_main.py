"""The command line's manners: quick help, one line for a mistake, exit codes that scripts read."""

from __future__ import annotations

import errno
import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy.exc
import typer

from ares import __version__
from ares.cli.main import NOUNS, exit_code_of, load, run
from ares.domain.errors import AresError, ExternalError, UserError

HEAVY = {
    *("numpy", "numba", "pandas", "polars", "scipy", "sklearn", "lightgbm", "onnxruntime"),
    *("mlflow", "sqlalchemy", "alembic", "matplotlib", "ccxt", "pydantic", "yaml", "asyncio"),
}
SLEEPER = """
import signal, sys, time, types
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have had it ignored
import ares.cli.main as main
noun = types.ModuleType("nap")
def command() -> None:
    print("asleep", flush=True)
    time.sleep(60)
noun.command = command
sys.modules["nap"] = noun
main.NOUNS["nap"] = main.Noun("nap", "command", "Sleep.")
main.main(["nap"])
"""


def ares(*args: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ares", *args],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def one_line(text: str) -> bool:
    return text.startswith("ares: ") and text.count("\n") == 1


def test_help_lists_every_noun_and_exits_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    for name in NOUNS:
        assert f" {name} " in shown
    assert run([]) == 0
    assert capsys.readouterr().out == shown


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"ares {__version__}\n"


def imported_by(statement: str) -> set[str]:
    code = f"import sys, json; {statement}; print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return set(json.loads(done.stderr)) & HEAVY


def test_help_imports_nothing_heavy() -> None:
    assert imported_by("from ares.cli.main import run; run(['--help'])") == set()


def test_loading_every_noun_imports_nothing_heavy() -> None:
    assert imported_by("from ares.cli.main import NOUNS, load; [load(n) for n in NOUNS]") == set()


@pytest.mark.parametrize("name", NOUNS)
def test_every_noun_loads_and_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert load(name).name == name
    assert run([name, "--help"]) == 0
    assert f"ares {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "part"),
    [
        (["trian"], "Did you mean 'train'?"),
        (["--nope"], "--nope"),
        (["config", "shaw"], "Did you mean 'show'?"),
        (["config", "show", "--nope"], "Try 'ares config show --help'."),
        (["init", "a", "b"], "b"),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_2(
    args: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(args) == 2
    shown = capsys.readouterr()
    assert one_line(shown.err)
    assert part in shown.err
    assert shown.out == ""


def test_outside_a_workspace_the_error_names_init(tmp_path: Path) -> None:
    done = ares("config", "show", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "ares: no workspace here: run `ares init`, or change to the folder of a workspace\n"
    )


@pytest.mark.parametrize(
    ("error", "code", "part"),
    [
        (UserError("bars.csv: no column 'close'"), 2, "no column 'close'"),
        (ExternalError("the venue\nis down"), 3, "the venue is down"),
        (AresError("trouble"), 3, "trouble"),
        (OSError(errno.ENOSPC, "No space left", "ares.db"), 3, "ares.db: the disk is full"),
        (OSError(errno.EROFS, "Read-only", "w"), 3, "w: the disk is read-only"),
        (PermissionError(errno.EACCES, "Permission denied", "x"), 3, "x: permission denied"),
        (OSError(errno.ENAMETOOLONG, "too long", "y" * 300), 2, "yyyy: the name is too long"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", ".x1", None, "x"), 2, "x: is a folder"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "x"), 2, "a part of the path"),
        (FileNotFoundError(errno.ENOENT, "No such file", "/proc/x.csv"), 3, "no file can be"),
        (FileNotFoundError(errno.ENOENT, "No such file"), 3, "the current folder does not exist"),
        (FileNotFoundError("No such file (os error 2): /proc/x.parquet"), 3, "/proc/x.parquet: no"),
        (OSError("No space left on device (os error 28)"), 3, "the disk is full"),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset"), 3, "connection reset: check"),
        (MemoryError(), 3, "not enough memory"),
        (sqlite3.OperationalError("database is locked"), 3, "database is locked"),
        (sqlite3.DatabaseError("file is not a database"), 3, "file is not a database"),
        (
            sqlalchemy.exc.OperationalError("SELECT 1", {}, sqlite3.OperationalError("disk I/O")),
            3,
            "(disk I/O)",
        ),
        (
            sqlalchemy.exc.DatabaseError("SELECT 1", {}, sqlite3.DatabaseError("malformed")),
            3,
            "(malformed)",
        ),
        (typer.BadParameter("no such thing"), 2, "no such thing"),
    ],
)
def test_an_external_failure_is_one_line_with_its_exit_code(
    error: Exception, code: int, part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code_of(error) == code
    shown = capsys.readouterr().err
    assert one_line(shown)
    assert part in shown


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a broken invariant"),
        FileNotFoundError(errno.ENOENT, "gone", "x"),
        OSError("an error without a number"),
        sqlalchemy.exc.IntegrityError("INSERT", {}, sqlite3.IntegrityError("UNIQUE")),
        sqlalchemy.exc.ProgrammingError("SELEKT", {}, sqlite3.ProgrammingError("syntax")),
    ],
)
def test_a_bug_prints_its_traceback(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(error) == 70
    shown = capsys.readouterr().err
    assert type(error).__name__ in shown
    assert "this is a bug in Ares" in shown


def test_ctrl_c_prints_nothing() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SLEEPER], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "asleep\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err == ""


def test_a_full_disk_at_stdout_is_one_line(tmp_path: Path) -> None:
    assert ares("init", cwd=tmp_path).returncode == 0
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "ares", "config", "show", "--json"],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 3
    assert one_line(done.stderr)
    assert "the disk is full" in done.stderr


def test_a_broken_pipe_is_not_an_error(tmp_path: Path) -> None:
    assert ares("init", cwd=tmp_path).returncode == 0
    for args in (["config", "show"], ["config", "show", "--json"], ["--help"]):
        read_end, write_end = os.pipe()
        os.close(read_end)
        done = subprocess.run(
            [sys.executable, "-m", "ares", *args],
            cwd=tmp_path,
            stdout=write_end,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
        os.close(write_end)
        assert (done.returncode, done.stderr) == (141, "")


def test_the_telemetry_of_dependencies_is_off_before_they_are_imported() -> None:
    code = (
        "import os, sys; import ares.cli.main as m\n"
        "try: m.main(['--version'])\n"
        "except SystemExit: pass\n"
        "print(os.environ['ORT_DISABLE_TELEMETRY'], os.environ['MLFLOW_DISABLE_TELEMETRY'],"
        " os.environ['RAY_USAGE_STATS_ENABLED'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[1] == "1 true 0"


def test_a_terminal_without_some_characters_gets_them_escaped(tmp_path: Path) -> None:
    assert ares("init", cwd=tmp_path).returncode == 0
    done = subprocess.run(
        [sys.executable, "-m", "ares", "data", "import", "wörk"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "no such file or folder" in done.stderr
