"""Drift of a model with sentiment: measured over all of its columns, those of sentiment too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pytest
import yaml

from ares.adapters.model_store import ModelStore
from ares.bootstrap.training import training_rules
from ares.bootstrap.validation import validation_config
from ares.config.workspace import Workspace
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.model import Ensemble
from ares.domain.news import NewsRow
from ares.domain.timeframe import DAY_MS, HOUR_MS
from ares.kernel.bars import Bars
from ares.kernel.features import N_FEATURES
from ares.kernel.features.sentiment import SENTIMENT_NAMES
from ares.learn.onnx_graph import splits_of
from ares.runtime.learner.drift_job import DriftJob, measure_drift
from ares.runtime.training.job import PackageDone, train_package
from ares.runtime.training.plan import TrainingRequest, package_jobs
from ares.store.candles import CandleStore
from ares.store.database import open_database
from ares.store.news import NewsStore

START_MS = 1_672_531_200_000  # 2023-01-01
HOURS, TRAINED_HOURS = 2_880, 1_800
NOW = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class WithSentiment:
    """A workspace whose news end with the training window, and the ensemble trained there."""

    workspace: Workspace
    ensemble: Ensemble


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory, bars_along: Callable[[np.ndarray], Bars]
) -> WithSentiment:
    root = tmp_path_factory.mktemp("drift") / "w"
    Workspace.init(root)
    content = {
        "symbols": ["BTC/USDT"],
        "timeframes": {"intervals": [{"interval": "1h", "weight": 1.0}]},
    }
    (root / "ares.yaml").write_text(yaml.safe_dump(content))
    workspace = Workspace(root)
    mood = np.sign(np.random.default_rng(4).standard_normal(HOURS // 12))
    engine = open_database(workspace.db_url)
    spec = InstrumentSpec(Instrument("binance", "BTC/USDT"), 4, 4)
    CandleStore(engine, root / "cache").save(
        spec, "1h", bars_along(0.0022 * np.repeat(mood, 12)), "made for a test"
    )
    NewsStore(engine).save(
        [
            NewsRow(START_MS + k * DAY_MS // 2 - HOUR_MS, "wire", "BTC", 0.8 * float(m), "file")
            for k, m in enumerate(mood[: TRAINED_HOURS // 12])
        ]
    )
    engine.dispose()
    request = TrainingRequest(to_ms=START_MS + TRAINED_HOURS * HOUR_MS)
    [job], _ = package_jobs(training_rules(workspace), request, NOW)
    done = train_package(job)
    assert isinstance(done, PackageDone)
    package = ModelStore(workspace.models_dir).add(done.package)
    assert splits_of(package.graph, N_FEATURES + len(SENTIMENT_NAMES))[N_FEATURES:].any()
    return WithSentiment(workspace, package.alone("binance:BTC/USDT", package.card.created_at))


def test_news_that_stopped_are_the_column_that_moved_most(made: WithSentiment) -> None:
    at_ms = START_MS + HOURS * HOUR_MS
    measured = measure_drift(DriftJob(validation_config(made.workspace), made.ensemble, at_ms, 0))
    assert 0.0 < measured.score < 1.0
    feature, timeframe = measured.feature.split(" ")
    assert feature in SENTIMENT_NAMES
    assert timeframe == "1h"


def test_news_as_in_training_move_nothing(made: WithSentiment) -> None:
    at_ms = START_MS + TRAINED_HOURS * HOUR_MS
    measured = measure_drift(DriftJob(validation_config(made.workspace), made.ensemble, at_ms, 0))
    assert measured.score < 0.3
    assert measured.feature.split(" ")[0] not in SENTIMENT_NAMES
