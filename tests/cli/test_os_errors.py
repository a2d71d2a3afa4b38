"""What the operating system refuses: one line that names the path, and an exit code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.test_main import one_line

from ares.cli.main import run

LONG = "x" * 300


@pytest.mark.parametrize(
    ("args", "code", "part"),
    [
        (("sim", "candles", "/proc/x.parquet"), 3, "/proc/x.parquet: no file can be created here"),
        (("sim", "candles", f"{LONG}.parquet"), 2, "the name is too long"),
        (("init", "/proc/x"), 3, "/proc/x: no file can be created here"),
        (("init", LONG), 2, "the name is too long"),
        (("data", "import", LONG), 2, "the name is too long"),
        (("models", "import", f"{LONG}.onnx", "-s", "BTC/USDT", "-i", "1h"), 2, "too long"),
        (("run", "--run", LONG), 2, "--run: the name has 300 characters"),
        (("models", "export", "x", "y.tar.gz"), 2, "y.tar.gz: write a name that ends in .zip"),
        (("deploy", "install", "nope.zip"), 2, "nope.zip: there is no such file"),
    ],
)
def test_paths_that_cannot_be_written_or_read_are_one_line(
    args: tuple[str, ...],
    code: int,
    part: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["init"]) == 0
    capsys.readouterr()
    before = sorted(tmp_path.rglob("*"))
    assert run([*args]) == code
    shown = capsys.readouterr().err
    assert one_line(shown), shown
    assert part in shown
    assert {path.name for path in set(tmp_path.rglob("*")) - set(before)} <= {"ares.db"}


def test_synthetic_candles_on_a_full_disk_leave_no_file(tmp_path: Path) -> None:
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, 9_000));"
        "from ares.cli.main import run; sys.exit(run(['sim', 'candles', 'a.parquet']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert one_line(done.stderr), done.stderr
    assert list(tmp_path.iterdir()) == []
