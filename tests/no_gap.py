"""A run by the fill model, whatever was done to it, has no gap to its backtest."""

from __future__ import annotations

from pathlib import Path

from ares.runtime.replay.waterfall import waterfall


def assert_no_gap(folder: Path, trades_min: int = 0) -> None:
    """Assert that each part of each trade of a run is zero, to the last unit."""
    found = waterfall(folder)
    for trade in found.trades:
        parts = trade.quote
        gap = (parts.signal, parts.timing, parts.fill, parts.fee, parts.gap)
        assert gap == (0.0,) * 5, trade
    assert found.total.both >= trades_min
