"""The user's own features: past bars only, the same in history and live, and honest errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ares.domain.errors import UserError
from ares.kernel.bars import Bars
from ares.kernel.features.user import bars_since_break
from ares.learn.leakage import check_user_features

Walk = Callable[..., Bars]


def test_values_are_the_functions_of_past_bars(walk: Walk, user_module: Any) -> None:
    bars = walk(1, 200)
    features = user_module.load(user_module.good)
    values = features.of(bars, 60_000)
    assert features.names == ("from_high", "busy")
    assert values.dtype == np.float32
    assert np.isnan(values[:49, 0]).all()
    expected = [bars.close[t] / bars.high[t - 49 : t + 1].max() - 1 for t in range(49, 200)]
    np.testing.assert_array_equal(values[49:, 0], np.array(expected, np.float32))
    assert check_user_features(features, bars, 60_000).clean


def test_history_and_live_are_the_same_call(walk: Walk, user_module: Any) -> None:
    whole = walk(1, 400)
    bars = Bars.concat([whole[:150], whole[190:]])
    features = user_module.load(user_module.good)
    values = features.of(bars, 60_000)
    for t in range(0, len(bars), 7):
        assert features.step(bars[: t + 1], 60_000).tobytes() == values[t].tobytes()


def test_a_break_starts_afresh(walk: Walk, user_module: Any) -> None:
    whole = walk(1, 200)
    bars = Bars.concat([whole[:100], whole[130:]])
    values = user_module.load(user_module.good).of(bars, 60_000)
    assert np.flatnonzero(np.isnan(values[:, 0])).tolist() == [*range(49), *range(100, 149)]
    assert bars_since_break(np.empty(0, np.int64), 1).tolist() == []


def test_no_function_can_spoil_anothers_bars(walk: Walk, user_module: Any) -> None:
    features = user_module.load(
        "@feature(warmup_bars=2)\ndef spoil(bars):\n    bars.close[:] = 1.0\n    return 0.0\n"
    )
    with pytest.raises(UserError, match=r"'spoil' of mine\.py failed .*read-only"):
        features.of(walk(1, 10), 60_000)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return bars.close[99]", r"IndexError.*mine\.py, line 5"),
        ("return float('nan')", "returned nan"),
        ("return 1e300", "finite number"),
        ("return None", r"returned None .*mine\.py, line 3\)"),
        ("return 'up'", "returned 'up'"),
        ("return np.zeros(2).reshape(3)", r"ValueError.*mine\.py, line 5\)"),
    ],
)
def test_a_failing_function_is_named(walk: Walk, user_module: Any, body: str, message: str) -> None:
    features = user_module.load(f"@feature(warmup_bars=3)\ndef f(bars):\n    {body}\n")
    with pytest.raises(UserError, match=rf"feature 'f' of mine\.py .*{message}") as caught:
        features.of(walk(1, 10), 60_000)
    assert "\n" not in str(caught.value)


LEAK = """
@feature(warmup_bars=5)
def f(bars):
    whole = bars.close.base
    return float(whole[-1])
"""

LOOK_UP = """
KNOWN = {KNOWN}
@feature(warmup_bars=5)
def f(bars):
    return KNOWN.get(int(bars.ts_ms[-1]) + 12 * 60_000, 0.0)
"""

CHANGES = {
    "remembers what it saw in another run": """
seen = {}
@feature(warmup_bars=5)
def f(bars):
    known = seen.get(int(bars.ts_ms[-1]) + 60_000, 0.0)
    seen[int(bars.ts_ms[-1])] = bars.close[-1]
    return known
""",
    "counts its calls": """
calls = [0]
@feature(warmup_bars=5)
def f(bars):
    calls[0] += 1
    return float(calls[0])
""",
    "differs by less than float32 shows": """
calls = [0]
@feature(warmup_bars=5)
def f(bars):
    calls[0] += 1
    return 1.0 + 1e-12 * calls[0]
""",
}


def test_a_leaky_function_may_not_be_used(walk: Walk, user_module: Any) -> None:
    with pytest.raises(UserError, match=r"mine\.py: look-ahead leakage in 1 of 1 columns \(f\)"):
        check_user_features(user_module.load(LEAK), walk(1, 300), 60_000)


@pytest.mark.parametrize("way", CHANGES)
def test_a_function_that_is_not_the_same_again_is_named_so(
    walk: Walk, user_module: Any, way: str
) -> None:
    what = r"mine\.py: 'f' \(mine\.py, line \d+\) is not deterministic: at the bar of "
    with pytest.raises(UserError, match=what):
        check_user_features(user_module.load(CHANGES[way]), walk(1, 300), 60_000)


def test_a_look_up_by_time_is_a_leak(walk: Walk, user_module: Any) -> None:
    """It knows the close of twelve bars later, and no change of the bars shows that."""
    bars = walk(1, 300)
    known = dict(zip(bars.ts_ms.tolist(), bars.close.tolist(), strict=True))
    features = user_module.load(LOOK_UP.replace("{KNOWN}", repr(known)))
    what = r"mine\.py: look-ahead leakage .* \(f\): 'f' \(mine\.py, line \d+\) changes .* weeks"
    with pytest.raises(UserError, match=what):
        check_user_features(features, bars, 60_000)


def test_the_time_of_the_week_may_be_used(walk: Walk, user_module: Any) -> None:
    hour = "int(bars.ts_ms[-1]) // 3_600_000 % 168"
    features = user_module.load(f"@feature(warmup_bars=1)\ndef f(bars):\n    return {hour}\n")
    assert check_user_features(features, walk(1, 300), 60_000).clean
