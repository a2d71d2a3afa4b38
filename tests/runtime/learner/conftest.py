"""A small world for the learner (an edge in BTC, none in ETH), and runs played into it."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from tests.planted import TOO_GOOD

from ares.adapters.model_store import ModelStore
from ares.adapters.worker_pool import Task, TaskFailed, WorkerPool
from ares.bootstrap.learner import learner_of
from ares.bootstrap.trade_rules import rules_of
from ares.bootstrap.training import training_rules
from ares.config.workspace import Workspace
from ares.domain.events import BarsClosed, Effect, Event, RunStarted, TradeClosed
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.model import Ensemble
from ares.domain.model_events import ModelPublished, SlotChanged
from ares.domain.run import RunInstrument, RunSetup
from ares.domain.stretch import BarsStretch
from ares.domain.timeframe import Timeframe
from ares.kernel.bars import Bars
from ares.runtime.learner.drift_job import DriftJob
from ares.runtime.training.aggregate_job import (
    AggregateDone,
    AggregateJob,
    aggregate_members,
    ensemble_of,
)
from ares.runtime.training.job import PackageDone, PackageJob, train_package
from ares.runtime.training.plan import package_jobs
from ares.runtime.training.train import TrainingRequest
from ares.runtime.validation.request import ValidationRequest
from ares.store.candles import CandleStore
from ares.store.database import open_database

HOUR = 3_600_000
START_MS = 1_672_531_200_000  # 2023-01-01
HOURS, TRAINED_HOURS = 2_000, 1_850
FROM_MS = START_MS + 1_860 * HOUR
NOW = datetime(2023, 3, 20, tzinfo=UTC)
EASY = {"margin_sds": 1.0, "trades_min": 5, "dsr_min": 0.0, **TOO_GOOD}
"""So few bars show that a refit is not worse only with a wide margin; noise fails all the same."""


@dataclass(frozen=True)
class SmallWorld:
    """A workspace with an ensemble of BTC (an edge) and one of ETH (noise), by their hashes."""

    workspace: Workspace
    edge: str
    noise: str


def make_world(root: Path, bars_of: Callable[..., Bars]) -> SmallWorld:
    Workspace.init(root)
    content = {
        "symbols": ["BTC/USDT", "ETH/USDT"],
        "timeframes": {"intervals": [{"interval": "1h", "weight": 1.0}]},
        "promotion": EASY,
        "learning": {"workers": 1},
        "learner": {"nice": 0},  # on a busy machine whoever stands back waits for minutes
    }
    (root / "ares.yaml").write_text(yaml.safe_dump(content))
    engine = open_database(f"sqlite:///{(root / 'ares.db').resolve()}")
    store = CandleStore(engine, root / "cache")
    for symbol, drift in (("BTC/USDT", 0.003), ("ETH/USDT", 0.0)):
        spec = InstrumentSpec(Instrument("binance", symbol), 4, 4)
        bars = bars_of(HOURS, 1, drift=drift, volume_least=1_000.0)
        store.save(spec, "1h", bars, "made for a test")
    engine.dispose()
    workspace = Workspace(root)
    request = TrainingRequest(to_ms=START_MS + TRAINED_HOURS * HOUR)
    jobs, _ = package_jobs(training_rules(workspace), request, NOW)
    hashes = {job.instruments[0].key: _trained(workspace, job).hash for job in jobs}
    return SmallWorld(workspace, hashes["binance:BTC/USDT"], hashes["binance:ETH/USDT"])


def _trained(workspace: Workspace, job: PackageJob) -> Ensemble:
    """Do what ``train`` does, without MLflow: its database alone takes longer."""
    settings, models = workspace.settings, ModelStore(workspace.models_dir)
    done = train_package(job)
    assert isinstance(done, PackageDone)
    [instrument], timeframe = job.instruments, job.recipe.timeframe
    joining = AggregateJob(
        instrument, {timeframe: done.scores[instrument]}, {timeframe: 1.0},
        job.recipe.label, settings.strategy.edge_bps_min, job.recipe.seed, job.source,
        rules_of(settings), settings.account.capital_quote,
    )  # fmt: skip
    joined = aggregate_members(joining)
    assert isinstance(joined, AggregateDone)
    members = {timeframe: (models.add(done.package), job.recipe)}
    ensemble = ensemble_of(joining, joined, members, job.created_at)
    models.save_ensemble(ensemble)
    return ensemble


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory, bars_of: Callable[..., Bars]) -> SmallWorld:
    """Return the world; nobody changes it."""
    return make_world(tmp_path_factory.mktemp("learner") / "w", bars_of)


@pytest.fixture(scope="session")
def done_before() -> dict[Any, Any]:
    """Return what was computed in this session, by job: trainings are equal, and slow."""
    return {}


@pytest.fixture
def another(tmp_path: Path, small: SmallWorld) -> Callable[[], SmallWorld]:
    """Return what copies the world, to be changed."""
    import shutil

    def copy() -> SmallWorld:
        shutil.copytree(small.workspace.root, tmp_path / "w")
        return SmallWorld(Workspace(tmp_path / "w"), small.edge, small.noise)

    return copy


class Here(WorkerPool):
    """Does every task here, none that was done before; ``broken``: what it gives instead, by a part
    of the label.
    """

    def __init__(self, known: dict[Any, Any], broken: dict[str, str] | None = None) -> None:
        super().__init__(1)
        self.known, self.broken = known, broken or {}
        self.labels: list[str] = []

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Any]]:
        for task in tasks:
            self.labels.append(task.label)
            wrong = next(
                (error for part, error in self.broken.items() if part in task.label),
                None,
            )
            yield task, TaskFailed(wrong) if wrong else self._result(task)

    def _result(self, task: Task) -> Any:
        job = task.argument
        if isinstance(job, DriftJob | ValidationRequest):
            # The same models lie in the folder of another test.
            job = replace(job, config=replace(job.config, run_models=Path()))
        key = (task.function.__name__, pickle.dumps(job))
        if key not in self.known:
            self.known[key] = task.function(task.argument)
        return self.known[key]


class WrongResult(WorkerPool):
    """Returns a result of the wrong type for tasks with ``part`` in their label."""

    def __init__(self, pool: WorkerPool, part: str, wrong: object) -> None:
        super().__init__(1)
        self._inner, self._part, self._wrong = pool, part, wrong

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Any]]:
        for task in tasks:
            if self._part in task.label:
                yield task, self._wrong
            else:
                yield from self._inner.run([task])


def loss(ts_ms: int, lane: int = 0) -> TradeClosed:
    return TradeClosed(
        lane, True, ts_ms - 5 * HOUR, ts_ms, 100.0, 99.0, 1, 0, 0, -40.0, 0.6, 10.0, "time",
        "learning", 0.5,
    )  # fmt: skip


@dataclass
class Play:
    """Plays instants into a learner as the loop does, and keeps what it journals.

    crash : asked with the number of an entry that was journaled; True: this process ends there.
    stretches : instants in which the learner has nothing to do are shown to it at once.
    """

    learner: Any
    journal: list[tuple[Event, list[Effect]]] = field(default_factory=list)
    crash: Callable[[int], bool] = lambda _: False
    stretches: bool = False
    instants_in_stretches: int = 0

    def put(self, event: Event, effects: Sequence[Effect] = ()) -> None:
        self.journal.append((event, list(effects)))
        self.learner.watch(len(self.journal), event, list(effects))
        if self.crash(len(self.journal)):
            raise KeyboardInterrupt

    def instants(self, hours: range, losses: Sequence[int], lanes: int = 1) -> None:
        stretched = range(0)
        for k in hours:
            now_ms = FROM_MS + k * HOUR
            for event in self.learner.due(now_ms):
                self.put(event, self._slots(event, now_ms))
            if k in stretched:
                continue
            closed = [loss(now_ms, lane) for lane in range(lanes)] if k in losses else []
            if self.stretches and not closed:
                stretched = self._stretch(k, hours, losses)
            if k not in stretched:
                self.put(BarsClosed(now_ms, b"", b"", b""), closed)

    def _stretch(self, first: int, hours: range, losses: Sequence[int]) -> range:
        """Show the learner the hours from ``first`` on in which it has nothing to do at once."""
        quiet_until_ms, end = self.learner.quiet_until_ms(), first
        while end in hours and end not in losses and FROM_MS + end * HOUR < quiet_until_ms:
            self.journal.append((BarsClosed(FROM_MS + end * HOUR, b"", b"", b""), []))
            end += 1
        if end > first:
            last_ms = struct.pack("<q", FROM_MS + (end - 1) * HOUR)
            self.learner.watch_stretch(BarsStretch(0, last_ms, b"", b"", b"", b"", b""))
            self.instants_in_stretches += end - first
        return range(first, end)

    def _slots(self, event: Event, now_ms: int) -> list[Effect]:
        if not isinstance(event, ModelPublished):
            return []
        name = event.ensemble.hash
        started = self.journal[0][0]
        assert isinstance(started, RunStarted)
        champion = started.setup.instruments[event.instrument].ensemble
        lanes = ("" if champion is None else champion.hash, name)
        return [
            SlotChanged(
                event.instrument, now_ms, "published", name, lanes, ("champion", "shadow"), "", "",
                "",
            )
        ]  # fmt: skip

    def of(self, kind: type) -> list[Any]:
        return [event for event, _ in self.journal if isinstance(event, kind)]

    @property
    def bytes(self) -> bytes:
        return msgspec.msgpack.encode(self.journal)


def setup_of(workspace: Workspace, *hashes: str, learns: bool = True) -> RunSetup:
    """Return a run of these ensembles, each champion of its instrument.

    learns : with lanes for challengers.
    """
    found = [ModelStore(workspace.models_dir).ensemble(name) for name in hashes]
    specs = [InstrumentSpec(Instrument.parse(one.instrument), 4, 4) for one in found]
    instruments = tuple(
        RunInstrument(spec, HOUR, ensemble, True)
        for spec, ensemble in zip(specs, found, strict=True)
    )
    empty = tuple(RunInstrument(spec, HOUR, None, False) for spec in specs)
    return RunSetup(
        "history/test", instruments + empty * learns, (Timeframe.H1,), 0, FROM_MS,
        FROM_MS + 200 * HOUR, FROM_MS, 10_000.0, {}, 0.25, {}, challenger_lanes=learns,
    )  # fmt: skip


def play(
    workspace: Workspace, folder: Path, hours: range, losses: Sequence[int], *hashes: str,
    pool: WorkerPool | None = None, before: Sequence[tuple[Event, list[Effect]]] = (),
    crash: Callable[[int], bool] = lambda _: False, stretches: bool = False,
) -> Play:  # fmt: skip
    """Play a run, from its begin or behind the entries that were journaled ``before``."""
    setup = setup_of(workspace, *hashes)
    learner = learner_of(workspace, setup, folder, pool)
    playing = Play(learner, list(before), crash, stretches)
    try:
        if before:
            for seq, (event, effects) in enumerate(before, 1):
                learner.watch(seq, event, effects)
        else:
            playing.put(RunStarted(setup))
        playing.instants(hours, losses, len(hashes))
    except KeyboardInterrupt:
        pass
    finally:
        learner.close()
    return playing


@pytest.fixture
def here(done_before: dict[Any, Any]) -> Callable[..., Here]:
    """Return what makes a pool that does every task here: ``broken`` as in Here."""

    def make(broken: dict[str, str] | None = None, known: dict[Any, Any] | None = None) -> Here:
        return Here(done_before if known is None else known, broken)

    return make


@pytest.fixture
def wrong_result() -> type[WrongResult]:
    """Return a pool whose workers return a wrong type."""
    return WrongResult


@pytest.fixture(name="play")
def play_() -> Callable[..., Play]:
    """Return what plays a run."""
    return play


@pytest.fixture(name="setup_of")
def setup_of_() -> Callable[..., RunSetup]:
    """Return what makes the setup of a run of these ensembles."""
    return setup_of


@pytest.fixture
def playing() -> type[Play]:
    """Return what plays instants into a learner of the test's own."""
    return Play


@pytest.fixture(name="loss")
def loss_() -> Callable[..., TradeClosed]:
    """Return what makes a trade that lost."""
    return loss
