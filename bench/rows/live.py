"""Row: from a closed bar to its orders at the venue, four instruments x 6 timeframes.

    python -m bench.rows.live

The one loop with real ONNX models of 200 trees, nothing scored ahead, and a journal on the disk.
Measured are the closes at which four or more timeframes are due (16 to 24 scores), from the event
to the last ``Venue.send``; where there is no order, to the end of the event. The sync before an
order leaves is taken out, and printed beside it (``sync_ms``). Half of these closes come right
after another bar; before the other half (``idle_ms``) the processor's caches are overwritten.

``onnx_ms``, ``kernel_ms`` (features and decision), ``journal_ms`` and ``python_ms`` (the rest) are
the parts of ``p50_ms`` and ``p99_ms``, each with quantiles of its own. ``cpu_ms`` is the
processor's time, the sync's included: on a busy machine the rest is waiting for a processor.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

import numpy as np

from ares.adapters.onnx_model import open_model
from ares.adapters.simulated_venue import SimulatedVenue
from ares.core.models import Models, Scorers
from ares.core.state import bind_calls
from ares.domain.events import BarsClosed, Command, Event, RunStarted
from ares.domain.instrument import Instrument
from ares.journal.run import RunJournal
from ares.kernel.features import N_FEATURES
from ares.kernel.live import LiveCalls
from ares.kernel.trade import Rules
from ares.runtime.engine.history_market import HistoryMarket, VirtualClock
from ares.runtime.engine.loop import Loop
from ares.runtime.engine.plan import RunPlan, SlotChoice, named, plan_run
from ares.runtime.engine.quiet import frozen_heap, load_machine_code, raise_priority
from ares.store.candles import CandleStore
from bench.bars import four_instruments
from bench.rows.boosted import WEIGHTS, ensemble_of
from bench.rows.history import DAY_MS, _common_window
from bench.stored import stored

P = ParamSpec("P")
R = TypeVar("R")

AFTER_DAYS = 20
DAYS = 20
TIMEFRAMES_DUE = 4
CACHE_BYTES = 64 * 1024 * 1024
PARTS = ("onnx", "kernel", "journal")


class Close(NamedTuple):
    """Seconds of one closing instant: from the event to its orders, processor time, its parts, and
    the sync (0: it had no order).
    """

    idle: bool
    whole: float
    cpu: float
    onnx: float
    kernel: float
    journal: float
    sync: float


class Stopwatch:
    """Sums the seconds of calls by name since the last event, and when an order was handed over."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.sent_s = 0.0
        self.orders = 0

    def timed(self, name: str, function: Callable[P, R]) -> Callable[P, R]:
        """Return the function; its time is added to that of the name."""

        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            begun = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds[name] += time.perf_counter() - begun

        return call

    def begin(self) -> float:
        """Forget the event before; return the time."""
        self.seconds.clear()
        self.sent_s = 0.0
        return time.perf_counter()


class TimedVenue(SimulatedVenue):
    """The simulated venue, which notes when it is called."""

    stopwatch: Stopwatch

    def send(self, command: Command) -> None:
        """Carry a command out."""
        self.stopwatch.sent_s = time.perf_counter()
        self.stopwatch.orders += 1
        super().send(command)


class TimedLoop(Loop):
    """The loop, with the times of the closes that are measured."""

    stopwatch: Stopwatch
    closes: list[Close]

    def process(self, event: Event) -> None:
        """Process one event."""
        if type(event) is not BarsClosed or not event.decides or not _is_measured(event.ts_ms):
            super().process(event)
            return
        idle = len(self.closes) % 2 == 1
        if idle:
            np.ones(CACHE_BYTES, np.uint8).sum()
        watch = self.stopwatch
        cpu_s, begun_s = time.thread_time(), watch.begin()
        super().process(event)
        whole = (watch.sent_s or time.perf_counter()) - begun_s
        cpu_s = time.thread_time() - cpu_s
        onnx, kernel, journal, sync = (watch.seconds[name] for name in (*PARTS, "sync"))
        self.closes.append(Close(idle, whole, cpu_s, onnx, kernel, journal, sync))


