"""A workspace that an earlier version wrote is opened: its models, verdict, champion and run.

The archive is made by ``scripts/make_fixture.py`` when formats change on purpose, and only then.
Where the code has changed since, its run is read from its journal, and is not computed again.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from ares.cli.main import run
from ares.config.workspace import Workspace
from ares.journal.run import setup_of
from ares.observe.run_report import report_run
from ares.runtime.engine.code_version import changed_code
from ares.runtime.validation.verdict_file import read_verdict

ARCHIVE = Path(__file__).parent / "fixtures" / "workspace.tar.xz"
BYTES_MAX = 600_000

Ares = Callable[..., tuple[int, str, str]]


@pytest.fixture
def root(archived_root: Path) -> Path:
    return archived_root


@pytest.fixture
def facts(root: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((root / "fixture.json").read_text())
    return content


@pytest.fixture
def ares(root: Path, monkeypatch: pytest.MonkeyPatch) -> Ares:
    monkeypatch.setenv("ARES_WORKSPACE", str(root))

    def call(*arguments: str) -> tuple[int, str, str]:
        out, err = StringIO(), StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = run(list(arguments))
        return code, out.getvalue(), err.getvalue()

    return call


def changed(root: Path, facts: dict[str, Any]) -> list[str]:
    """Return which parts of Ares have changed since the fixture's run."""
    setup = setup_of(Workspace(root).journal_dir / "history" / facts["run"])
    assert setup is not None
    return changed_code(setup.hashes)


def test_the_archive_is_small_and_names_no_machine() -> None:
    assert ARCHIVE.stat().st_size < BYTES_MAX
    with tarfile.open(ARCHIVE, mode="r:xz") as tar:
        members = tar.getmembers()
        names = [member.name for member in members]
        assert names == sorted(names, key=lambda name: name.split("/"))
        assert {(member.uid, member.gid, int(member.mtime)) for member in members} == {(0, 0, 0)}
        for member in members:
            file = tar.extractfile(member)
            assert file is not None
            content = file.read()
            for path in (b"/home/", b"/root/", b"/tmp/", os.fsencode(Path.home())):
                assert path not in content, member.name


def test_its_models_and_champion_are_listed(ares: Ares, facts: dict[str, Any]) -> None:
    code, out, err = ares("models", "list", "--json")
    assert (code, err) == (0, "")
    assert facts["ensemble"] in out
    code, out, err = ares("models", "show", facts["symbol"], "--json")
    assert (code, err) == (0, "")
    assert facts["ensemble"] in out
    assert "champion" in out


def test_its_candles_are_all_there(ares: Ares) -> None:
    code, out, err = ares("data", "list", "--json")
    assert (code, err) == (0, "")
    (series,) = json.loads(out)
    assert (series["instrument"], series["interval"]) == ("simulated:BTC/USDT", "1h")
    assert series["bars"] == 3_600
    assert ares("data", "check")[0] == 0


def test_its_models_are_listed_with_the_champion_and_the_verdict(
    ares: Ares, facts: dict[str, Any]
) -> None:
    code, out, err = ares("models", "list", "--json")
    assert (code, err) == (0, "")
    rows = json.loads(out)
    assert {row["kind"] for row in rows} == {"ensemble", "package"}
    (ensemble,) = [row for row in rows if row["kind"] == "ensemble"]
    assert ensemble["champion_in"] == ["history"]
    (verdict,) = ensemble["verdicts"]
    assert (verdict["passed"], bool(verdict["failed"])) == (facts["verdict_passed"], True)


def test_its_model_has_its_history(ares: Ares, facts: dict[str, Any]) -> None:
    code, out, err = ares("models", "show", facts["symbol"])
    assert code == 0
    assert err == f"{facts['symbol']}: {facts['ensemble'][:12]}, the newest with a verdict\n"
    for record in ("refused by the gate", "promoted (forced)", "fixture"):
        assert record in out, out


def test_its_model_is_still_scored(ares: Ares, facts: dict[str, Any]) -> None:
    window = ("--from", "2020-05-01", "--to", "2020-05-08")
    code, out, err = ares("backtest", "-s", facts["symbol"], *window, "--no-db", "--json")
    assert code == 0, err
    assert json.loads(out)["bars"] == 7 * 24


