"""``ares run --env paper``, as typed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ares.cli.main import run

STORED = ("run", "--env", "paper", "--feed", "stored", "--from", "2020-05-01")


@pytest.fixture
def here(archived_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(archived_root)
    return archived_root


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--speed", "0"), "--speed 0: a number of times real time"),
        (("--speed", "fast"), "--speed fast: a number of times real time"),
        (("--feed", "tape"), "--feed tape: venue or stored"),
        (("-s", "DOGE/USDT"), "DOGE/USDT"),
    ],
)
def test_bad_input_is_one_line(
    here: Path, capsys: Any, words: tuple[str, ...], message: str
) -> None:
    assert run([*STORED, *words]) == 2
    out = capsys.readouterr()
    assert message in out.err
    assert len(out.err.strip().splitlines()) == 1


def test_it_runs_to_the_end_of_the_stored_candles(here: Path, capsys: Any) -> None:
    words = [*STORED, "--to", "2020-05-02", "--speed", "100000"]
    assert run(words) == 0
    out = capsys.readouterr().out
    assert "paper begins: simulated:BTC/USDT" in out
    assert "stopped (the feed has ended): 24 closing instants, state saved" in out
    assert run(words) == 0
    assert "paper continues" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_cleanly(here: Path, number: signal.Signals) -> None:
    words = [sys.executable, "-m", "ares", *STORED, "--speed", "1"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert "paper begins" in process.stdout.readline()
    process.send_signal(number)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert f"stopped ({number.name})" in out
