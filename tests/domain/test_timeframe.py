"""Timeframes: their lengths, their order, and what is refused as one."""

from __future__ import annotations

from itertools import pairwise

import pytest

from ares.domain.errors import UserError
from ares.domain.timeframe import DAY_MS, HOUR_MS, MINUTE_MS, Timeframe


def test_each_length_divides_the_next_and_the_day() -> None:
    lengths = [timeframe.ms for timeframe in Timeframe]
    assert lengths == sorted(lengths)
    assert lengths[0] == MINUTE_MS
    assert lengths[-1] == DAY_MS == 24 * HOUR_MS
    for shorter, longer in pairwise(lengths):
        assert longer % shorter == 0


def test_a_timeframe_is_parsed_by_its_name_only() -> None:
    assert [Timeframe.parse(timeframe.value) for timeframe in Timeframe] == list(Timeframe)
    for text in ("", "1M", "1H", "2h", "60", " 1h"):
        with pytest.raises(UserError, match="use one of 1m, 5m, 15m, 1h, 4h, 1d"):
            Timeframe.parse(text)
