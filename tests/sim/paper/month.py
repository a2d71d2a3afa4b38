"""Months of paper trading, compressed: ``python -m tests.sim.paper.month``.

The real engine with journal, tables, learner and models, on 1m bars of four symbols by an
in-process feed that loses its connection every hour, as fast as the machine allows. A line a day
says what has grown; the verdict, whether it stays within its bounds.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from tests.runtime.engine.stored_source import StoredSource
from tests.sim.paper.in_process import Deliver, rehearse
from tests.sim.paper.market import Market, make_workspace
from tests.sim.paper.processes import LEARNER, TABLES, children, command_of, descriptors, rss_mb

from ares.bootstrap.real_time import PAPER, RealTimeStart
from ares.bootstrap.real_time_plan import RealTimeRequest
from ares.config.workspace import Workspace
from ares.core.snapshot import snapshot
from ares.domain.events import BarsClosed, Effect, Event
from ares.domain.model_events import ModelPublished, RetrainingEnded
from ares.domain.order_events import SubmitOrder
from ares.domain.timeframe import DAY_MS, HOUR_MS, MINUTE_MS
from ares.kernel.bars import Bars
from ares.runtime.engine.clocks import RunningClock
from ares.runtime.engine.live_run import LiveRun

DROP_MINUTES = 5
SETTLED_DAYS = 3
"""Days before memory is compared: caches and pools fill up."""

RSS_MB_MAX, SLOPE_MB_MAX = 400.0, 1.0


class Day(NamedTuple):
    """What was measured at the end of a day of the market; sizes in MB."""

    day: int
    wall_s: float
    engine_mb: float
    descriptors: int
    threads: int
    learner_mb: float
    training_mb: float
    learner_descriptors: int
    tables_mb: float
    journal_mb: float
    snapshots_mb: float
    database_mb: float
    models_mb: float
    state_kb: float
    events: int
    orders: int
    trainings: int
    published: int


class Month:
    """Watches an engine and measures at the end of each day."""

    def __init__(self, workspace: Workspace, began_ms: int, minutes: float, days: int) -> None:
        self._workspace, self._began_ms = workspace, began_ms
        self._pace_s = 60.0 * minutes / days
        self._next_ms = began_ms + DAY_MS
        self._began_s = time.monotonic()
        self.days: list[Day] = []
        self.orders = self.trainings = self.published = self.late = 0
        self.run: LiveRun | None = None

    def watch(self, seq: int, event: Event, effects: Sequence[Effect]) -> None:
        """Take an event."""
        self.orders += sum(isinstance(e, SubmitOrder) for e in effects)
        self.trainings += isinstance(event, RetrainingEnded)
        self.published += isinstance(event, ModelPublished)
        if not isinstance(event, BarsClosed):
            return
        self.late += event.kind == "late"
        if event.ts_ms >= self._next_ms:
            self._next_ms += DAY_MS
            self._wait()
            self._measure(seq)

    def _wait(self) -> None:
        """Give the processes beside the engine time, as they have in a real day."""
        left_s = self._began_s + self._pace_s * (len(self.days) + 1) - time.monotonic()
        time.sleep(max(0.0, left_s))

    def _measure(self, seq: int) -> None:
        assert self.run is not None
        own = int(Path("/proc/self").resolve().name)
        workers = {name: _worker_pid(own, name) for name in (LEARNER, TABLES)}
        folder, root = self._workspace.journal_dir / PAPER, self._workspace.root
        learner = workers[LEARNER]
        found = Day(
            len(self.days) + 1, round(time.monotonic() - self._began_s, 1), rss_mb(own),
            descriptors(own), len(list(Path("/proc/self/task").iterdir())),
            rss_mb(learner), sum(map(rss_mb, children(learner))), descriptors(learner),
            rss_mb(workers[TABLES]), _size_mb(folder.glob("*.journal")),
            _size_mb(folder.glob("snapshots/*")), _size_mb(root.glob("ares.db*")),
            _size_mb(p for p in folder.rglob("*") if {"models", "verdicts"} & set(p.parts[-4:-1])),
            len(snapshot(self.run.state)) / 1_024, seq, self.orders, self.trainings,
            self.published,
        )  # fmt: skip
        self.days.append(found)
        _say(" ".join(f"{name}={_text(value)}" for name, value in found._asdict().items()))


def run_month(workspace: Workspace, market: Market, bars: Sequence[Bars], minutes: float) -> Month:
    """Run the engine to the end of the candles; return what was measured."""
    month = Month(workspace, market.from_ms, minutes, market.days - market.history_days)

    def started(_start: RealTimeStart, run: LiveRun) -> None:
        month.run = run
        run.watch(month.watch)

    def source(clock: RunningClock, after_ms: int, deliver: Deliver) -> StoredSource:
        drops = [
            (at_ms, at_ms + DROP_MINUTES * MINUTE_MS)
            for at_ms in range(after_ms + HOUR_MS // 2, int(bars[0].ts_ms[-1]), HOUR_MS)
        ]
        return StoredSource(bars, clock, after_ms, deliver, drops)

    request = RealTimeRequest(stored=True, from_ms=market.from_ms, learn=True)
    with (workspace.logs_dir / "month.log").open("a") as log:
        rehearse(workspace, request, source, started, lambda text: _write(log, text))
    return month


def verdict(days: Sequence[Day]) -> list[str]:
    """Return what is out of its bounds, in one line each."""
    settled = days[SETTLED_DAYS:]
    found: list[str] = []
    most_mb = max(day.engine_mb for day in days)
    if most_mb > RSS_MB_MAX:
        found.append(f"the engine's memory reaches {most_mb:.0f} MB")
    for name in ("engine_mb", "tables_mb"):
        slope = slope_of(settled, name)
        if slope >= SLOPE_MB_MAX:
            found.append(f"{name} grows by {slope:.2f} MB a day")
    for name in ("descriptors", "threads", "learner_descriptors"):
        numbers = [getattr(day, name) for day in settled]
        half = len(numbers) // 2
        if half and max(numbers[half:]) > max(numbers[:half]) + 2:
            found.append(f"{name} grow: {numbers}")
    return found


def slope_of(days: Sequence[Day], name: str) -> float:
    """Return by how much a number grows each day: the slope of its regression on the day."""
    if len(days) < 3:
        return 0.0
    return float(np.polyfit([d.day for d in days], [getattr(d, name) for d in days], 1)[0])


def _worker_pid(pid: int, module: str) -> int:
    return next((child for child in children(pid) if module in command_of(child)), 0)


def _size_mb(paths: Any) -> float:
    total = 0
    for path in paths:
        try:
            total += path.stat().st_size
        except OSError:  # removed meanwhile
            continue
    return total / 1e6


def _text(value: float) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def _write(log: Any, text: str) -> None:
    log.write(f"{text}\n")
    log.flush()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _bars(folder: Path, market: Market) -> list[Bars]:
    """Return the candles that are still to come; they are made in a process of their own, so that
    the engine's has no memory of it.
    """
    path = folder / "bars.npz"
    with closing(np.load(path)) as stored:
        columns = [stored[str(i)] for i in range(len(market.symbols))]
    return [Bars.make(c[0].astype(np.int64), *c[1:6]) for c in columns]


def prepare(folder: Path, market: Market) -> None:
    """Make the workspace and the candles that are still to come."""
    make_workspace(folder / "workspace", market)
    path = folder / "bars.npz"
    if not path.exists():
        parts = {}
        for i, bars in enumerate(market.bars()):
            first = int(bars.ts_ms.searchsorted(market.from_ms))
            parts[str(i)] = np.array([column[first:] for column in bars.columns[:6]], np.float64)
        np.savez(path, allow_pickle=False, **parts)


def main() -> int:
    """Run; 1: something is out of its bounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=31)
    parser.add_argument("--history", type=int, default=30, help="days of candles before")
    parser.add_argument("--minutes", type=float, default=20.0, help="of wall time, at least")
    parser.add_argument("--folder", type=Path, default=Path("build/paper_month"))
    parser.add_argument("--prepare", action="store_true", help="only make the workspace")
    chosen = parser.parse_args()
    folder = chosen.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    market = Market(days=chosen.history + chosen.days, history_days=chosen.history)
    if chosen.prepare:
        prepare(folder, market)
        return 0
    workspace = Workspace(folder / "workspace")
    month = run_month(workspace, market, _bars(folder, market), chosen.minutes)
    (folder / "days.json").write_text(json.dumps(msgspec.to_builtins(month.days)))
    found = verdict(month.days)
    settled = month.days[SETTLED_DAYS:]
    _say(
        f"{len(month.days)} days, {month.late} late bars; a day more:"
        f" engine {slope_of(settled, 'engine_mb'):+.2f} MB, learner"
        f" {slope_of(settled, 'learner_mb'):+.2f}, trainings"
        f" {slope_of(settled, 'training_mb'):+.2f}, tables {slope_of(settled, 'tables_mb'):+.2f},"
        f" journal {slope_of(settled, 'journal_mb'):+.2f}, database"
        f" {slope_of(settled, 'database_mb'):+.2f}, snapshots"
        f" {slope_of(settled, 'snapshots_mb'):+.2f}, models {slope_of(settled, 'models_mb'):+.2f}"
    )
    for line in found:
        _say(f"out of bounds: {line}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
