"""scripts/find_python.sh: which interpreter a path or a name stands for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "find_python.sh"
VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"


def find(name: str, path: str = "/usr/bin:/bin", pyenv: Path | None = None) -> tuple[int, str]:
    """Return the exit code and the output, in an environment of the test's own."""
    environment = {"PATH": path, "HOME": "/nonexistent"}
    if pyenv is not None:
        environment["PYENV_ROOT"] = str(pyenv)
    done = subprocess.run(
        ["/bin/sh", str(SCRIPT), name],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=60,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.strip()


def test_a_path_is_taken_as_it_is() -> None:
    assert find(sys.executable) == (0, f"{VERSION} {sys.executable}")


def test_a_name_is_looked_up_in_path_then_in_pyenv(tmp_path: Path) -> None:
    versions = tmp_path / "versions" / "3.99.1" / "bin"
    versions.mkdir(parents=True)
    interpreter = versions / "python"
    interpreter.symlink_to(sys.executable)
    assert find("python3.99", pyenv=tmp_path)[0] == 0
    assert find("python3.98", pyenv=tmp_path) == (1, "")
    shims = tmp_path / "shims"
    shims.mkdir()
    broken = shims / "python3.99"  # as pyenv's for a version that is not selected
    broken.write_text("#!/bin/sh\necho 'command not found' >&2; exit 127\n")
    broken.chmod(0o755)
    path = os.pathsep.join([str(shims), "/usr/bin", "/bin"])
    assert find("python3.99", path, tmp_path)[0] == 0
    assert find("python3.99", path) == (1, "")


def test_an_older_python_is_none(tmp_path: Path) -> None:
    old = tmp_path / "python3.9"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    assert find(str(old)) == (1, "")
