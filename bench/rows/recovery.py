"""Row: from ``kill -9`` to stepping again, with a journal of 1 M events and warm caches.

    python -m bench.rows.recovery [--events 1000000]

Four instruments x 6 timeframes, bars of a random walk, no models (they are opened in 0.65 s for 24
packages, beside the imports of a venue). The journal is made once, stepped and snapshotted as an
engine does, and kept below ``.bench``. Then an engine goes on with it, every event durable, and is
killed halfway between two snapshots. What is timed is the next start, from before its process
exists to the end of its first step: interpreter and imports, setup and snapshot, the tail's events
read, verified, stepped and compared, and the first step, journaled and durable. Its tables are
written by a process of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:  # what an engine imports is timed
    from ares.domain.events import BarsClosed
    from ares.domain.run import RunSetup

EVENTS = 1_000_000
SNAPSHOT_EVENTS = 1_000
N = 4
START_MS = 1_704_067_200_000
MINUTE_MS = 60_000
ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--events", type=int, default=EVENTS)
    options.add_argument("--engine", type=Path)
    chosen = options.parse_args()
    if chosen.engine is not None:
        _engine(chosen.engine)
    folder = _made(chosen.events)
    _kill_halfway(folder)
    output = _restart(folder)
    output["events"] = chosen.events
    output["journal_mb"] = sum(p.stat().st_size for p in folder.glob("*.journal")) / 1e6
    sys.stdout.write(json.dumps({"figures": output}) + "\n")


def _made(events: int) -> Path:
    """Return the folder of a journal with so many events; make it where it is not there."""
    from ares.runtime.engine.code_version import code_hashes

    name = "-".join(value[:8] for value in code_hashes(None).values())
    folder = ROOT / ".bench" / f"recovery-{events}-{name}"
    ready = folder / "ready"
    if not ready.exists():
        shutil.rmtree(folder, ignore_errors=True)
        _write(folder, events)
        ready.touch()
    return folder


def _write(folder: Path, events: int) -> None:
    from ares.core.initial_state import new_state
    from ares.core.models import NO_MODELS
    from ares.core.snapshot import snapshot
    from ares.core.step import step
    from ares.domain.events import RunStarted
    from ares.journal.run import RunJournal
    from ares.journal.snapshots import save_snapshot

    setup = _setup()
    state = new_state(setup)
    save_snapshot(folder, 0, snapshot(state), setup=setup)
    journal = RunJournal(folder, sync_ms=50)
    for seq in range(1, events + 1):
        event = RunStarted(setup) if seq == 1 else _bars(seq)
        journal.event(seq, event, START_MS)
        effects = step(state, event, NO_MODELS, START_MS)
        journal.effects(seq, effects)
        if seq % SNAPSHOT_EVENTS == 0 and (seq % 50_000 == 0 or events - seq < 5_000):
            journal.sync()
            save_snapshot(folder, seq, snapshot(state), journal.position, setup)
    journal.close()


def _setup() -> RunSetup:
    from dataclasses import asdict

    from ares.domain.instrument import Instrument, InstrumentSpec
    from ares.domain.run import RunInstrument, RunSetup
    from ares.domain.timeframe import Timeframe
    from ares.kernel.trade import Rules

    lanes = tuple(
        RunInstrument(
            InstrumentSpec(Instrument("sim", f"T{i}/USDT"), 2, 3), MINUTE_MS, None, is_champion=True
        )
        for i in range(N)
    )
    rules = {name: float(value) for name, value in asdict(Rules()).items()}
    return RunSetup(
        "live", lanes, tuple(Timeframe), -1, START_MS, START_MS + 10**12, START_MS, 1e6, rules,
        0.25, {},
    )  # fmt: skip


def _bars(seq: int) -> BarsClosed:
    import numpy as np

    from ares.domain.events import BarsClosed

    price = 10_000 + np.arange(N) * 100 + (seq * 7_919) % 1_013
    rows = np.stack([price, price + 9, price - 9, price + 3, price / 10], axis=1) / 100.0
    return BarsClosed(START_MS + seq * MINUTE_MS, rows.tobytes(), b"\1" * N, b"\0" * N)


def _command(folder: Path) -> list[str]:
    return [sys.executable, "-m", "bench.rows.recovery", "--engine", str(folder)]


def _kill_halfway(folder: Path) -> None:
    """Let an engine go on; kill it halfway between two snapshots."""
    with subprocess.Popen(_command(folder), stdout=subprocess.PIPE, cwd=ROOT) as engine:
        assert engine.stdout is not None
        for line in engine.stdout:
            found = json.loads(line)
            if found["seq"] % SNAPSHOT_EVENTS >= SNAPSHOT_EVENTS // 2:
                break
        os.kill(engine.pid, signal.SIGKILL)


def _restart(folder: Path) -> dict[str, float]:
    """Start again, and return the parts of the time to the end of the first step."""
    os.environ["ARES_BENCH_STARTED"] = repr(time.monotonic())
    with subprocess.Popen(_command(folder), stdout=subprocess.PIPE, cwd=ROOT) as engine:
        assert engine.stdout is not None
        found: dict[str, float] = json.loads(engine.stdout.readline())
        os.kill(engine.pid, signal.SIGKILL)
    return found


def _engine(folder: Path) -> NoReturn:
    """Recover, say how long it took, and go on until killed; every event durable."""
    started = float(os.environ.get("ARES_BENCH_STARTED") or time.monotonic())
    import ares.runtime.engine.hot_swap
    import ares.runtime.engine.loop
    import ares.runtime.engine.served_models  # noqa: F401 # as an engine imports it
    from ares.core.models import NO_MODELS
    from ares.core.snapshot import snapshot
    from ares.core.step import step
    from ares.journal.lock import Lock
    from ares.journal.run import RunJournal, setup_of
    from ares.journal.snapshots import save_snapshot
    from ares.journal.verify import BackgroundCheck
    from ares.runtime.engine.recovery import Recovery

    imported = time.monotonic()
    lock = Lock(folder)  # held until it is killed
    assert lock
    setup = setup_of(folder)
    assert setup is not None
    recovered = Recovery(folder, _NoModels(), NO_MODELS).resume(setup)
    journal = RunJournal(folder, 50, end=recovered.end)
    state, replayed = recovered.state, time.monotonic()
    BackgroundCheck(folder, recovered.read_from, lambda _error: None)
    first = 0
    tail = (recovered.end.records - recovered.read_from.records) // 2
    while True:
        seq = state.seq + 1
        event = _bars(seq)
        journal.event(seq, event, START_MS)
        journal.effects(seq, step(state, event, NO_MODELS, START_MS))
        journal.durable(seq).result()
        if not first:
            first = seq
            now = time.monotonic()
            parts = {
                "seconds": now - started, "imports_s": imported - started,
                "snapshot_and_tail_s": replayed - imported,
                "first_step_s": now - replayed, "tail_events": tail, "seq": seq,
            }  # fmt: skip
            sys.stdout.write(json.dumps(parts) + "\n")
        elif seq % 100 == 0:
            sys.stdout.write(json.dumps({"seq": seq}) + "\n")
        sys.stdout.flush()
        if seq % SNAPSHOT_EVENTS == 0:
            journal.sync()
            save_snapshot(folder, seq, snapshot(state), journal.position, setup)


class _NoModels:
    """Nothing to serve."""

    def load(self, ensemble: object) -> None:
        """Serve nothing."""

    def load_all(self, state: object) -> None:
        """Serve nothing."""

    def release_unused(self, state: object, effects: object) -> None:
        """Release nothing."""


if __name__ == "__main__":
    main()
