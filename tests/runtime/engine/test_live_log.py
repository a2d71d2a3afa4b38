"""The lines of a running engine: a whole run's, in the words that people search for."""

from __future__ import annotations

from typing import Any

from ares.domain.feed_events import FeedChanged
from ares.domain.model_events import AlertRaised
from ares.domain.order_events import CommandGiven, CommandRefused, HaltChanged
from ares.journal.run import entries
from ares.runtime.engine.live_log import LiveLog
from ares.runtime.engine.plan import RunPlan

HOUR_MS = 3_600_000


def test_a_run_in_lines(done: Any, plan: RunPlan) -> None:
    lines: list[str] = []
    log = LiveLog(plan.setup, lines.append, HOUR_MS)
    for entry in entries(done.folder):
        log.watch(entry.seq, entry.event, entry.effects)
    text = "\n".join(lines)
    for wanted in (
        "[BTC/USDT] Candle closed: O=",
        "[BTC/USDT] Order: BUY ",
        "[ETH/USDT] Trade executed: SELL ",
        "Trade closed: LOSS (-",
        "Trade closed: PROFIT (+",
        "Transitioned to TRADING mode (confidence: ",
        "Breaker slippage: closed to open",
    ):
        assert wanted in text, wanted
    bars = [line for line in lines if "Candle closed" in line]
    assert 0 < len(bars) < 30, "a line an hour"


def test_what_needs_care_is_written(plan: RunPlan) -> None:
    lines: list[str] = []
    log = LiveLog(plan.setup, lines.append)
    halted = HaltChanged(0, 1, True, "operator", True, "me: a test")
    refused = CommandRefused("1", 1, "unknown command")
    log.watch(1, CommandGiven("1", 1, "me", "dance", {}), [refused])
    log.watch(2, FeedChanged(1, -1, "down", "the connection is lost"), [halted])
    log.watch(3, AlertRaised(1, 0, "code", 1.0, 2.0, "accuracy = 0.4 (threshold: 0.5)"), [])
    assert lines == [
        "Command dance of me",
        "Command refused: unknown command",
        "[all] Feed down: the connection is lost",
        "[BTC/USDT] Entries are halted: operator (me: a test)",
        "ALERT: accuracy = 0.4 (threshold: 0.5)",
    ]
