"""A workspace with two hourly instruments whose drift can be learned from the time of day."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import yaml
from tests.planted import TOO_GOOD

from ares.adapters.model_store import ModelStore
from ares.adapters.worker_pool import InlinePool, WorkerPool
from ares.bootstrap.lifecycle import promote
from ares.bootstrap.mlflow import sync_models
from ares.bootstrap.training import train
from ares.bootstrap.validation import validate_model, validation_config
from ares.config.workspace import Workspace
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.model_life import RequestRefused, VerdictRecorded
from ares.domain.package import Package, sha256
from ares.journal.log import read
from ares.kernel.bars import Bars
from ares.runtime.lifecycle.promotion import PromotionResult
from ares.runtime.registry.model_journal import models_journal, read_registry, record
from ares.runtime.training.plan import TrainingRequest
from ares.runtime.validation.pipeline import ValidationResult
from ares.runtime.validation.validate import current_basis
from ares.store.candles import CandleStore
from ares.store.database import open_database

HOUR = 3_600_000
START_MS = 1_672_531_200_000  # 2023-01-01
MakeWorkspace = Callable[..., Workspace]


def drifting_bars(
    n: int, seed: int, interval_ms: int = HOUR, drift: float = 0.002, volume_least: float = 1.0
) -> Bars:
    """Return bars that tend to rise in the first half of the UTC day, and to fall in the second.

    volume_least : a bar's volume is this to ten times this.
    """
    draw = np.random.default_rng(seed).random((n, 3))  # row by row: more bars, same beginning
    sign = np.where(np.arange(n) * interval_ms % (24 * HOUR) < 12 * HOUR, 1.0, -1.0)
    noise = 0.005 * 12**0.5 * (draw[:, 0] - 0.5)
    close = 100.0 * np.exp(np.cumsum(drift * sign + noise))
    open_ = np.concatenate([[100.0], close[:-1]])
    wiggle = 1.0 + 0.001 * draw[:, 1]
    high, bottom = np.maximum(open_, close) * wiggle, np.minimum(open_, close) / wiggle
    ts = START_MS + np.arange(n, dtype=np.int64) * interval_ms
    o, h, low, c = (np.round(column, 4) for column in (open_, high, bottom, close))
    return Bars.make(ts, o, h, low, c, volume_least + 9.0 * volume_least * draw[:, 2])


def make_workspace(
    root: Path,
    symbols: tuple[str, ...] = ("BTC/USDT", "ETH/USDT"),
    n: int = 1800,
    intervals: tuple[str, ...] = ("1h", "4h"),
    **settings: object,
) -> Workspace:
    """Return a workspace with hourly candles of ``symbols``."""
    Workspace.init(root)
    content = {
        "symbols": list(symbols),
        "timeframes": {"intervals": [{"interval": i, "weight": 0.5} for i in intervals]},
        **settings,
    }
    (root / "ares.yaml").write_text(yaml.safe_dump(content))
    engine = open_database(f"sqlite:///{(root / 'ares.db').resolve()}")
    store = CandleStore(engine, root / "cache")
    for seed, symbol in enumerate(symbols):
        spec = InstrumentSpec(Instrument("binance", symbol), 4, 4)
        store.save(spec, "1h", drifting_bars(n, seed), "made for a test")
    engine.dispose()
    return Workspace(root)


def bars_along(drift: np.ndarray) -> Bars:
    """Return hourly bars whose log prices drift by ``drift`` an hour, with noise."""
    n = len(drift)
    noise = np.random.default_rng(5).standard_normal(n)
    close = np.round(100.0 * np.exp(np.cumsum(drift + 0.004 * noise)), 4)
    open_ = np.concatenate([[100.0], close[:-1]])
    high, low = np.maximum(open_, close) * 1.0005, np.minimum(open_, close) * 0.9995
    ts = START_MS + np.arange(n, dtype=np.int64) * HOUR
    return Bars.make(ts, open_, np.round(high, 4), np.round(low, 4), close, np.full(n, 1e3))


@pytest.fixture(scope="session", name="bars_along")
def bars_along_() -> Callable[[np.ndarray], Bars]:
    """Return the maker of bars with a given drift."""
    return bars_along


@pytest.fixture(scope="session")
def workspace_of() -> MakeWorkspace:
    """Return the maker of workspaces."""
    return make_workspace


@pytest.fixture(scope="session")
def bars_of() -> Callable[..., Bars]:
    """Return the maker of bars whose drift can be learned."""
    return drifting_bars


BTC = "binance:BTC/USDT"
HOURS = 4_000
DRIFT, SEED, VOLUME_LEAST = 0.004, 1, 1_000.0
NOW = datetime(2024, 1, 1, 12, 0, 0, tzinfo=UTC)


@dataclass(frozen=True)
class World:
    """Hashes of ensembles: ``first`` (BTC, an earlier window), ``refit`` (the same recipe on all
    bars), ``other`` (another recipe on all bars), ``noise`` (ETH).
    """

    workspace: Workspace
    pool: WorkerPool
    first: str
    refit: str
    other: str
    noise: str

    def let_pass(
        self, target: str, environment: str = "history", passed: bool = True
    ) -> VerdictRecorded:
        """Write a verdict of today's evidence on an ensemble, as ``models validate`` does."""
        workspace = self.workspace
        ensemble = ModelStore(workspace.models_dir).ensemble(target)
        book = read_registry(workspace.journal_dir)
        folder = workspace.models_dir / "verdicts"
        folder.mkdir(exist_ok=True)
        content = f"{target} {environment} {len(book.verdicts)}".encode()
        name = f"{target}_{environment}_{len(book.verdicts)}.json"
        (folder / name).write_bytes(content)
        failed = () if passed else ("e_value", "deflated_sharpe")
        judged = VerdictRecorded(
            environment, ensemble.instrument, target, passed, failed, sha256(content), "e",
            current_basis(validation_config(workspace), book, ensemble, environment), name,
            sha256(content), "now", "me",
        )  # fmt: skip
        record(workspace.journal_dir, [judged])
        return judged

    def promote(self, target: str | None, to: str = "history") -> PromotionResult:
        """Ask for a promotion by the verdict."""
        return promote(self.workspace, target, to, False, None)

    def force(self, target: str | None, to: str = "history") -> PromotionResult:
        """Ask for a forced promotion."""
        return promote(self.workspace, target, to, True, "rehearsal")

    def champion(self, environment: str = "history") -> str | None:
        """Return the hash of BTC's champion."""
        return read_registry(self.workspace.journal_dir).champions(environment).get(BTC)

    def journal(self) -> list[bytes]:
        """Return every record of the models' journal."""
        return list(read(models_journal(self.workspace.journal_dir)))

    def last_refusal(self) -> RequestRefused:
        """Return the newest refusal."""
        return read_registry(self.workspace.journal_dir).refusals[-1]

    def validated(self, target: str, environment: str = "history") -> ValidationResult:
        """Validate an ensemble."""
        return validate_model(self.workspace, target, environment, pool=self.pool)

    def package_of(self, target: str) -> Package:
        """Return an ensemble's first package."""
        models = ModelStore(self.workspace.models_dir)
        return models.member(models.ensemble(target).members[0])

    def stored(self, package: Package) -> str:
        """Store a package and the ensemble of it alone; return the ensemble's hash."""
        models = ModelStore(self.workspace.models_dir)
        ensemble = models.add(package).alone("binance:BTC/USDT", "2024-02-01T00:00:00Z")
        models.save_ensemble(ensemble)
        return ensemble.hash

    def graph_of(self, target: str) -> Path:
        """Return where the graph of an ensemble's first member lies."""
        member = ModelStore(self.workspace.models_dir).ensemble(target).members[0]
        folder = self.workspace.models_dir / "packages" / member.name / member.version
        return folder / "model.onnx"


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, bars_of: Callable[..., Bars]) -> World:
    root = tmp_path_factory.mktemp("gate") / "w"
    Workspace.init(root)
    content = {
        "symbols": ["BTC/USDT", "ETH/USDT"],
        "timeframes": {"intervals": [{"interval": "1h", "weight": 1.0}]},
        "promotion": TOO_GOOD,
    }
    (root / "ares.yaml").write_text(yaml.safe_dump(content))
    engine = open_database(f"sqlite:///{(root / 'ares.db').resolve()}")
    store = CandleStore(engine, root / "cache")
    for symbol, drift in (("BTC/USDT", DRIFT), ("ETH/USDT", 0.0)):
        spec = InstrumentSpec(Instrument("binance", symbol), 4, 4)
        bars = bars_of(HOURS, SEED, drift=drift, volume_least=VOLUME_LEAST)
        store.save(spec, "1h", bars, "made for a test")
    engine.dispose()
    workspace, pool = Workspace(root), InlinePool()
    made = []
    requests = (
        TrainingRequest(symbols=("BTC/USDT",), to_ms=START_MS + (HOURS - 200) * HOUR),
        TrainingRequest(symbols=("BTC/USDT",)),
        TrainingRequest(symbols=("BTC/USDT",), price_only=True),
        TrainingRequest(symbols=("ETH/USDT",)),
    )
    for k, request in enumerate(requests):
        report = train(workspace, request, now=lambda k=k: NOW + timedelta(hours=k), pool=pool)  # type: ignore[misc]  # a lambda's default has no type
        made.append(report.ensembles[0].hash)
    sync_models(workspace)
    return World(workspace, pool, *made)


