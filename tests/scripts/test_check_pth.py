"""scripts/check_pth.py: .pth files that no locked package brought are found."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def check(load_script: Callable[[str], ModuleType]) -> ModuleType:
    return load_script("check_pth")


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """Return a virtual environment with one locked package, whose .pth file holds a path."""
    install(tmp_path, "Good_Package", "good.pth", b"/somewhere/src\n")
    (tmp_path / "lock").write_text("good-package==1.0 \\\n    --hash=sha256:00\nother==2 ; x\n")
    return tmp_path


def install(environment: Path, package: str, name: str, content: bytes) -> Path:
    site = environment / "lib" / "python3.11" / "site-packages"
    info = site / f"{package}-1.0.dist-info"
    info.mkdir(parents=True)
    (site / name).write_bytes(content)
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
    (info / "RECORD").write_text(f"{name},sha256={digest},{len(content)}\n{package}/a.py,,\n")
    return site


def run(check: ModuleType, environment: Path) -> int:
    code = check.main([str(environment), str(environment / "lock")])
    assert isinstance(code, int)
    return code


def test_a_path_of_a_locked_package_is_accepted(check: ModuleType, environment: Path) -> None:
    assert run(check, environment) == 0


@pytest.mark.parametrize("name", ["stray.pth", ".hidden.pth"])
def test_a_file_of_no_package_is_one_line(
    check: ModuleType, environment: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (environment / "lib" / "python3.11" / "site-packages" / name).write_text("/elsewhere\n")
    assert run(check, environment) == 1
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert f"{name} belongs to no package of the lock" in line


def test_a_package_outside_the_lock_vouches_for_nothing(
    check: ModuleType, environment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(environment, "stranger", "stranger.pth", b"/x\n")
    assert run(check, environment) == 1
    assert "stranger.pth belongs to no package of the lock" in capsys.readouterr().err


def test_a_changed_file_is_found(
    check: ModuleType, environment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = environment / "lib" / "python3.11" / "site-packages" / "good.pth"
    path.write_text("/somewhere/else\n")
    assert run(check, environment) == 1
    assert "good.pth was changed after good-package was installed" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content", [b"import os\n", b"/a\nimport\tos; print(1)\n", b"\xef\xbb\xbfimport os\n"]
)
def test_code_is_found_even_in_a_locked_package(
    check: ModuleType, environment: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    install(environment, "other", "other.pth", content)
    assert run(check, environment) == 1
    assert "other.pth of other runs code at each start" in capsys.readouterr().err


def test_the_file_of_setuptools_may_import_and_only_from_setuptools(
    check: ModuleType, environment: Path
) -> None:
    install(environment, "setuptools", "distutils-precedence.pth", b"import os\n")
    assert run(check, environment) == 0
    install(environment, "other", "distutils-precedence.pth", b"import os; os\n")
    assert run(check, environment) == 1
