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


@pytest.mark.parametrize("edge", ["nan", "inf", "-inf", "1e9", "-6"])
def test_an_edge_that_would_write_no_prices_is_refused(
    edge: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.parquet"
    assert ares("sim", "candles", str(path), f"--edge={edge}") == 2
    assert "must be between -5 and 5" in capsys.readouterr().err
    assert not path.exists()


@pytest.mark.parametrize("edge", ["-5", "5"])
def test_the_strongest_edges_give_prices_that_can_be_imported(edge: str, tmp_path: Path) -> None:
    path = tmp_path / "SIM_BTCUSDT_1h.parquet"
    assert ares("sim", "candles", str(path), f"--edge={edge}", "--seed", "3") == 0
    bars = pl.read_parquet(path)
    for column in ("open", "high", "low", "close"):
        assert bars[column].is_finite().all()
        assert bars[column].min() > 1e-3  # type: ignore[operator]
        assert bars[column].max() < 1e12  # type: ignore[operator]
