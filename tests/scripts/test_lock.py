"""scripts/lock.sh: an upgrade takes no young release, and none whose age is unknown."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "lock.sh"
UV = """#!/bin/sh
echo "$*" >>asked
[ -z "$WARNING" ] || echo "$WARNING" >&2
for out; do :; done
echo "new" >"$out"
exit ${CODE:-0}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project with two locks, and a uv that writes down what it is asked."""
    for folder in ("scripts", "requirements", "venv/bin"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(SCRIPT, tmp_path / "scripts")
    for name in ("dev", "run"):
        (tmp_path / "requirements" / f"{name}.lock").write_text("old\n")
    uv = tmp_path / "venv" / "bin" / "uv"
    uv.write_text(UV)
    uv.chmod(0o755)
    return tmp_path


def lock(project: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(project / "scripts" / "lock.sh"), "venv", *arguments],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "WARNING": "", **environment},
        check=False,
        timeout=60,
    )


def locks(project: Path) -> list[str]:
    return [path.read_text() for path in sorted((project / "requirements").glob("*.lock"))]


def test_without_an_upgrade_age_is_not_checked(project: Path) -> None:
    assert lock(project).returncode == 0
    assert "--exclude-newer" not in (project / "asked").read_text()
    assert locks(project) == ["new\n", "new\n"]


@pytest.mark.parametrize("argument", ["--upgrade", "-U", "--upgrade-package=numpy", "-Pnumpy"])
def test_an_upgrade_leaves_out_the_last_14_days(project: Path, argument: str) -> None:
    assert lock(project, argument).returncode == 0
    requested = (project / "asked").read_text().splitlines()
    assert len(requested) == 2
    assert all("--exclude-newer 14 days" in line and argument in line for line in requested)


def test_unknown_ages_change_nothing_and_are_one_line(project: Path) -> None:
    warning = "warning: `a.whl` is missing an upload date, but user provided: 2026-01-01"
    done = lock(project, "--upgrade", WARNING=warning)
    assert done.returncode == 1
    assert done.stderr == (
        "lock: the index has no upload times for 1 packages, so their age is unknown: "
        "nothing upgraded\n"
    )
    assert locks(project) == ["old\n", "old\n"]


def test_a_failure_of_uv_changes_nothing_and_is_shown(project: Path) -> None:
    done = lock(project, WARNING="no solution found", CODE="2")
    assert done.returncode == 1
    assert "no solution found" in done.stderr
    assert locks(project) == ["old\n", "old\n"]