def main() -> None:
    files = four_instruments()
    instruments = [Instrument("binance", symbol) for symbol in files]
    with stored(files, "live") as (_, store, folder):
        output = _measure(store, instruments, folder / "run")
    sys.stdout.write(json.dumps(output) + "\n")


def _measure(store: CandleStore, instruments: list[Instrument], folder: Path) -> dict[str, Any]:
    plan, scorers = _plan(store, instruments)
    state, watch = plan.state, Stopwatch()
    models = Models({name: watch.timed("onnx", scorer) for name, scorer in scorers.items()})
    load_machine_code(state, models)
    state.scratch.calls = LiveCalls._make(watch.timed("kernel", f) for f in bind_calls(state))
    journal = RunJournal(folder, sync_ms=10**9)
    make_durable = watch.timed("sync", journal.sync)
    journal.event = watch.timed("journal", journal.event)  # type: ignore[method-assign]
    journal.effects = watch.timed("journal", journal.effects)  # type: ignore[method-assign]
    inbox, clock = deque[Event](), VirtualClock(state.at_ms)
    venue = TimedVenue(state.params, len(instruments), inbox.append, clock.now_ms)
    loop = TimedLoop(state, journal, venue, models, clock, inbox, (), make_durable)
    venue.stopwatch = loop.stopwatch = watch
    loop.closes = []
    market = HistoryMarket(loop, venue, clock)
    loop.process(RunStarted(plan.setup))
    raised = raise_priority()
    with frozen_heap():
        for t in range(len(plan.feed)):
            market.instant(plan.feed, t, plan.warming(t))
    journal.close()
    syncs_s = [close.sync for close in loop.closes if close.sync]
    return {
        "figures": {
            **_quantiles("", [close for close in loop.closes if not close.idle]),
            **_quantiles("idle_", [close for close in loop.closes if close.idle]),
            "sync_p50_ms": _ms(syncs_s, 0.5),
            "sync_p99_ms": _ms(syncs_s, 0.99),
        },
        "closes": len(loop.closes),
        "closes_with_orders": len(syncs_s),
        "orders": watch.orders,
        "priority_raised": raised,
    }


def _plan(store: CandleStore, instruments: list[Instrument]) -> tuple[RunPlan, Scorers]:
    """Return a run in which all but the day's models are warm, and the opened models."""
    choices, models = [], {}
    for instrument in instruments:
        kept, ensemble = ensemble_of(instrument.key)
        choices.append(SlotChoice(instrument, ensemble, is_champion=True))
        for member in ensemble.members:
            package = kept.member(member)
            models[member.package_hash] = open_model(package.graph, N_FEATURES, package.card.ref)
    from_ms = _common_window(store)[0] + AFTER_DAYS * DAY_MS
    plan = plan_run(
        store, choices, list(WEIGHTS), instruments[0], from_ms, from_ms + DAYS * DAY_MS, 1e6,
        Rules(), 0.25, "bench",
    )  # fmt: skip
    return named(plan, "history/live"), models


def _is_measured(close_ms: int) -> bool:
    return sum(close_ms % tf.ms == 0 for tf in WEIGHTS) >= TIMEFRAMES_DUE


def _quantiles(prefix: str, closes: list[Close]) -> dict[str, float]:
    """Return p50 and p99 of the closes without their sync, and of their parts."""
    wholes_s = [close.whole - close.sync for close in closes]
    parts = {part: [float(getattr(close, part)) for close in closes] for part in ("cpu", *PARTS)}
    parts["python"] = [
        whole - close.onnx - close.kernel - close.journal
        for whole, close in zip(wholes_s, closes, strict=True)
    ]
    named_s = {"": wholes_s, **{f"{part}_": seconds for part, seconds in parts.items()}}
    return {
        f"{prefix}{name}p{round(q * 100)}_ms": _ms(seconds, q)
        for name, seconds in named_s.items()
        for q in (0.5, 0.99)
    }


def _ms(seconds: list[float], q: float) -> float:
    return float(np.quantile(seconds, q)) * 1e3 if seconds else 0.0


if __name__ == "__main__":
    main()
