"""No feature knows the future: neither of its own bars nor of the reference's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ares.domain.timeframe import Timeframe
from ares.kernel.bars import Bars
from ares.kernel.features import FEATURE_NAMES, features_of
from ares.learn.leakage import at_close, leak_test


@pytest.mark.parametrize("kind", ["walk", "trouble"])
def test_no_feature_leaks(
    walk: Callable[..., Bars], trouble: Callable[..., Bars], kind: str
) -> None:
    bars = walk(3, 1000) if kind == "walk" else trouble(3, 1000)
    other = walk(4, 1000)
    own = at_close(lambda part: features_of(part, Timeframe.M1, other).values, 60_000)
    report = leak_test(own, bars, FEATURE_NAMES, 60_000)
    assert report.clean, report.line()
    assert report.compared > 56 * 12 * 500
    of_reference = at_close(lambda part: features_of(part, Timeframe.M1, part).values, 60_000)
    report = leak_test(of_reference, bars, FEATURE_NAMES, 60_000)
    assert report.clean, report.line()


@pytest.mark.data
def test_no_feature_leaks_on_real_hours(real_hours: Bars) -> None:
    own = at_close(lambda part: features_of(part, Timeframe.H1, part).values, 3_600_000)
    report = leak_test(own, real_hours, FEATURE_NAMES, 3_600_000)
    assert report.clean, report.line()
