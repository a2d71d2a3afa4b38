"""A workspace with two hourly instruments whose drift can be learned from the time of day."""

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

HOUR = 3_600_000
START_MS = 1_672_531_200_000  # 2023-01-01
MakeWorkspace = Callable[..., Workspace]


def drifting_bars(
    n: int, seed: int, interval_ms: int = HOUR, drift: float = 0.002, volume_least: float = 1.0
) -> Bars:
    """Return bars that tend to rise in the first half of the UTC day, and to fall in the second.

    volume_least : a bar's volume is this to ten times this.
    """
    draw = np.random.default_rng(seed).random((n, 3))  # row by row: more bars, same beginning
    sign = np.where(np.arange(n) * interval_ms % (24 * HOUR) < 12 * HOUR, 1.0, -1.0)
    noise = 0.005 * 12**0.5 * (draw[:, 0] - 0.5)
    close = 100.0 * np.exp(np.cumsum(drift * sign + noise))
    open_ = np.concatenate([[100.0], close[:-1]])
    wiggle = 1.0 + 0.001 * draw[:, 1]
    high, bottom = np.maximum(open_, close) * wiggle, np.minimum(open_, close) / wiggle
    ts = START_MS + np.arange(n, dtype=np.int64) * interval_ms
    o, h, low, c = (np.round(column, 4) for column in (open_, high, bottom, close))
    return Bars.make(ts, o, h, low, c, volume_least + 9.0 * volume_least * draw[:, 2])


def make_workspace(
    root: Path,
    symbols: tuple[str, ...] = ("BTC/USDT", "ETH/USDT"),
    n: int = 1800,
    intervals: tuple[str, ...] = ("1h", "4h"),
    **settings: object,
) -> Workspace:
    """Return a workspace with hourly candles of ``symbols``."""
    Workspace.init(root)
    content = {
        "symbols": list(symbols),
        "timeframes": {"intervals": [{"interval": i, "weight": 0.5} for i in intervals]},
        **settings,
    }
    (root / "ares.yaml").write_text(yaml.safe_dump(content))
    engine = open_database(f"sqlite:///{(root / 'ares.db').resolve()}")
    store = CandleStore(engine, root / "cache")
    for seed, symbol in enumerate(symbols):
        spec = InstrumentSpec(Instrument("binance", symbol), 4, 4)
        store.save(spec, "1h", drifting_bars(n, seed), "made for a test")
    engine.dispose()
    return Workspace(root)


@pytest.fixture(scope="session")
def workspace_of() -> MakeWorkspace:
    """Return the maker of workspaces."""
    return make_workspace


@pytest.fixture(scope="session")
def bars_of() -> Callable[..., Bars]:
    """Return the maker of bars whose drift can be learned."""
    return drifting_bars