@pytest.fixture
def world(trained: World, tmp_path: Path) -> World:
    """Return a copy of the trained world, to be changed at will."""
    shutil.copytree(trained.workspace.root, tmp_path / "w")
    return World(
        Workspace(tmp_path / "w"),
        trained.pool,
        trained.first,
        trained.refit,
        trained.other,
        trained.noise,
    )


@pytest.fixture
def corrected(bars_of: Callable[..., Bars]) -> Callable[[World], None]:
    """Return what stores BTC's candles again, with one volume changed."""

    def correct(world: World) -> None:
        engine = open_database(world.workspace.db_url)
        with engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM candles WHERE symbol = 'BTC/USDT'")
        bars = bars_of(HOURS, SEED, drift=DRIFT, volume_least=VOLUME_LEAST)
        volume = np.where(np.arange(HOURS) == 900, 7.0, bars.volume)
        spec = InstrumentSpec(Instrument("binance", "BTC/USDT"), 4, 4)
        store = CandleStore(engine, world.workspace.cache_dir)
        store.save(spec, "1h", replace(bars, volume=volume), "corrected")
        engine.dispose()

    return correct


@pytest.fixture
def settled() -> Callable[..., Workspace]:
    """Return what changes settings of a world, and gives its workspace afresh."""

    def change(world: World, **more: object) -> Workspace:
        path = world.workspace.root / "ares.yaml"
        path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **more}))
        return Workspace(world.workspace.root)

    return change
