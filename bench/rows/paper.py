"""Row: from a closed bar to its orders in the loop of paper trading, training beside it or not.

    python -m bench.rows.paper

``paper_engine`` as ``ares run --env paper`` builds it (4 instruments x 6 timeframes, models of 200
trees, hot swap and watchers), fed by a task that posts bars as the venue's feed does. Measured are
the closes at which four or more timeframes are due, from posting the bar to the last order at the
venue (without one, to the end of the event), journal written; each ``PAUSE_S`` after the one
before, so that the others had the processor meanwhile. First with nothing beside it, then
(``training_``) while a pool of two processes of low priority trains models, one after the other, as
the learner does.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from ares.adapters.simulated_venue import SimulatedVenue
from ares.bootstrap.training import train
from ares.core.models import Models, Scorers
from ares.core.snapshot import snapshot
from ares.domain.events import Command
from ares.domain.instrument import Instrument
from ares.runtime.engine import paper_engine as engine
from ares.runtime.engine.clocks import RunningClock
from ares.runtime.engine.hot_swap import HotSwap
from ares.runtime.engine.live_run import LiveRun, start_event
from ares.runtime.engine.plan import RunPlan
from ares.runtime.engine.quiet import frozen_heap, load_machine_code, raise_priority
from ares.runtime.engine.recovery import Recovery
from ares.runtime.engine.serving import ServedModels
from ares.runtime.training.plan import TrainingRequest
from ares.runtime.training.train import training_pool
from bench.bars import four_instruments
from bench.rows.live import _is_measured, _ms, _plan
from bench.rows.retraining import made
from bench.stored import stored

PAUSE_S = 0.02
CLOSES = 300
"""Of each measurement, warm-up excluded."""
WARM_CLOSES = 20
NS_PER_MS = 1_000_000
TRAINED = 4


class NotedVenue(SimulatedVenue):
    """The simulated venue, which notes when the newest order was handed over."""

    sent_s = 0.0

    def send(self, command: Command) -> None:
        """Carry a command out."""
        NotedVenue.sent_s = time.perf_counter()
        super().send(command)


class BarTimes:
    """Posts the bars of a plan, and measures how long those take that are measured."""

    def __init__(self, plan: RunPlan) -> None:
        self._plan = plan
        self._next = 0
        self.now_ns = 0
        self.clock = RunningClock(int(plan.state.now_ms), 1.0, lambda: self.now_ns)
        self._began_ms = int(plan.state.now_ms)

    async def measure(self, run: LiveRun, closes: int) -> list[float]:
        """Post bars until so many closes were measured; return their seconds."""
        feed, seconds = self._plan.feed, list[float]()
        while len(seconds) < closes and self._next < len(feed):
            t, self._next = self._next, self._next + 1
            close_ms, warming = int(feed.close_ms[t]), self._plan.warming(t)
            measured = not warming and _is_measured(close_ms)
            if measured:
                await asyncio.sleep(PAUSE_S)
            event = feed.event(t, warming)
            self.now_ns = (close_ms - self._began_ms) * NS_PER_MS
            begun_s, NotedVenue.sent_s = time.perf_counter(), 0.0
            run.post(event)
            while run.state.now_ms < close_ms:
                await asyncio.sleep(0)
            if measured:
                seconds.append((NotedVenue.sent_s or time.perf_counter()) - begun_s)
        return seconds


def main() -> None:
    if sys.argv[1:] == ["train"]:
        _train_until_closed()
        return
    files = four_instruments()
    instruments = [Instrument("binance", symbol) for symbol in files]
    with stored(files, "paper") as (_, store, folder):
        plan, scorers = _plan(store, instruments)
        figures = asyncio.run(_measure(plan, scorers, folder / "run"))
    sys.stdout.write(json.dumps({"figures": figures, "closes": CLOSES}) + "\n")


async def _measure(plan: RunPlan, scorers: Scorers, folder: Path) -> dict[str, float]:
    serving = ServedModels(scorers)
    models = Models(serving.scorers)
    swap = HotSwap(serving, lambda _: {})
    recovered = Recovery(folder, swap, models).start(plan.setup, snapshot(plan.state))
    load_machine_code(recovered.state, models)
    bars = BarTimes(plan)
    vars(engine)["SimulatedVenue"] = NotedVenue
    run = engine.paper_engine(folder, recovered, models, swap, bars.clock)
    alone, training = list[float](), list[float]()
    raised = raise_priority()

    async def feed() -> None:
        await bars.measure(run, WARM_CLOSES)
        alone.extend(await bars.measure(run, CLOSES))
        with _Trainer() as trainer:
            await asyncio.to_thread(trainer.wait_until_training)
            await bars.measure(run, WARM_CLOSES)
            training.extend(await bars.measure(run, CLOSES))
        run.stop("the bench")

    with frozen_heap():
        await run.run([start_event(recovered, True, {}, "bench")], [feed])
    swap.close()
    return {
        "p50_ms": _ms(alone, 0.5),
        "p99_ms": _ms(alone, 0.99),
        "training_p50_ms": _ms(training, 0.5),
        "training_p99_ms": _ms(training, 0.99),
        "priority_raised": float(raised),
    }


class _Trainer:
    """A process that trains models until it is closed."""

    def __enter__(self) -> _Trainer:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.rows.paper", "train"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        return self

    def wait_until_training(self) -> None:
        """Wait until its workers have everything imported and compiled."""
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise RuntimeError("the training ended before it began")

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is not None:
            raise RuntimeError("the training ended before the measurement")
        self._process.communicate()


def _train_until_closed() -> None:
    """Train models on two processes until standard input ends."""
    closed = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        closed.set()

    threading.Thread(target=wait, daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="paper_") as folder:
        workspace = made(Path(folder) / "w", TRAINED)
        with training_pool(2) as workers:
            train(workspace, TrainingRequest(symbols=("S00/USDT", "S01/USDT")), pool=workers)
            sys.stdout.write("training\n")
            sys.stdout.flush()
            while not closed.is_set():
                train(workspace, TrainingRequest(), pool=workers)


if __name__ == "__main__":
    main()
