"""A week over sockets: ``python -m tests.sim.paper.week``.

`ares sim serve` at 600 times real time, the paper engine with ccxt, its learner and its table
worker as real processes, one fault after another on command. Memory, descriptors and latency are
measured; at the end every minute must have been processed, and the run is certified.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tests.sim.paper.checks import findings
from tests.sim.paper.market import Market, make_workspace
from tests.sim.paper.processes import LEARNER, Engine, EngineEnded, Server, descriptors, rss_mb

from ares.config.workspace import Workspace
from ares.domain.errors import AresError
from ares.domain.events import BarsClosed
from ares.domain.feed_events import FeedChanged
from ares.domain.timeframe import DAY_MS, MINUTE_MS
from ares.domain.utc import utc_text
from ares.journal.run import entries
from ares.sim.serve.admin import SimAdmin
from ares.sim.serve.faults import parse_fault

FAULTS = (
    "drop:probability=0.2", "duplicate:probability=0.2", "reorder:probability=0.2",
    "latency:ms=500", "http_429", "http_503", "html:probability=0.5", "not_json:probability=0.5",
    "big:count=2", "mute", "gap:minutes=30", "close:count=1", "wrong_clock:ms=-3000",
)  # fmt: skip
FAULT_S, PAUSE_S = 6.0, 60.0
SAMPLE_S = 10.0
SETTLED = 0.3
"""Share of the samples before memory is compared."""


class Sample(NamedTuple):
    """What was measured of the processes; sizes in MB."""

    wall_s: float
    engine_mb: float
    descriptors: int
    learner_mb: float
    server_mb: float


class Bars(NamedTuple):
    """What a journal says of its feed.

    kinds  : events by kind. late_s : wall time from the close of a minute to its event, of those
             that were decided on.
    missing : minutes without an event. doubled : minutes with more than one.
    """

    kinds: Counter[str]
    states: Counter[str]
    late_s: list[float]
    missing: int
    doubled: int


def bars_of(workspace: Workspace, speed: float) -> Bars:
    """Return what the journal says."""
    kinds, states, late_s = Counter[str](), Counter[str](), list[float]()
    minutes = Counter[int]()
    for entry in entries(workspace.journal_dir / "paper"):
        event = entry.event
        if isinstance(event, FeedChanged):
            states[event.state] += 1
        if not isinstance(event, BarsClosed):
            continue
        kinds[event.kind] += 1
        if event.kind in ("closing", "catch_up"):
            minutes[event.ts_ms // MINUTE_MS] += 1
        if event.kind == "closing":
            late_s.append((entry.at_ms - event.ts_ms) / 1_000.0 / speed)
    span = max(minutes) - min(minutes) + 1
    doubled = sum(n > 1 for n in minutes.values())
    return Bars(kinds, states, late_s, span - len(minutes), doubled)


class Week:
    """One run: a server, an engine, faults in turn."""

    def __init__(self, workspace: Workspace, market: Market, speed: float, folder: Path) -> None:
        self._market, self._speed = market, speed
        words = ["--protocol", market.venue, "--synthetic", str(market.seed)]
        words += ["--edge", str(market.edge), "--days", str(market.days), "--speed", str(speed)]
        words += [word for symbol in market.symbols for word in ("-s", symbol)]
        self.server = Server(folder, *words, "--from", utc_text(market.from_ms))
        self._admin = SimAdmin(self.server.address)
        self.engine = Engine(workspace, "--address", self.server.address, "--learn")
        self.samples: list[Sample] = []
        self.faults: Counter[str] = Counter()
        self._began_s = time.monotonic()

    def run(self, days: float, seed: int) -> None:
        """Run for so many days of the market."""
        self.engine.await_beat()
        chance, until_ms = random.Random(seed), self._market.from_ms + days * DAY_MS
        drawn = self._drawn(chance)
        fault_s = sample_s = time.monotonic()
        now_ms = 0
        while now_ms < until_ms:
            self.engine.require_alive()
            if time.monotonic() >= fault_s and now_ms < until_ms - DAY_MS // 4:
                fault_s = time.monotonic() + (PAUSE_S if self._fault(next(drawn)) else 0.0)
            if time.monotonic() >= sample_s:
                self._sample()
                sample_s = time.monotonic() + SAMPLE_S
            time.sleep(0.5)
            with suppress(AresError):  # the door of the server fails with it
                now_ms = int(self._admin.clock()["market_ms"])

    def _drawn(self, chance: random.Random) -> Iterator[str]:
        while True:
            yield from chance.sample(FAULTS, len(FAULTS))

    def _fault(self, text: str) -> bool:
        kind, _, values = text.partition(":")
        words = [value for value in (values, f"seconds={FAULT_S}") if value]
        with suppress(AresError):
            self._admin.add(parse_fault(f"{kind}:{','.join(words)}"))
            self.faults[kind] += 1
            return True
        return False

    def _sample(self) -> None:
        learner = self.engine.worker(LEARNER) or 0
        found = Sample(
            round(time.monotonic() - self._began_s, 1), rss_mb(self.engine.pid),
            descriptors(self.engine.pid), rss_mb(learner), rss_mb(self.server.pid),
        )  # fmt: skip
        self.samples.append(found)
        _say(" ".join(f"{name}={value:.1f}" for name, value in found._asdict().items()))


def main() -> int:
    """Run; 1: something does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=float, default=7.0)
    parser.add_argument("--speed", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("build/paper_week"))
    chosen = parser.parse_args()
    folder, market = chosen.folder.resolve(), Market()
    folder.mkdir(parents=True, exist_ok=True)
    workspace = make_workspace(folder / "workspace", market)
    week = Week(workspace, market, chosen.speed, folder)
    found: list[str] = []
    try:
        week.run(chosen.days, chosen.seed)
        week.engine.stop()
    except (EngineEnded, TimeoutError) as error:
        found.append(str(error))
    finally:
        week.engine.kill()
        week.server.close()
    (folder / "samples.json").write_text(json.dumps([s._asdict() for s in week.samples]))
    found += _judged(workspace, week, chosen.speed)
    for line in found:
        _say(f"does not hold: {line}")
    return 1 if found else 0


def _judged(workspace: Workspace, week: Week, speed: float) -> list[str]:
    """Print the numbers; return what does not hold."""
    settled = week.samples[int(SETTLED * len(week.samples)) :]
    days = np.array([s.wall_s for s in settled]) * speed / 86_400.0
    slope = float(np.polyfit(days, [s.engine_mb for s in settled], 1)[0])
    bars = bars_of(workspace, speed)
    late = np.percentile(bars.late_s or [0.0], [50, 99, 100])
    _say(
        f"faults {dict(week.faults)}; events {dict(bars.kinds)}, feed {dict(bars.states)};"
        f" missing {bars.missing}, twice {bars.doubled}; a closed minute is processed after"
        f" {late[0]:.3f} s (p50), {late[1]:.3f} s (p99), {late[2]:.3f} s at most"
    )
    _say(
        f"engine {max(s.engine_mb for s in week.samples):.0f} MB at most, {slope:+.2f} MB a day"
        f" of the market; descriptors {min(s.descriptors for s in settled)} to"
        f" {max(s.descriptors for s in settled)}"
    )
    found = list(findings(workspace, set()))
    if bars.missing or bars.doubled:
        found.append(f"{bars.missing} minutes are missing, {bars.doubled} came twice")
    return found


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
