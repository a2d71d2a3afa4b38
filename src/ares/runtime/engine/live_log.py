"""What a running engine does, in lines: for the terminal and for ``logs/``.

The words are those that operators search logs for, see ``docs/PAPER.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ares.domain.events import (
    BarsClosed,
    BreakerChanged,
    DailyLossReached,
    DecisionMade,
    Effect,
    Event,
    ModeChanged,
    TradeClosed,
)
from ares.domain.feed_events import FeedChanged
from ares.domain.holding_events import DifferenceFound, HoldingTaken, ResidueLeft
from ares.domain.model_events import (
    AlertRaised,
    ModelRefused,
    RetrainingEnded,
    RetrainingStarted,
    SlotChanged,
    SlotChangeRefused,
)
from ares.domain.order_events import (
    CommandDone,
    CommandGiven,
    CommandRefused,
    EventRefused,
    ExecutionBooked,
    HaltChanged,
    OrderMoved,
    StopMissing,
    SubmitOrder,
)
from ares.domain.run import RunSetup

Line = Callable[[str], None]


class LiveLog:
    """A watcher of the loop: writes one line for each thing that a person would want to know.

    bars : also a line for each closed bar of these timeframes' grids, in ms (0: none).
    """

    def __init__(self, setup: RunSetup, write: Line, bars_ms: int = 0) -> None:
        n = setup.n_instruments
        self._specs = [lane.spec for lane in setup.instruments]
        self._n, self._write, self._bars_ms = n, write, bars_ms

    def watch(self, _seq: int, event: Event, effects: Sequence[Effect]) -> None:
        """Take the next journal entry."""
        if type(event) is BarsClosed:
            if self._bars_ms and event.ts_ms % self._bars_ms == 0 and event.decides:
                self._on_bars(event)
            if len(effects) < 2:
                return  # a decision and nothing else: nearly every bar
        for item in (event, *effects):
            if type(item) is not DecisionMade:
                text = self._line(item)
                if text:
                    self._write(text)

    def _on_bars(self, event: BarsClosed) -> None:
        rows = np.frombuffer(event.ohlcv).reshape(-1, 5)
        for i, present in enumerate(event.present):
            if present:
                o, h, low, c, _ = rows[i].tolist()
                self._write(f"[{self._name(i)}] Candle closed: O={o:g} H={h:g} L={low:g} C={c:g}")

    def _name(self, lane: int) -> str:
        return "all" if lane < 0 else self._specs[lane % self._n].instrument.symbol

    def _price(self, lane: int, ticks: float) -> str:
        decimals = self._specs[lane].price_decimals
        return f"{ticks / 10**decimals:,.{decimals}f}"

    def _quantity(self, lane: int, lots: int) -> str:
        return f"{abs(lots) / 10 ** self._specs[lane].qty_decimals:g}"

    def _line(self, item: Event | Effect) -> str:
        """Return the line of an event or effect; empty: none."""
        return self._of_trading(item) or self._of_care(item) or self._of_models(item)

    def _of_trading(self, item: Event | Effect) -> str:
        match item:
            case SubmitOrder():
                i, side = item.instrument, "BUY" if item.lots > 0 else "SELL"
                price = f" at {self._price(i, item.price_ticks)}" if item.price_ticks else ""
                quantity = self._quantity(i, item.lots)
                return f"[{self._name(i)}] Order: {side} {quantity}{price} ({item.kind})"
            case ExecutionBooked():
                i, side = item.instrument, "BUY" if item.lots > 0 else "SELL"
                price, quantity = self._price(i, item.price_ticks), self._quantity(i, item.lots)
                return f"[{self._name(i)}] Trade executed: {side} {quantity} @ {price}"
            case HoldingTaken():
                i, what = item.instrument, "adopted" if item.adopted else "ignored"
                quantity = self._quantity(i, item.lots)
                return f"[{self._name(i)}] The account holds {quantity}: {what} ({item.reason})"
            case TradeClosed(virtual=False):
                i = item.instrument
                outcome = "PROFIT" if item.net_bps > 0 else "LOSS"
                return (
                    f"[{self._name(i)}] Trade closed: {outcome} ({item.net_bps / 100:+.2f}%,"
                    f" {item.reason})"
                )
            case OrderMoved(status="rejected" | "unknown" | "absent"):
                return f"[{self._name(item.instrument)}] Order {item.client_id}: {item.status}"
            case ModeChanged():
                return (
                    f"[{self._name(item.instrument)}] Transitioned to {item.after} mode"
                    f" (confidence: {item.mode_confidence:.2%})"
                )
            case _:
                return ""

    def _of_care(self, item: Event | Effect) -> str:
        match item:
            case BreakerChanged():
                where = self._name(item.instrument)
                return f"[{where}] Breaker {item.breaker}: {item.before} to {item.after}"
            case DailyLossReached():
                return f"Daily loss limit reached ({item.share:.2%}): no entries until tomorrow"
            case HaltChanged():
                what = "halted" if item.halted else "allowed"
                text = f"[{self._name(item.instrument)}] Entries are {what}: {item.reason}"
                return f"{text} ({item.detail})" if item.detail else text
            case DifferenceFound():
                return f"[{self._name(item.instrument)}] Difference: {item.kind}: {item.detail}"
            case ResidueLeft():
                return f"[{self._name(item.instrument)}] Residue: {item.lots} lots cannot be sold"
            case StopMissing():
                return f"[{self._name(item.instrument)}] Stop missing: {item.detail}"
            case FeedChanged():
                feed = f"[{self._name(item.instrument)}] Feed {item.state}"
                return f"{feed}: {item.detail}" if item.detail else feed
            case EventRefused():
                return f"[{self._name(item.instrument)}] Refused: {item.reason}"
            case CommandGiven():
                return f"Command {item.verb} of {item.who}"
            case CommandDone():
                return f"Command done: {item.detail}"
            case CommandRefused():
                return f"Command refused: {item.reason}"
            case _:
                return ""

    def _of_models(self, item: Event | Effect) -> str:
        match item:
            case RetrainingStarted():
                return f"[{self._name(item.instrument)}] Retraining triggered: {item.trigger}"
            case RetrainingEnded():
                return (
                    f"[{self._name(item.instrument)}] Retraining {item.outcome}"
                    f" (duration: {item.duration_ms / 1e3:.1f}s) {item.note}"
                ).rstrip()
            case SlotChanged():
                return f"[{self._name(item.instrument)}] Model {item.move}: {item.reason}"
            case SlotChangeRefused():
                return f"[{self._name(item.instrument)}] Model change refused: {item.reason}"
            case ModelRefused():
                return f"[{self._name(item.instrument)}] Model refused: {item.reason}"
            case AlertRaised():
                return f"ALERT: {item.message}"
            case _:
                return ""
