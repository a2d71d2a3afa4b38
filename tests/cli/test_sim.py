"""``ares sim candles``: a world that can be imported, the same for the same seed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from ares.cli.main import main
from ares.sim.hours import hours


def ares(*args: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(list(args))
    return int(left.value.code or 0)


def test_a_world_is_written_once_and_as_drawn(tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "w.parquet"
    message = ("sim", "candles", str(out), "--years", "0.2", "--turns", "0.1", "--seed", "3")
    assert ares(*message, "--json") == 0
    output = json.loads(capsys.readouterr().out)
    frame = pl.read_parquet(out)
    n = len(frame)
    assert output["bars"] == n == 1_753
    made = hours(3, 1.0, n, turns_at=877)
    assert np.array_equal(frame["close"].to_numpy(), made.bars.close)
    assert ares(*message) == 2  # it is there already
    assert "already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (["w.txt"], "ends in"),
        (["nowhere/w.csv"], "no such folder"),
        (["w.csv", "--years", "0"], "--years"),
        (["w.csv", "--turns", "9"], "--turns"),
    ],
)
def test_an_error_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, wrong: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert ares("sim", "candles", *wrong) == 2
    message = capsys.readouterr().err
    assert words in message
    assert len(message.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_what_is_planted_turns(tmp_path: Path) -> None:
    """Before the turn a fall is followed by a rise on average, after it by a fall."""
    n = 20_000
    world = hours(1, 3.0, n, turns_at=n // 2)
    change = np.diff(np.log(world.bars.close))
    low = world.away[:-1] < -1.8
    first, second = low & (np.arange(n - 1) < n // 2), low & (np.arange(n - 1) >= n // 2)
    assert change[first].mean() > 0.0005
    assert change[second].mean() < -0.0005
