"""The systemd unit: systemd itself finds nothing wrong with it, and it is locked down."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "deploy"
UNIT = FOLDER / "ares.service"
UNITS = sorted(path.name for path in FOLDER.glob("*.service"))

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None,
    reason="systemd-analyze is not here: apt-get install systemd",
)


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def placed(root: Path, text: str, name: str = "ares.service") -> str:
    """Lay the unit and the program that it starts below ``root``; return how analyze names it."""
    program = root / "opt/ares/.venv/bin/ares"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    units = root / "etc/systemd/system"
    units.mkdir(parents=True)
    (units / name).write_text(text)
    system = Path("/usr/lib/systemd/system")
    if not system.is_dir():
        system = Path("/lib/systemd/system")
    shutil.copytree(system, root / "usr/lib/systemd/system", symlinks=True)
    return name


@needs_systemd
@pytest.mark.parametrize("unit", UNITS)
def test_systemd_finds_nothing_wrong(tmp_path: Path, unit: str) -> None:
    name = placed(tmp_path, (FOLDER / unit).read_text(), unit)
    found = analyze("verify", f"--root={tmp_path}", "--man=no", name)
    about_us = [line for line in found.stderr.splitlines() if "ares" in line]
    assert (found.returncode, about_us) == (0, []), found.stderr


@needs_systemd
def test_an_error_in_it_would_be_found(tmp_path: Path) -> None:
    text = UNIT.read_text().replace("NoNewPrivileges=yes", "NoNewPriviledges=yes")
    name = placed(tmp_path, text.replace("bin/ares run", "bin/aress run"))
    found = analyze("verify", f"--root={tmp_path}", "--man=no", name)
    assert "NoNewPriviledges" in found.stderr
    assert found.returncode != 0 or "aress" in found.stderr


@needs_systemd
@pytest.mark.parametrize("unit", UNITS)
def test_it_is_locked_down(tmp_path: Path, unit: str) -> None:
    """Systemd's own measure of exposure, 0 (none) to 100: a unit without hardening has 96."""
    path = tmp_path / unit
    path.write_text((FOLDER / unit).read_text())
    found = analyze("security", "--offline=yes", "--threshold=20", "--no-pager", str(path))
    assert found.returncode == 0, found.stdout[-600:] + found.stderr


def test_what_it_promises() -> None:
    lines = [line for line in UNIT.read_text().splitlines() if line and not line.startswith("#")]
    for wanted in (
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "Restart=on-failure",
        "RestartPreventExitStatus=2",
        "TimeoutStopSec=60",
        "User=ares",
    ):
        assert wanted in lines
    assert not [line for line in lines if line.startswith("WatchdogSec")]
    assert max(map(len, UNIT.read_text().splitlines())) <= 100


def test_a_supervisor_that_is_killed_leaves_its_processes_running() -> None:
    lines = (FOLDER / "ares-up.service").read_text().splitlines()
    for wanted in ("KillMode=process", "Restart=always", "RestartPreventExitStatus=2"):
        assert wanted in lines
    assert UNITS == [
        "ares-signer.service", "ares-up.service", "ares-watchdog.service", "ares.service",
    ]  # fmt: skip