def test_its_verdict_is_read(root: Path, facts: dict[str, Any]) -> None:
    path = Workspace(root).models_dir / "verdicts" / facts["verdict_file"]
    verdict = read_verdict(path.read_bytes(), path.name)
    assert (verdict.ensemble, verdict.verdict.passed) == (
        facts["ensemble"], facts["verdict_passed"],
    )  # fmt: skip


def test_the_report_of_its_run_is_what_it_was(root: Path, facts: dict[str, Any]) -> None:
    report = report_run(Workspace(root).journal_dir / "history" / facts["run"])
    (instrument,) = report.instruments
    assert {
        "events": report.events,
        "orders": report.orders,
        "fills": report.fills,
        "equity_end": report.equity_end,
        "real_trades": instrument.real.trades,
        "virtual_trades": instrument.virtual.trades,
    } == {name: facts[name] for name in
          ("events", "orders", "fills", "equity_end", "real_trades", "virtual_trades")}  # fmt: skip
    assert instrument.real.trades + instrument.virtual.trades > 0


def test_its_arms_are_compared(ares: Ares, facts: dict[str, Any]) -> None:
    code, out, err = ares("models", "ab", "--json")
    assert (code, err) == (0, "")
    assert facts["ensemble"] in out


def test_a_bar_of_its_run_is_explained(root: Path, ares: Ares, facts: dict[str, Any]) -> None:
    code, out, err = ares("why", facts["symbol"], "--json")
    assert (code, err) == (0, "")
    why = json.loads(out)
    assert (why["environment"], why["slot"]) == (f"history/{facts['run']}", "champion")
    assert ("another version of Ares" in why["sentence"]) == bool(changed(root, facts))
    assert ares("why", facts["symbol"])[0] == 0


@pytest.mark.parametrize("command", ["certify", "restep"])
def test_its_run_is_computed_again_by_the_same_code_and_no_other(
    root: Path, ares: Ares, facts: dict[str, Any], command: str
) -> None:
    code, out, err = ares(command, "--json")
    if changed(root, facts):
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert f"history/{facts['run']} was made by another version of Ares" in err
    else:
        assert (code, json.loads(out)["mismatches"]) == (0, 0), err


def test_other_code_is_reported_in_one_line_and_the_journal_is_still_explained(
    ares: Ares, facts: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it will be once the code has changed, whatever it is now."""
    where = "ares.runtime.replay.epochs.changed_code"
    monkeypatch.setattr(where, lambda _hashes: ["kernel", "engine"])
    for command in ("certify", "restep"):
        code, out, err = ares(command)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "(kernel and engine differ)" in err
    code, out, err = ares("why", facts["symbol"], "--json")
    assert (code, err) == (0, "")
    why = json.loads(out)
    assert "kernel and engine differ" in why["sentence"]
    assert (why["votes"], why["limits"]) == ([], {})
    assert ares("why", facts["symbol"])[0] == 0


def test_a_missing_package_is_exit_code_3_in_every_command(
    root: Path, facts: dict[str, Any], ares: Ares
) -> None:
    shutil.rmtree(root / "models" / "packages" / "simulated_BTC-USDT_4h")
    for command in (
        ("models", "list"),
        ("run", "--run", "other"),
        ("backtest", "--no-db"),
        ("models", "promote", facts["ensemble"][:12], "--to", "paper", "--force", "--reason", "x"),
    ):
        code, _, err = ares(*command)
        assert code == 3, command
        assert "simulated_BTC-USDT_4h/20260101_000000 is missing: restore it" in err


def test_nothing_to_roll_back_is_exit_code_1(root: Path, facts: dict[str, Any], ares: Ares) -> None:
    for env, message in (("history", "no former champion"), ("live", "nothing can be rolled back")):
        code, _, err = ares("models", "rollback", "--env", env)
        assert (code, message in err) == (1, True)


PROMOTE_ON_A_FULL_DISK = """
import resource, signal, sys
from ares.cli.main import run
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
sys.exit(run(["models", "promote", sys.argv[2], "--to", "paper", "--force", "--reason", "x"]))
"""


@pytest.mark.parametrize("bytes_max", [0, 500, 20_000])
def test_a_full_disk_at_promote_is_exit_code_3(
    root: Path, facts: dict[str, Any], bytes_max: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROMOTE_ON_A_FULL_DISK, str(bytes_max), facts["ensemble"][:12]],
        env={**os.environ, "ARES_WORKSPACE": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
