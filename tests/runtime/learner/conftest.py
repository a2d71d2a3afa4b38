"""A small world for the learner: an edge planted in BTC, none in ETH, one model of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from ares.adapters.model_store import ModelStore
from ares.config.workspace import Workspace
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.model import Ensemble
from ares.kernel.bars import Bars
from ares.runtime.trade_rules import rules_of
from ares.runtime.training import TrainingRequest, ensemble_of
from ares.runtime.training_job import (
    JoinDone,
    JoinJob,
    PackageDone,
    PackageJob,
    join_members,
    train_package,
)
from ares.runtime.training_plan import package_jobs
from ares.store.candles import CandleStore
from ares.store.database import open_database

HOUR = 3_600_000
START_MS = 1_672_531_200_000  # 2023-01-01
HOURS, TAUGHT_HOURS = 2_000, 1_850
NOW = datetime(2023, 3, 20, tzinfo=UTC)
EASY = {"margin_sds": 1.0, "trades_min": 5, "dsr_min": 0.0}
"""So few bars show that a refit is not worse only with a wide margin; noise fails all the same."""


@dataclass(frozen=True)
class SmallWorld:
    """A workspace with an ensemble of BTC (an edge) and one of ETH (noise), by their hashes."""

    workspace: Workspace
    edge: str
    noise: str


def planted(n: int, seed: int, drift: float) -> Bars:
    """Return hourly bars that rise in the first half of the UTC day, and fall in the second."""
    draw = np.random.default_rng(seed).random((n, 3))
    sign = np.where(np.arange(n) % 24 < 12, 1.0, -1.0)
    noise = 0.005 * 12**0.5 * (draw[:, 0] - 0.5)
    close = 100.0 * np.exp(np.cumsum(drift * sign + noise))
    open_ = np.concatenate([[100.0], close[:-1]])
    wiggle = 1.0 + 0.001 * draw[:, 1]
    high, bottom = np.maximum(open_, close) * wiggle, np.minimum(open_, close) / wiggle
    ts = START_MS + np.arange(n, dtype=np.int64) * HOUR
    o, h, low, c = (np.round(column, 4) for column in (open_, high, bottom, close))
    return Bars.make(ts, o, h, low, c, 1_000.0 + 9_000.0 * draw[:, 2])


def make_world(root: Path) -> SmallWorld:
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
        store.save(spec, "1h", planted(HOURS, 1, drift), "made for a test")
    engine.dispose()
    workspace = Workspace(root)
    request = TrainingRequest(to_ms=START_MS + TAUGHT_HOURS * HOUR)
    jobs, _ = package_jobs(workspace, request, NOW)
    hashes = {job.instruments[0].key: _trained(workspace, job).hash for job in jobs}
    return SmallWorld(workspace, hashes["binance:BTC/USDT"], hashes["binance:ETH/USDT"])


def _trained(workspace: Workspace, job: PackageJob) -> Ensemble:
    """Do what ``train`` does, without MLflow: its database alone takes longer."""
    settings, models = workspace.settings, ModelStore(workspace.models_dir)
    done = train_package(job)
    assert isinstance(done, PackageDone)
    [instrument], timeframe = job.instruments, job.recipe.timeframe
    joining = JoinJob(
        instrument, {timeframe: done.spoken[instrument]}, {timeframe: 1.0},
        job.recipe.label, settings.strategy.edge_bps_min, job.recipe.seed, job.source,
        rules_of(settings), settings.account.capital_quote,
    )  # fmt: skip
    joined = join_members(joining)
    assert isinstance(joined, JoinDone)
    members = {timeframe: (models.add(done.package), job.recipe)}
    ensemble = ensemble_of(joining, joined, members, job.created_at)
    models.save_ensemble(ensemble)
    return ensemble


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> SmallWorld:
    """Return the world; nobody changes it."""
    return make_world(tmp_path_factory.mktemp("learner") / "w")


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
