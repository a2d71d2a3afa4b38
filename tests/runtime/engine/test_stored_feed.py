"""Stored candles in real time: each instant once the clock has reached it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ares.domain.events import BarsClosed, Event
from ares.runtime.engine.clocks import RunningClock
from ares.runtime.engine.plan import RunPlan
from ares.runtime.engine.stored_feed import StoredFeed


def test_instants_come_at_their_time_and_only_new_ones(
    plan: RunPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = plan.feed
    passed_ns = [0]
    clock = RunningClock(int(feed.close_ms[0]), 10.0, lambda: passed_ns[0], lambda: 0)
    late_ms: list[int] = []

    async def sleep(seconds: float) -> None:
        passed_ns[0] += round(seconds * 1e9)

    def post(event: Event) -> None:
        assert isinstance(event, BarsClosed)
        late_ms.append(clock.now_ms() - event.ts_ms)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    coroutine: Any = StoredFeed(feed, clock, int(feed.close_ms[9])).run(post)
    with pytest.raises(StopIteration):
        coroutine.send(None)
    assert len(late_ms) == len(feed) - 10
    assert set(late_ms) == {0}
