"""A result as plain values: what the workspace stores."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from ares import api
from ares.research import Candles
from ares.research.result_json import keep

CandlesMaker = Callable[..., Candles]


def test_a_result_is_stored_as_json(walk: CandlesMaker, tmp_path: Path) -> None:
    candles = walk("AAA/USDT", 2_000)
    got = api.backtest(candles, api.sma_cross(candles))
    path = keep(got, tmp_path, datetime(2024, 1, 2, tzinfo=UTC))
    stored = json.loads(path.read_text())
    for name in (
        "bars", "trades", "equity_start", "equity_end", "net_return", "sharpe", "max_drawdown",
        "fees", "win_rate",
    ):  # fmt: skip
        assert stored[name] == getattr(got.metrics, name)
    assert stored["provenance"]["data"][0]["hash"] == got.candles[0].bars.hash
