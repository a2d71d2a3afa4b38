"""Features against the reference: against their formulas written out, and without a reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ares.domain.timeframe import Timeframe
from ares.kernel.bars import F64, Bars
from ares.kernel.features import (
    FEATURE_NAMES,
    FEATURES,
    features_of,
)

Agree = Callable[..., None]


def formulas(b: Bars, ref: F64, plain: Any) -> dict[str, F64]:
    """Return each feature by its formula."""
    c = b.close
    lag, rolling, correlations = plain.lag, plain.rolling, plain.correlations
    lc, q = np.log(c), np.log(ref)
    r, rq = lc - lag(lc, 1), q - lag(q, 1)
    cov = rolling(r * rq, 50, "mean") - rolling(r, 50, "mean") * rolling(rq, 50, "mean")
    return {
        "reference_return_1": rq,
        **{f"relative_return_{n}": lc - lag(lc, n) - (q - lag(q, n)) for n in (1, 5, 20)},
        "beta_50": cov / rolling(rq, 50, "var") * 50 / 49,
        "correlation_50": correlations(r, rq, 50),
    }


def test_formulas_on_a_walk(agree_on_a_walk: Agree) -> None:
    agree_on_a_walk(formulas, "cross")


@pytest.mark.data
def test_formulas_on_real_hours(agree_on_real_hours: Agree) -> None:
    agree_on_real_hours(formulas, "cross")


Walk = Callable[..., Bars]


def without(bars: Bars, first: int, count: int) -> Bars:
    """Return the bars with a hole."""
    return Bars.concat([bars[:first], bars[first + count :]])


def test_a_missing_reference_is_neutral(walk: Walk) -> None:
    bars, reference = walk(1, 400), walk(2, 400)
    cross = [f for f, spec in enumerate(FEATURES) if spec.group == "cross"]
    assert not features_of(bars, Timeframe.M1, None).values[60:, cross].any()
    assert not features_of(bars, Timeframe.M1, Bars.empty()).values[60:, cross].any()
    holes = features_of(bars, Timeframe.M1, without(reference, 300, 1)).values
    full = features_of(bars, Timeframe.M1, reference).values
    relative = FEATURE_NAMES.index("relative_return_5")
    differs = np.flatnonzero(holes[60:, relative] != full[60:, relative]) + 60
    assert differs.tolist() == [300, 305]
    assert np.isfinite(holes[60:, cross]).all()


def test_the_reference_against_itself(walk: Walk) -> None:
    bars = walk(1, 400)
    last = features_of(bars, Timeframe.M1, bars).values[-1]
    named = dict(zip(FEATURE_NAMES, last.tolist(), strict=True))
    assert named["beta_50"] == 1.0
    assert named["correlation_50"] == pytest.approx(1.0)
    assert named["relative_return_20"] == 0.0
