"""The trades of each ensemble in its lane: those of money and virtual ones apart."""

from __future__ import annotations

import msgspec
import pytest

from ares.core.slot import EMPTY, Slot
from ares.domain.events import TradeClosed
from ares.store.model_rows import ModelRows

TRADE = TradeClosed(
    0, False, 0, 60_000, 100.0, 101.0, 1, 500_000_000, 0, 40.0, 0.6, 9.0, "take_profit", "", 0.9
)


def trade(profit: float, bps: float, lane: int = 0, virtual: bool = False) -> TradeClosed:
    return msgspec.structs.replace(
        TRADE, instrument=lane, virtual=virtual, pnl_units=round(profit * 1e8), net_bps=bps
    )


def test_a_row_after_each_trade_over_the_trades_so_far() -> None:
    rows = ModelRows("paper", ["BTC/USDT", "ETH/USDT"])
    a, b = Slot(stage="champion", hash="a" * 64), Slot(stage="champion", hash="b" * 64)
    first = rows.row(1, trade(5.0, 40.0), a, "champion")
    assert first == (
        "paper", 1, "BTC/USDT aaaaaaaaaaaa", "1970-01-01 00:01:00", 1.0, 5.0, "BTC/USDT",
        "a" * 64, "champion", False, 1, 40.0,
    )  # fmt: skip
    second = rows.row(2, trade(-3.0, -20.0), a, "champion")
    assert second is not None
    assert second[4:6] == (0.5, 1.0)
    assert second[10:] == (2, 10.0)
    virtual = rows.row(3, trade(0.0, -8.0, virtual=True), a, "champion")
    assert virtual is not None
    assert (virtual[4:6], virtual[9:]) == ((0.0, None), (True, 1, -8.0))
    other = rows.row(4, trade(1.0, 5.0, lane=1), b, "champion")
    assert other is not None
    assert (other[2], other[10]) == ("ETH/USDT bbbbbbbbbbbb", 1)
    replaced = rows.row(5, trade(7.0, 50.0), b, "champion")
    assert replaced is not None
    assert replaced[4:6] == (1.0, pytest.approx(7.0))


def test_a_lane_without_an_ensemble_has_no_row() -> None:
    assert ModelRows("paper", ["BTC/USDT"]).row(1, TRADE, EMPTY, "champion") is None
