"""Rules for candles: each invalid price, order, interval and grid is refused with its position."""

from __future__ import annotations

import re

import numpy as np
import pytest

from ares.adapters.candle_columns import CandleTable
from ares.adapters.candle_rules import (
    OHLC_TOLERANCE,
    check_prices,
    in_order,
    interval_of,
    require_past,
)
from ares.domain.errors import UserError
from ares.domain.timeframe import DAY_MS, MINUTE_MS
from ares.kernel.bars import Bars

START_MS = 1_679_004_900_000  # 2023-03-16 22:15:00 UTC
N = 12


def table(
    minutes: list[int] | None = None, edit: tuple[str, int, float] | None = None
) -> CandleTable:
    """Return candles of the lines from 2 on; ``edit``: (column, row, value) of a changed cell."""
    at = np.arange(N) if minutes is None else np.array(minutes, np.int64)
    close = 100.25 + at.astype(np.float64)
    ts_ms, volume = START_MS + at * MINUTE_MS, 0.5 * (close - 100.25)
    bars = Bars.make(ts_ms, close - 0.25, close + 1.0, close - 1.0, close, volume)
    if edit is not None:
        getattr(bars, edit[0])[edit[1]] = edit[2]
    return CandleTable(bars, np.arange(2, len(at) + 2), "line")


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("low", 0.0, "low is 0, not a price above 0: correct it, or delete the row"),
        ("low", -3.0, "low is -3, not a price"),
        ("high", np.nan, "high is nan, not a price"),
        ("high", np.inf, "high is inf, not a price"),
        ("volume", -1.0, "volume is -1, not a volume of 0 or more"),
        ("high", 100.0, "high 100 is below open 102"),
        ("low", 102.1, "low 102.1 is above open 102"),
        ("low", 102.2, "low 102.2 is above open 102"),
        ("close", 103.5, "high 103.25 is below close 103.5"),
        ("close", 101.0, "low 101.25 is above close 101"),
    ],
)
def test_an_invalid_price_is_refused_with_its_position(
    column: str, value: float, message: str
) -> None:
    with pytest.raises(UserError) as caught:
        check_prices("a.csv", table(edit=(column, 2, value)))
    assert str(caught.value).startswith(f"a.csv, line 4 (2023-03-16 22:17): {message}")


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("high", 1e300, "high is 1e+300, not a plausible price"),
        ("open", 1e-20, "open is 1e-20, not a plausible price"),
        ("volume", 1e30, "volume is 1e+30, not a plausible volume"),
    ],
)
def test_values_that_no_market_has_are_refused(column: str, value: float, message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        check_prices("a.csv", table(edit=(column, 2, value)))


def test_a_bar_of_the_future_is_refused_by_its_line() -> None:
    last_ms = START_MS + (N - 1) * MINUTE_MS
    require_past("a.csv", table(), last_ms - DAY_MS)
    with pytest.raises(
        UserError, match=r"a.csv, line 13 \(2023-03-16 22:26\): the time is in the f"
    ):
        require_past("a.csv", table(), last_ms - DAY_MS - 1)


def test_rounding_of_a_high_is_tolerated() -> None:
    close = float(table().bars.close[2])
    check_prices("a", table(edit=("high", 2, close * (1.0 - 0.5 * OHLC_TOLERANCE))))
    with pytest.raises(UserError, match="is below close"):
        check_prices("a", table(edit=("high", 2, close * (1.0 - 2.0 * OHLC_TOLERANCE))))


def test_a_falling_time_is_refused_and_sorted_on_request() -> None:
    mixed = table([0, 1, 3, 2, 4])
    with pytest.raises(UserError, match=r"line 5 \(2023-03-16 22:17\): the time is before the"):
        in_order("a", mixed, repair=False)
    repaired, repeated = in_order("a", mixed, repair=True)
    assert repaired.bars.close.tolist() == [100.25, 101.25, 102.25, 103.25, 104.25]
    assert repaired.number.tolist() == [2, 3, 5, 4, 6]
    assert repeated == 0


def test_an_exact_repeat_is_refused_and_dropped_on_request() -> None:
    again = table([0, 1, 1, 2, 2, 2])
    with pytest.raises(UserError, match=r"line 4 .*: repeats line 3, and 2 more: delete it, or"):
        in_order("a", again, repair=False)
    repaired, repeated = in_order("a", again, repair=True)
    assert repaired.number.tolist() == [2, 3, 5]
    assert repeated == 3


@pytest.mark.parametrize("repair", [False, True])
@pytest.mark.parametrize("column", ["open", "high", "low", "close", "volume"])
def test_a_contradiction_is_never_repaired(column: str, repair: bool) -> None:
    other = table([0, 1, 1, 2], (column, 2, 101.5))
    with pytest.raises(
        UserError, match=f"line 4 .*: the same time as line 3 with another {column}"
    ):
        in_order("a", other, repair)


def test_an_interval_comes_from_the_times_only_where_they_are_clear() -> None:
    assert interval_of("a", table(), None) == "1m"
    assert interval_of("a", table([0, 5, 10, 25]), None) == "5m"
    assert interval_of("a", table([0]), "1m") == "1m"
    for minutes in ([], [0], [0, 1], [0, 2, 4], [0, 5, 12]):
        with pytest.raises(UserError, match="the interval is not clear from the times: add"):
            interval_of("a", table(minutes), None)


@pytest.mark.parametrize(
    ("minutes", "named", "message"),
    [
        (None, "5m", "line 3 (2023-03-16 22:16): 1m after the bar above, but the interval is 5m"),
        ([0, 5, 10], "1m", "all bars are 5m apart or more, but the interval is 1m"),
        ([1, 6, 11], "5m", "line 2 (2023-03-16 22:16): not on the grid of 5m in UTC: a bar's time"),
        ([0, 1, 2], "7m", "unknown interval '7m'"),
        ([0, 1, 2], "fast", "unknown interval 'fast'"),
    ],
)
def test_a_named_interval_that_contradicts_the_times_is_refused(
    minutes: list[int] | None, named: str, message: str
) -> None:
    with pytest.raises(UserError) as caught:
        interval_of("a.csv", table(minutes), named)
    assert str(caught.value).startswith("a.csv")
    assert message in str(caught.value)


def test_an_odd_distance_and_closing_times_are_named() -> None:
    late = table(edit=("ts_ms", 5, START_MS + 5 * MINUTE_MS + 1))
    with pytest.raises(UserError, match=r"line 8 .*: 59\.999 s after the bar above"):
        interval_of("a", late, "1m")
    closes = table()
    closes.bars.ts_ms[:] += MINUTE_MS - 1
    with pytest.raises(UserError, match="not on the grid of 1m in UTC: these look like closing"):
        interval_of("a", closes, None)
