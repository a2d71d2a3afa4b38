"""docs/MODELS.md: its code makes a graph that the import takes, its names are the contract's."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from ares.adapters.onnx_model import INPUT, OUTPUT
from ares.bootstrap.lifecycle import import_onnx
from ares.config.workspace import Workspace
from ares.domain.package import CARD_FILE, GRAPH_FILE
from ares.kernel.features import FEATURE_NAMES, N_FEATURES
from ares.sim.hours import hours

PAGE = Path(__file__).parents[2] / "docs" / "MODELS.md"


def test_the_page_names_the_contract() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert f"| input | `{INPUT}` | float32 | `[n, {N_FEATURES}]`" in text
    assert f"| output | `{OUTPUT}` | float32 | `[n, 1]` |" in text
    assert f"`{GRAPH_FILE}`" in text
    assert f"`{CARD_FILE}`" in text


def test_the_pages_graph_is_taken_in(
    tmp_path: Path, workspace_of: Callable[..., Workspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for seed, symbol in enumerate(("BTCUSDT", "ETHUSDT")):
        bars = hours(seed, 1.0, 2_000).bars
        columns = ("open", "high", "low", "close", "volume")
        table = {"ts": bars.ts_ms} | {name: getattr(bars, name) for name in columns}
        pl.DataFrame(table).write_parquet(tmp_path / f"{symbol}_1h.parquet")
    names: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    for number, block in enumerate(blocks):
        exec(compile(block, f"MODELS.md block {number + 1}", "exec"), names)
    workspace = workspace_of(tmp_path / "w", n=600)
    converted, _ = import_onnx(workspace, tmp_path / "sklearn.onnx", "ETH/USDT", "1h")
    assert converted.package.card.origin == "imported"
    done, _ = import_onnx(workspace, tmp_path / "mine.onnx", "ETH/USDT", "1h")
    assert done.package.card.features == FEATURE_NAMES
    assert done.package.card.reference == "binance:BTC/USDT"
    assert done.ensemble.instrument == "binance:ETH/USDT"
