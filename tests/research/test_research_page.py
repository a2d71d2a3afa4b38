"""The code of docs/RESEARCH.md runs, top to bottom, as it stands there."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from ares.domain.timeframe import Timeframe
from ares.research import Candles

PAGE = Path(__file__).parents[2] / "docs" / "RESEARCH.md"


def write(candles: Candles, path: Path) -> None:
    bars = candles.bars
    names = ("open", "high", "low", "close", "volume")
    columns = {"ts": bars.ts_ms} | {name: getattr(bars, name) for name in names}
    pl.DataFrame(columns).write_parquet(path)


def test_the_page_runs(
    walk: Callable[..., Candles],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for seed, symbol in enumerate(("BTCUSDT", "ETHUSDT")):
        candles = walk(n=4_000, seed=seed, timeframe=Timeframe.H1, step=0.006)
        write(candles, tmp_path / f"{symbol}_1h.parquet")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 5
    names: dict[str, object] = {}
    for number, block in enumerate(blocks):
        exec(compile(block, f"RESEARCH.md block {number + 1}", "exec"), names)
    assert (tmp_path / "report.html").stat().st_size > 200_000
    assert "report.html" in capsys.readouterr().out
