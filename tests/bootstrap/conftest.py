"""A workspace with the settings of a test and, where it needs them, a few hourly candles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from ares.config.workspace import Workspace
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.kernel.bars import Bars
from ares.store.candles import CandleStore
from ares.store.database import open_database

START_MS = 1_672_531_200_000  # 2023-01-01
HOUR_MS = 3_600_000


@pytest.fixture
def workspace_of(tmp_path: Path) -> Callable[..., Workspace]:
    """Return the maker of workspaces: ``bars`` hourly candles of each key, other settings."""

    def make(
        bars: int = 0, keys: tuple[str, ...] = ("binance:BTC/USDT",), **settings: object
    ) -> Workspace:
        root = tmp_path / "w"
        Workspace.init(root)
        content = {"symbols": ["BTC/USDT", "ETH/USDT"], **settings}
        (root / "ares.yaml").write_text(yaml.safe_dump(content))
        workspace = Workspace(root)
        if bars:
            engine = open_database(workspace.db_url)
            store = CandleStore(engine, workspace.cache_dir)
            for key in keys:
                close = np.round(100.0 + np.sin(np.arange(bars) / 9.0), 2).astype(np.float64)
                ts_ms = START_MS + HOUR_MS * np.arange(bars, dtype=np.int64)
                volume = np.full(bars, 1e3)
                spec = InstrumentSpec(Instrument.parse(key), 4, 4)
                store.save(
                    spec,
                    "1h",
                    Bars.make(ts_ms, close, close + 0.5, close - 0.5, close, volume),
                    "made for a test",
                )
            engine.dispose()
        return workspace

    return make
