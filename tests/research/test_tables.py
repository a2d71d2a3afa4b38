"""Records of the kernel as tables: each instrument in its own units; codes by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from ares.kernel.trade.layout import (
    BREAKER_NAMES,
    CLOSED,
    ENTRY,
    EXIT,
    FILL,
    HALF_OPEN,
    NOTICE,
    NOTICE_BREAKER,
    NOTICE_DAILY_LOSS,
    NOTICE_MODE,
    OPEN,
    OUTCOME,
    REASON_NAMES,
    REFUSAL,
    REFUSAL_NAMES,
    REQUEST,
    STOP,
    Records,
    zeros,
)
from ares.research import BacktestResult
from ares.research.market import Candles
from ares.research.tables import counts_of, fills_table, trades_table

Maker = Callable[..., Candles]


@pytest.fixture
def two(walk: Maker) -> list[Candles]:
    """Return candles on two grids: cents and thousandths, units and tenths."""
    return [walk("A/USDT", 3, decimals=(2, 3)), walk("B/USDT", 3, decimals=(0, 1))]


def records(layout: np.dtype[np.void], *rows: Mapping[str, float]) -> Records:
    made = zeros(layout, len(rows))
    for record, row in zip(made, rows, strict=True):
        for name, value in row.items():
            record[name] = value
    return made


def test_a_trade_is_in_the_units_of_its_own_instrument(two: list[Candles]) -> None:
    row = {"entry_price": 1_250.5, "exit_price": 1_300.0, "lots": 20, "pnl_units": -3e8,
           "fees_units": 5e7, "entry_ms": 60_000, "exit_ms": 120_000, "p": np.nan,
           "edge_bps": 9.0, "reason": 2, "code": 1}  # fmt: skip
    outcomes = records(OUTCOME, {**row, "instrument": 0}, {**row, "instrument": 1, "p": 0.6})
    table = trades_table(outcomes, two)
    assert table["instrument"].to_list() == ["test:A/USDT", "test:B/USDT"]
    assert table["entry_price"].to_list() == pytest.approx([12.505, 1_250.5])
    assert table["qty_base"].to_list() == pytest.approx([0.02, 2.0])
    assert table["pnl_quote"].to_list() == [-3.0, -3.0]
    assert table["fees_quote"].to_list() == [0.5, 0.5]
    assert table["confidence"].to_list() == [None, 0.6]
    assert table["exit_reason"].to_list() == [REASON_NAMES[2]] * 2
    assert table["refusal"].to_list() == [REFUSAL_NAMES[1]] * 2
    assert table["exit_time"].dt.epoch("ms").to_list() == [120_000] * 2


def test_a_rejected_order_is_a_fill_of_nothing(two: list[Candles]) -> None:
    fills = records(
        FILL,
        {"instrument": 1, "kind": STOP, "lots": -15, "price_ticks": 70, "fee_units": 1e8},
        {"instrument": 0, "kind": ENTRY, "rejected": 1},
    )
    table = fills_table(fills, two)
    assert table["kind"].to_list() == ["stop", "entry"]
    assert table["qty_base"].to_list() == [-1.5, 0.0]
    assert table["price_quote"].to_list() == [70.0, 0.0]
    assert table["rejected"].to_list() == [False, True]


def test_tables_of_nothing_have_the_columns_of_others(two: list[Candles]) -> None:
    for table_of, layout in ((trades_table, OUTCOME), (fills_table, FILL)):
        empty, other = table_of(zeros(layout, 0), two), table_of(zeros(layout, 1), two)
        assert len(empty) == 0
        assert empty.schema == other.schema
        assert len(pl.concat([empty, other])) == 1


def test_openings_of_breakers_are_counted_and_their_closings_not(baseline: BacktestResult) -> None:
    kinds = (ENTRY, ENTRY, EXIT, STOP, REFUSAL, REFUSAL, REFUSAL)
    codes = (0, 0, 0, 0, 1, 2, 1)
    notices = [
        {"kind": NOTICE_BREAKER, "code": 1, "before": CLOSED, "after": OPEN},
        {"kind": NOTICE_BREAKER, "code": 1, "before": OPEN, "after": HALF_OPEN},
        {"kind": NOTICE_BREAKER, "code": 1, "before": HALF_OPEN, "after": OPEN},
        {"kind": NOTICE_BREAKER, "code": 0, "before": HALF_OPEN, "after": CLOSED},
        {"kind": NOTICE_MODE, "after": OPEN},
        {"kind": NOTICE_DAILY_LOSS},
    ]
    requests = [{"kind": kind, "code": code} for kind, code in zip(kinds, codes, strict=True)]
    log = replace(
        baseline.log,
        requests=records(REQUEST, *requests),
        notices=records(NOTICE, *notices),
        fills=records(FILL, {"rejected": 1}, {"lots": 3}),
    )
    counts = counts_of(log)
    assert counts.requests == {"entries": 2, "exits": 1, "stops": 1}
    assert counts.refusals == {REFUSAL_NAMES[1]: 2, REFUSAL_NAMES[2]: 1}
    assert counts.breakers == {BREAKER_NAMES[1]: 2}
    assert (counts.rejected, counts.mode_changes, counts.daily_stops) == ({"no_volume": 1}, 1, 1)
