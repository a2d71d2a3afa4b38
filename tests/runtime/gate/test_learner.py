"""The learner of a history run: the same journal teaches the same, whatever happens to workers."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from ares.adapters.model_store import ModelStore
from ares.config.workspace import Workspace
from ares.domain.events import (
    BarsClosed,
    DriftMeasured,
    Effect,
    Event,
    ModelPublished,
    RetrainingEnded,
    RetrainingStarted,
    RunStarted,
    SlotChanged,
    TradeClosed,
)
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.run import RunInstrument, RunSetup
from ares.domain.timeframe import Timeframe
from ares.runtime.learner import Learner, learner_of
from ares.runtime.worker_pool import Task, WorkerPool

HOUR = 3_600_000
START_MS = 1_672_531_200_000
FROM_MS = START_MS + 3_800 * HOUR
HOURS = 190


def loss(ts_ms: int, net_bps: float = -40.0) -> TradeClosed:
    return TradeClosed(
        0, True, ts_ms - 5 * HOUR, ts_ms, 100.0, 99.0, 1, 0, 0, net_bps, 0.6, 10.0, "time",
        "learning", 0.5,
    )  # fmt: skip


@dataclass
class Play:
    """Plays a run's instants into a teacher as the loop does, and keeps what it journals."""

    teacher: Any
    journal: list[tuple[Event, list[Effect]]] = field(default_factory=list)

    def put(self, event: Event, effects: Sequence[Effect] = ()) -> None:
        self.journal.append((event, list(effects)))
        self.teacher.watch(len(self.journal), event, list(effects))

    def instants(self, first: int, last: int, losses: Sequence[int]) -> None:
        for k in range(first, last):
            now_ms = FROM_MS + k * HOUR
            for event in self.teacher.due(now_ms):
                effects: list[Effect] = []
                if isinstance(event, ModelPublished):
                    name = event.ensemble.hash
                    effects = [
                        SlotChanged(0, now_ms, "published", self.champion, name, "shadow", "", "")
                    ]
                self.put(event, effects)
            bars = BarsClosed(now_ms, b"", b"", b"")
            self.put(bars, [loss(now_ms)] if k in losses else [])

    @property
    def champion(self) -> str:
        started = self.journal[0][0]
        assert isinstance(started, RunStarted)
        ensemble = started.setup.instruments[0].ensemble
        return "" if ensemble is None else ensemble.hash

    def of(self, kind: type) -> list[Any]:
        return [event for event, _ in self.journal if isinstance(event, kind)]

    @property
    def bytes(self) -> bytes:
        return msgspec.msgpack.encode(self.journal)


def setup_of(workspace: Workspace, ensemble_hash: str) -> RunSetup:
    ensemble = ModelStore(workspace.models_dir).ensemble(ensemble_hash)
    spec = InstrumentSpec(Instrument.parse(ensemble.instrument), 4, 4)
    return RunSetup(
        environment="history/test",
        instruments=(RunInstrument(spec, HOUR, ensemble, True),),
        timeframes=(Timeframe.H1,),
        reference=0,
        from_ms=FROM_MS,
        to_ms=FROM_MS + HOURS * HOUR,
        warm_ms=FROM_MS,
        cash_quote=10_000.0,
        rules={},
        validation_discount=0.25,
        hashes={},
    )
def test_try(world: Any, tmp_path: Path) -> None:
    setup = setup_of(world.workspace, world.first)
    import time
    out=[]
    for name in ("a","b"):
        t=time.perf_counter()
        teacher = learner_of(world.workspace, setup, tmp_path / name)
        play = Play(teacher)
        play.put(RunStarted(setup))
        play.instants(0, 60, [20, 24, 40])
        teacher.close()
        for e,_ in play.journal:
            if not isinstance(e,(BarsClosed,RunStarted,ModelPublished)): print(e)
        print([e.ensemble.hash for e in play.of(ModelPublished)], time.perf_counter()-t)
        out.append(play.bytes)
    assert out[0]==out[1]
def test_drift_now(world: Any, tmp_path: Path) -> None:
    from ares.runtime.drift_job import DriftJob, measure_drift
    import time
    e = ModelStore(world.workspace.models_dir).ensemble(world.first)
    for k in (24, 190):
        t=time.perf_counter()
        print(measure_drift(DriftJob(world.workspace, tmp_path/"m", e, FROM_MS + k*HOUR, 0)), time.perf_counter()-t)
