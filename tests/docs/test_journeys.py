"""The journeys of README and JOURNEY run as they stand there, line by line, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXIT_NO = 1
CANDLES = ("BTCUSDT_1m_202303_202305.parquet", "ETHUSDT_1m_202303_202305.parquet")


def blocks(page: str) -> list[list[str]]:
    """Return the lines of each code block that makes a workspace."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.findall(r"```\n(ares init .*?)```", text, re.DOTALL)
    return [block.splitlines() for block in found]


def run(lines: list[str], folder: Path, environ: dict[str, str]) -> list[tuple[str, int, str]]:
    """Run the lines in one shell; return each with its exit code and what it printed."""
    bin_ = folder / "bin"
    bin_.mkdir()
    (bin_ / "ares").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ares "$@"\n')
    (bin_ / "ares").chmod(0o755)
    script = "".join(f"{line}\nprintf '\\n@@%d@@\\n' $?\n" for line in lines)
    environ = {**os.environ, "PATH": f"{bin_}:{os.environ['PATH']}", "COLUMNS": "120", **environ}
    environ.pop("ARES_WORKSPACE", None)
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environ, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    parts = re.split(r"\n@@(\d+)@@\n", done.stdout)
    return [
        (line, int(code), out)
        for line, out, code in zip(lines, parts[::2], parts[1::2], strict=False)
    ]


def check(answers: list[tuple[str, int, str]], lines: list[str]) -> None:
    """Every line ran, none with a traceback, a mistake or trouble outside of Ares."""
    assert len(answers) == len(lines)
    for line, code, out in answers:
        assert code <= EXIT_NO, f"{line}\nexit code {code}\n{out}"
        assert "Traceback" not in out, out


def answer(answers: list[tuple[str, int, str]], command: str) -> tuple[int, str]:
    """Return the exit code and output of the line that holds ``command``."""
    ((code, out),) = [(code, out) for line, code, out in answers if command in line]
    return code, out


@pytest.mark.slow
@pytest.mark.timeout(1_800)  # minutes where the machine is busy
def test_the_journey_through_a_synthetic_market(tmp_path: Path) -> None:
    lines = blocks("docs/JOURNEY.md")[0]
    answers = run(lines, tmp_path, {})
    check(answers, lines)
    assert [code for _, code, _ in answers] == [0] * len(lines), answers
    _, out = answer(answers, "ares models validate")
    assert "Passed:" in out, out
    assert "is champion in history" in out, out
    _, out = answer(answers, "--run life")
    for stage in ("shadow", "canary", "champion", "promoted", "withdrawn"):
        assert stage in out, out
    _, out = answer(answers, "ares certify")
    assert "Certified:" in out, out
    assert "byte-equal effects" in out, out


@pytest.mark.slow
@pytest.mark.timeout(1_800)  # minutes where the machine is busy
@pytest.mark.data
def test_the_journey_over_real_candles(tmp_path: Path, ares_data: Path) -> None:
    lines = blocks("docs/JOURNEY.md")[1]
    answers = run(lines, tmp_path, {"CANDLES": str(ares_data / "binance")})
    check(answers, lines)
    _, out = answer(answers, "ares certify")
    assert "Certified:" in out, out
    _, out = answer(answers, "ares train")
    assert "no edge" in out.lower(), out


@pytest.mark.slow
@pytest.mark.timeout(1_800)  # minutes where the machine is busy
@pytest.mark.data
def test_the_commands_of_the_readme(tmp_path: Path, ares_data: Path) -> None:
    (tmp_path / "candles").mkdir()
    for name in CANDLES:
        (tmp_path / "candles" / name).symlink_to(ares_data / "binance" / name)
    (tmp_path / "candles" / "notes.txt").write_text("no candles here\n")
    (lines,) = blocks("README.md")
    answers = run(lines, tmp_path, {})
    check(answers, lines)
    code, out = answer(answers, "ares data import")
    assert "notes.txt" in out, out
    code, out = answer(answers, "ares certify")
    assert (code, "Certified:" in out) == (0, True), out
    assert (tmp_path / "w" / "out.html").stat().st_size > 100_000
