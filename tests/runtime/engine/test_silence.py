"""The usual silences of a symbol: by hour, over 14 days, in bounded memory."""

from __future__ import annotations

import numpy as np
import pytest

from ares.domain.timeframe import DAY_MS, HOUR_MS
from ares.runtime.engine.silence import RATIO, Silence

START = 19_700 * DAY_MS


def trades(silence: Silence, start_ms: int, gap_ms: int, n: int = 300) -> int:
    silence.interrupt()
    for k in range(n):
        silence.trade(start_ms + k * gap_ms)
    return start_ms + n * gap_ms


@pytest.mark.parametrize("gap_ms", [40, 900, 10_000, 61_000])
def test_the_limit_is_five_times_the_99th_percentile(gap_ms: int) -> None:
    silence = Silence()
    end_ms = trades(silence, START, gap_ms)
    limit_ms = silence.limit_ms(end_ms)
    assert limit_ms is not None
    assert max(30_000, 5 * gap_ms) <= limit_ms <= max(30_000, 5 * gap_ms * RATIO)


def test_each_hour_of_the_day_has_its_own() -> None:
    silence = Silence()
    trades(silence, START + 3 * HOUR_MS, 9_000)
    trades(silence, START + 9 * HOUR_MS, 100)
    night, day = (
        silence.limit_ms(START + DAY_MS + 3 * HOUR_MS),
        silence.limit_ms(START + DAY_MS + 9 * HOUR_MS),
    )
    assert night is not None
    assert night >= 45_000
    assert day == 30_000
    assert silence.limit_ms(START + 15 * HOUR_MS) is not None, "of all hours together"


def test_with_little_knowledge_there_is_no_alarm() -> None:
    silence = Silence()
    trades(silence, START, 1_000, 99)
    assert silence.limit_ms(START) is None


def test_days_before_the_last_14_are_forgotten() -> None:
    silence = Silence()
    trades(silence, START, 60_000)
    trades(silence, START + 13 * DAY_MS, 100, 200)
    assert (silence.limit_ms(START + 13 * DAY_MS) or 0) > 200_000
    trades(silence, START + 14 * DAY_MS, 100, 200)
    assert silence.limit_ms(START + 14 * DAY_MS) == 30_000
    trades(silence, START + 60 * DAY_MS, 100, 50)
    assert silence.limit_ms(START + 60 * DAY_MS) is None


def test_what_a_lost_connection_hides_is_no_silence() -> None:
    silence = Silence()
    end_ms = trades(silence, START, 100, 200)
    silence.interrupt()
    trades(silence, end_ms + 3 * HOUR_MS, 100, 200)
    assert silence.limit_ms(end_ms + 3 * HOUR_MS) == 30_000
    silence.trade(START)
    assert silence.limit_ms(START) == 30_000, "an old trade says nothing"


def test_it_is_kept_over_a_restart() -> None:
    silence = Silence()
    end_ms = trades(silence, START, 11_000)
    again = Silence.of(silence.to_bytes())
    assert again.limit_ms(end_ms) == silence.limit_ms(end_ms)
    assert again.to_bytes() == silence.to_bytes()
    assert Silence.of(b"older").limit_ms(end_ms) is None
    assert len(silence.to_bytes()) < 70_000
    assert np.frombuffer(again.to_bytes()[8:], np.uint32).sum() == 299
