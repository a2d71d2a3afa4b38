"""Labels against a slow oracle that walks the trade as a person would."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ares.kernel.bars import Bars
from ares.learn.labels import barrier_width, label_bars, label_decisions
from ares.learn.recipe import LabelRecipe

MINUTE = 60_000


def bars_of(
    opens: list[float], lows: list[float], closes: list[float], skips: list[int] | None = None
) -> Bars:
    steps = np.ones(len(opens), np.int64)
    for place in skips or []:
        steps[place] = 5
    ts = np.cumsum(steps) * MINUTE
    o, low, c = np.array(opens), np.array(lows), np.array(closes)
    return Bars.make(ts, o, np.maximum(np.maximum(o, c), low), low, c, np.ones(len(o)))


def oracle(
    bars: Bars, decision: int, width: float, horizon: int, cost: float, barriers: bool
) -> tuple[float, int]:
    """Return (net, end); NaN where some bar that the trade needs is not there."""

    def there(place: int) -> bool:
        if place >= len(bars):
            return False
        return bool(bars.ts_ms[place] == bars.ts_ms[decision] + (place - decision) * MINUTE)

    if math.isnan(width) or not there(decision + 1):
        return math.nan, 0
    entry = bars.open[decision + 1]
    held = decision + 1
    while there(held):
        if barriers and bars.low[held] <= entry * (1.0 - width):
            price = min(bars.open[held], entry * (1.0 - width))
            return price / entry - 1.0 - cost, bars.ts_ms[held] + MINUTE
        out_of_time = held - decision >= horizon
        if out_of_time or (barriers and bars.close[held] >= entry * (1.0 + width)):
            if not there(held + 1):
                return math.nan, 0
            return bars.open[held + 1] / entry - 1.0 - cost, bars.ts_ms[held + 1] + MINUTE
        held += 1
    return math.nan, 0


price = st.floats(90.0, 110.0)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(price, price, price), min_size=1, max_size=40),
    st.lists(st.one_of(st.floats(0.001, 0.2), st.just(math.nan)), min_size=40, max_size=40),
    st.integers(1, 10),
    st.lists(st.integers(1, 39), max_size=2),
    st.sampled_from(["triple_barrier", "forward_return"]),
)
def test_every_label_is_the_oracles(
    rows: list[tuple[float, float, float]],
    widths: list[float],
    horizon: int,
    skips: list[int],
    kind: str,
) -> None:
    opens = [row[0] for row in rows]
    closes = [row[1] for row in rows]
    lows = [min(row) for row in rows]
    bars = bars_of(opens, lows, closes, [place for place in skips if place < len(rows)])
    width = np.array(widths[: len(rows)])
    recipe = LabelRecipe(horizon, 33.0, 22.0, kind=kind)  # type: ignore[arg-type]  # str for a literal
    labels = label_bars(bars, width, recipe, MINUTE)
    for decision in range(len(bars)):
        net, end = oracle(
            bars, decision, width[decision], horizon, 0.0022, kind == "triple_barrier"
        )
        assert labels.net[decision] == pytest.approx(net, abs=1e-15, nan_ok=True)
        if not math.isnan(net):
            assert labels.ends_ms[decision] == end


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(price, price, price), min_size=1, max_size=60),
    st.lists(st.integers(1, 59), max_size=2),
    st.integers(1, 4),
)
def test_trades_of_longer_bars_follow_the_finer_ones(
    rows: list[tuple[float, float, float]], skips: list[int], horizon: int
) -> None:
    bars = bars_of(
        [row[0] for row in rows],
        [min(row) for row in rows],
        [row[1] for row in rows],
        [place for place in skips if place < len(rows)],
    )
    decided = np.arange(-5, 100, 5, dtype=np.int64) * MINUTE
    width = np.full(len(decided), 0.03)
    recipe = LabelRecipe(horizon, 33.0, 22.0)
    labels = label_decisions(decided, width, bars, MINUTE, recipe, horizon * 5 * MINUTE)
    closes = (bars.ts_ms + MINUTE).tolist()
    for k, instant in enumerate(decided.tolist()):
        if instant not in closes:
            assert math.isnan(labels.net[k])
            continue
        net, end = oracle(bars, closes.index(instant), 0.03, horizon * 5, 0.0022, True)
        assert labels.net[k] == pytest.approx(net, abs=1e-15, nan_ok=True)
        assert math.isnan(net) or labels.ends_ms[k] == end


def one(opens: list[float], lows: list[float], closes: list[float], horizon: int = 3) -> float:
    recipe = LabelRecipe(horizon, 33.0, 0.0)
    bars = bars_of(opens, lows, closes)
    return float(label_bars(bars, np.full(len(opens), 0.01), recipe, MINUTE).net[0])


def test_a_stop_is_filled_at_the_stop_or_at_a_worse_open() -> None:
    assert one([100, 100, 100, 100], [100, 98, 100, 100], [100] * 4) == pytest.approx(-0.01)
    assert one([100, 100, 97, 100], [100, 100, 97, 100], [100] * 4) == pytest.approx(-0.03)


def test_a_target_is_taken_at_the_next_open_not_at_its_high() -> None:
    up = one([100, 100, 102, 100], [100] * 4, [100, 101, 102, 100])
    assert up == pytest.approx(0.02)
    touched_only = one([100, 100, 100, 100, 100.5], [100] * 5, [100, 100.9, 100, 100, 100])
    assert touched_only == pytest.approx(0.005)


def test_the_stop_goes_before_the_target_of_the_same_bar() -> None:
    assert one([100, 100, 102], [100, 99, 102], [100, 101, 102]) == pytest.approx(-0.01)


def test_the_horizon_ends_at_the_next_open() -> None:
    assert one([100, 100, 100.2, 100.4], [100] * 4, [100] * 4, horizon=2) == pytest.approx(0.004)


def test_an_unknown_outcome_is_no_label() -> None:
    assert math.isnan(one([100, 100, 100], [100] * 3, [100] * 3, horizon=2))
    assert math.isnan(one([100], [100], [100]))


def test_widths_are_horizons_deviation_or_the_minimum() -> None:
    width = barrier_width(np.array([0.004, 0.0], np.float32), 25, 1.0, 33.0)
    assert width == pytest.approx([0.02, 0.0033])
