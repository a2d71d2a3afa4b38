"""The bars of one instrument: given once, compared later, a bounded number."""

from __future__ import annotations

from ares.domain.timeframe import MINUTE_MS
from ares.runtime.engine.feed_line import GIVEN_KEPT, TRADED_KEPT, FeedLine

START = 1_704_153_600_000
ROW = (1.0, 2.0, 0.5, 1.5, 3.0)


def test_only_the_bar_that_follows_is_next() -> None:
    line = FeedLine(START, 1.0)
    line.waiting = {START + 2 * MINUTE_MS: ROW}
    assert line.next_row(START + 2 * MINUTE_MS) is None
    line.waiting[START + MINUTE_MS] = ROW
    assert line.next_row(START + MINUTE_MS) == ROW
    line.give(START + MINUTE_MS, ROW)
    assert line.next_row(START + MINUTE_MS) is None
    assert line.next_row(START + 2 * MINUTE_MS) == ROW
    assert line.flat() == (1.5, 1.5, 1.5, 1.5, 0.0)


def test_what_was_given_and_traded_is_kept_for_a_while() -> None:
    line = FeedLine(START)
    for k in range(1, 2_000):
        line.give(START + k * MINUTE_MS, ROW)
        line.trade(START + k * MINUTE_MS - 1, 1.0)
    assert len(line.given) == GIVEN_KEPT
    assert len(line.traded) == TRADED_KEPT
    assert max(line.traded) == START + 1_999 * MINUTE_MS
    assert line.trade_ms == START + 1_999 * MINUTE_MS - 1


def test_a_hole_is_left_behind_with_what_waited_in_it() -> None:
    line = FeedLine(START, 1.0)
    line.waiting = {START + k * MINUTE_MS: ROW for k in (2, 3, 4)}
    line.start_at(START + 3 * MINUTE_MS)
    assert line.next_row(START + 4 * MINUTE_MS) == ROW
    assert len(line.waiting) == 1
