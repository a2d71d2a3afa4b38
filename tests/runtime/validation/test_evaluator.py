"""Ensembles with several external series: a twin without each, and a run with their union."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import yaml

from ares.adapters.model_store import ModelStore
from ares.adapters.worker_pool import InlinePool
from ares.bootstrap import RunRequest, backtest, certify_run, history_run, restep_run
from ares.bootstrap.lifecycle import promote
from ares.bootstrap.series import import_series
from ares.bootstrap.training import train
from ares.bootstrap.validation import validate_model
from ares.config.workspace import Workspace
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.news import NewsRow
from ares.domain.package import PackageCard
from ares.domain.series import SentimentSpec, ValueSpec
from ares.domain.timeframe import HOUR_MS
from ares.kernel.bars import Bars
from ares.kernel.features import N_FEATURES
from ares.kernel.features.last_value import value_names
from ares.kernel.features.sentiment import SENTIMENT_NAMES
from ares.research.backtest_request import BacktestRequest
from ares.runtime.training.plan import TrainingRequest
from ares.runtime.training.report import TrainingReport
from ares.runtime.validation.pipeline import ValidationResult
from ares.store.candles import CandleStore
from ares.store.database import open_database
from ares.store.news import NewsStore

START_MS = 1_672_531_200_000  # 2023-01-01
HOURS = 2_400
BTC = Instrument("binance", "BTC/USDT")
NOW = datetime(2024, 1, 1, 12, 0, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Made:
    workspace: Workspace
    report: TrainingReport
    judged: ValidationResult
    by_rate: TrainingReport


def settled(root: Path, **settings: object) -> Workspace:
    content = {
        "symbols": ["BTC/USDT"],
        "timeframes": {"intervals": [{"interval": "1h", "weight": 1.0}]},
        "features": {"series": [{"name": "rate", "stale_after_hours": 48}]},
    }
    (root / "ares.yaml").write_text(yaml.safe_dump(content | settings))
    return Workspace(root)


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory, bars_along: Callable[[np.ndarray], Bars]
) -> Made:
    """Return models of a market that follows a rate, and of which the news know nothing."""
    root = tmp_path_factory.mktemp("series") / "w"
    Workspace.init(root)
    workspace = settled(root)
    draw = np.random.default_rng(4)
    rate = np.sign(draw.standard_normal(HOURS // 12))
    engine = open_database(workspace.db_url)
    bars = bars_along(0.0022 * np.repeat(rate, 12))
    CandleStore(engine, root / "cache").save(InstrumentSpec(BTC, 4, 4), "1h", bars, "made")
    times = START_MS + np.arange(len(rate)) * 12 * HOUR_MS - HOUR_MS
    rows = [NewsRow(int(t), "wire", "BTC", float(draw.uniform(-1, 1)), "file") for t in times]
    NewsStore(engine).save(rows)
    engine.dispose()
    lines = [
        f"{t},{t + HOUR_MS // 2},{100.0 * r},BTC/USDT" for t, r in zip(times, rate, strict=True)
    ]
    (root / "rate.csv").write_text("\n".join(["published,known,value,symbol", *lines]))
    import_series(workspace, root / "rate.csv", "rate")
    pool = InlinePool()
    report = train(workspace, TrainingRequest(), now=lambda: NOW, pool=pool)
    judged = validate_model(workspace, report.ensembles[0].hash, pool=pool)
    later = NOW + timedelta(hours=1)
    quiet = settled(root, sentiment={"enabled": False})
    by_rate = train(quiet, TrainingRequest(), now=lambda: later, pool=pool)
    return Made(settled(root), report, judged, by_rate)


def card(made: Made, report: TrainingReport) -> PackageCard:
    (pair,) = report.packages
    return ModelStore(made.workspace.models_dir).load(pair.name, pair.version).card


def test_a_model_carries_its_series_and_their_columns_come_last(made: Made) -> None:
    both, one = card(made, made.report), card(made, made.by_rate)
    assert both.series == (SentimentSpec(), ValueSpec("rate", 48 * HOUR_MS))
    assert both.features[N_FEATURES:] == (*SENTIMENT_NAMES, *value_names("rate"))
    assert one.series == both.series[1:]
    assert one.features[N_FEATURES:] == value_names("rate")
    assert any("rate is known at 100% of the rows" in w for w in made.report.warnings)


def test_the_verdict_compares_with_a_twin_without_each_series(made: Made) -> None:
    found = {one.series: one for one in made.judged.ablations}
    assert list(found) == ["sentiment", "rate"]
    rate, sentiment = found["rate"], found["sentiment"]
    assert rate.difference.e_first_better > rate.difference.e_value_min
    assert rate.brier_gain is not None
    assert rate.brier_gain > 0.05
    assert sentiment.difference.e_first_better < sentiment.difference.e_value_min
    assert "is not shown to add anything" in sentiment.sentence
    assert rate.with_series == sentiment.with_series
    evidence = made.judged.evidence
    assert (evidence.leaking, evidence.not_reproduced) == ((), ())


def test_a_twin_is_the_model_trained_without_the_series(made: Made) -> None:
    alone = validate_model(made.workspace, made.by_rate.ensembles[0].hash, pool=InlinePool())
    (twin,) = [one for one in made.judged.ablations if one.series == "sentiment"]
    assert twin.without_series == alone.evidence.metrics


def test_backtest_run_certify_and_restep(made: Made) -> None:
    workspace, to_ms = made.workspace, START_MS + HOURS * HOUR_MS
    from_ms = to_ms - 240 * HOUR_MS
    promote(workspace, made.report.ensembles[0].hash, "history", True, "for a test")
    result = backtest(workspace, BacktestRequest(from_ms=from_ms, to_ms=to_ms))
    assert not any("is missing at" in warning for warning in result.warnings)
    ran = history_run(workspace, RunRequest(("BTC/USDT",), from_ms, to_ms, "both"))
    assert ran.end.finished
    certified = certify_run(workspace, "both")
    assert certified.mismatches == 0
    assert certified.lines["decisions"][0] > 0
    assert restep_run(workspace, "both").mismatches == 0


def test_a_removed_series_is_missing_and_reported(made: Made) -> None:
    workspace, to_ms = made.workspace, START_MS + HOURS * HOUR_MS
    from_ms = to_ms - 240 * HOUR_MS
    promote(workspace, made.by_rate.ensembles[0].hash, "history", True, "for a test")
    engine = open_database(workspace.db_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE series_values SET series = 'gone'")
    try:
        request = BacktestRequest(from_ms=from_ms, to_ms=to_ms)
        result = backtest(workspace, request)
        assert any("rate is missing at 100% of the bars" in warning for warning in result.warnings)
        ran = history_run(workspace, RunRequest(("BTC/USDT",), from_ms, to_ms, "gone"))
        assert any("no values of rate are stored for the window" in r for r in ran.remarks)
        assert ran.report.stale_series == {"rate": {BTC.key: 1}}
        assert certify_run(workspace, "gone").mismatches == 0
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql("UPDATE series_values SET series = 'rate'")
        engine.dispose()
