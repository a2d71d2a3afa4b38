"""Training with news: learned from, compared with price-only, and missing at times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest
import yaml

from ares.adapters.model_store import ModelStore
from ares.adapters.worker_pool import InlinePool
from ares.bootstrap import (
    RunRequest,
    backtest,
    certify_run,
    history_run,
    restep_run,
    why_run,
)
from ares.bootstrap.lifecycle import promote
from ares.bootstrap.trade_rules import rules_of
from ares.bootstrap.training import train
from ares.bootstrap.validation import save_verdict, validate_model
from ares.config.workspace import Workspace
from ares.core.models import Models
from ares.core.step import step
from ares.domain.errors import UserError
from ares.domain.events import SeriesPublished
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.news import NewsRow
from ares.domain.package import PackageCard
from ares.domain.series import SentimentSpec, SeriesSpec
from ares.domain.timeframe import DAY_MS, HOUR_MS, Timeframe
from ares.journal.run import entries
from ares.kernel.bars import Bars
from ares.kernel.features import N_FEATURES
from ares.kernel.features.observations import SeriesHistory
from ares.kernel.features.sentiment import AGE_HOURS, SENTIMENT_NAMES
from ares.kernel.features.series import OBSERVATION
from ares.learn.rows import Rows
from ares.learn.series import with_series
from ares.research.backtest_request import BacktestRequest
from ares.runtime.engine.plan import SlotChoice, plan_run
from ares.runtime.engine.served_models import scorers_of
from ares.runtime.training import series as training_series
from ares.runtime.training.plan import TrainingRequest
from ares.runtime.training.report import TrainingReport
from ares.runtime.training.series import columns_at
from ares.runtime.validation.pipeline import ValidationResult
from ares.runtime.validation.verdict_file import verdict_json
from ares.store.candles import CandleStore
from ares.store.database import open_database
from ares.store.news import NewsStore

START_MS = 1_672_531_200_000  # 2023-01-01
HOURS = 2_880
BTC = Instrument("binance", "BTC/USDT")
NOW = datetime(2024, 1, 1, 12, 0, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Made:
    workspace: Workspace
    with_news: TrainingReport
    by_prices: TrainingReport
    judged: ValidationResult


def workspace_of(root: Path, **settings: object) -> Workspace:
    content = {
        "symbols": ["BTC/USDT"],
        "timeframes": {"intervals": [{"interval": "1h", "weight": 1.0}]},
        **settings,
    }
    (root / "ares.yaml").write_text(yaml.safe_dump(content))
    return Workspace(root)


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory, bars_along: Callable[[np.ndarray], Bars]
) -> Made:
    root = tmp_path_factory.mktemp("news") / "w"
    Workspace.init(root)
    workspace = workspace_of(root)
    engine = open_database(workspace.db_url)
    mood = np.sign(np.random.default_rng(4).standard_normal(HOURS // 12))
    spec = InstrumentSpec(BTC, 4, 4)
    CandleStore(engine, root / "cache").save(
        spec, "1h", bars_along(0.0022 * np.repeat(mood, 12)), "made for a test"
    )
    NewsStore(engine).save(
        [
            NewsRow(START_MS + k * DAY_MS // 2 - HOUR_MS, "wire", "BTC", 0.8 * float(m), "file")
            for k, m in enumerate(mood)
        ]
    )
    engine.dispose()
    pool, window = InlinePool(), {"symbols": ("BTC/USDT",)}
    with_news = train(workspace, TrainingRequest(**window), now=lambda: NOW, pool=pool)  # type: ignore[arg-type]  # mypy reads **dict as one type
    later = NOW + timedelta(hours=1)
    request = TrainingRequest(**window, price_only=True)  # type: ignore[arg-type]  # mypy reads **dict as one type
    by_prices = train(workspace, request, now=lambda: later, pool=pool)
    judged = validate_model(workspace, with_news.ensembles[0].hash, pool=pool)
    return Made(workspace, with_news, by_prices, judged)


def card(made: Made, report: TrainingReport) -> PackageCard:
    (pair,) = report.packages
    return ModelStore(made.workspace.models_dir).load(pair.name, pair.version).card


def test_the_model_has_the_columns_behind_all_others(made: Made) -> None:
    with_, without = card(made, made.with_news), card(made, made.by_prices)
    assert with_.features[N_FEATURES:] == SENTIMENT_NAMES
    assert with_.features[:N_FEATURES] == without.features
    assert with_.series == (SentimentSpec(),)
    assert without.series == ()
    assert "sentiment" not in without.recipe
    assert with_.recipe_hash != without.recipe_hash
    assert any("sentiment is known at 100% of the rows" in w for w in made.with_news.warnings)
    assert not any("sentiment" in w for w in made.by_prices.warnings)


def test_the_verdict_reports_what_sentiment_added(made: Made) -> None:
    (found,) = made.judged.ablations
    assert found.series == "sentiment"
    assert found.brier_gain is not None
    assert found.brier_gain > 0.05
    test = found.difference
    assert test.e_first_better > test.e_value_min > test.e_second_better
    assert found.with_series.sharpe is not None
    assert found.sentence.startswith("sentiment improves the ensemble")
    assert found.decisions > 800
    evidence = made.judged.evidence
    assert evidence.not_reproduced == ()
    assert evidence.leaking == ()
    assert evidence.parity_difference is not None
    assert evidence.parity_difference < 1e-5


def test_a_close_uses_what_was_known_by_then_and_nothing_else(made: Made) -> None:
    spec = SentimentSpec()
    closes_ms = START_MS + np.arange(1, 40, dtype=np.int64) * HOUR_MS
    columns = columns_at(made.workspace.db_url, [spec], BTC, closes_ms)
    published_ms = START_MS + np.arange(9) * DAY_MS // 2 - HOUR_MS
    out_ms = published_ms + spec.delay_ms
    newest_ms = published_ms[np.searchsorted(out_ms, closes_ms, side="right") - 1]
    assert columns is not None
    np.testing.assert_array_equal(columns[:, AGE_HOURS], (closes_ms - newest_ms) / HOUR_MS)
    assert columns_at(made.workspace.db_url, [], BTC, closes_ms) is None


def test_rows_with_the_news_of_the_next_hour_are_refused(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    def early(rows: Rows, history: SeriesHistory, specs: Sequence[SeriesSpec]) -> Rows:
        ahead = with_series(replace(rows, decided_ms=rows.decided_ms + HOUR_MS), history, specs)
        return replace(ahead, decided_ms=rows.decided_ms)

    monkeypatch.setattr(training_series, "with_series", early)
    subject = made.with_news.ensembles[0].hash
    judged = validate_model(made.workspace, subject, pool=InlinePool())
    assert set(judged.evidence.leaking) == set(SENTIMENT_NAMES)
    assert "lookahead_leakage" in [line.name for line in judged.verdict.failed]


def test_the_twin_is_the_model_of_price_only(made: Made) -> None:
    (twin,) = made.judged.ablations
    alone = validate_model(
        made.workspace, made.by_prices.ensembles[0].hash, pool=InlinePool()
    ).evidence  # fmt: skip
    assert (twin.from_ms, twin.to_ms) == (alone.from_ms, alone.to_ms)
    assert twin.without_series == alone.metrics


def test_the_verdict_file_has_the_ablation(made: Made) -> None:
    (content,) = verdict_json(save_verdict(made.workspace, made.judged))["ablations"]
    expected = made.judged.ablations[0].difference.e_first_better
    assert content["difference"]["e_first_better"] == expected


def test_a_backtest_uses_the_news_and_reports_where_they_are_missing(made: Made) -> None:
    ref = made.with_news.ensembles[0].hash
    from_ms = START_MS + (HOURS - 200) * HOUR_MS
    request = BacktestRequest(model=ref, from_ms=from_ms, to_ms=START_MS + HOURS * HOUR_MS)
    with_news = backtest(made.workspace, request)
    assert not any("sentiment" in w for w in with_news.warnings)
    engine = open_database(made.workspace.db_url)
    with engine.begin() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM news").all()
        connection.exec_driver_sql(
            "DELETE FROM news WHERE published_ms > ?", (from_ms + 20 * HOUR_MS,)
        )
    silent = backtest(made.workspace, request)
    with engine.begin() as connection:
        marks = ", ".join("?" * len(rows[0]))
        connection.exec_driver_sql(
            f"INSERT OR IGNORE INTO news VALUES ({marks})", [tuple(row) for row in rows]
        )
    engine.dispose()
    assert any("sentiment is missing at" in w for w in silent.warnings)
    assert silent.metrics != with_news.metrics


def test_a_run_certify_restep_and_why(made: Made) -> None:
    from_ms = START_MS + (HOURS - 24 * 12) * HOUR_MS
    request = RunRequest(("BTC/USDT",), from_ms, START_MS + HOURS * HOUR_MS, "with_news")
    newest = ModelStore(made.workspace.models_dir).newest_candidate(BTC.key)
    assert newest is not None
    by_prices = newest.hash == made.by_prices.ensembles[0].hash
    assert by_prices  # the other one is older: it is run as champion
    promote(made.workspace, made.with_news.ensembles[0].hash, "history", True, "for a test")
    ran = history_run(made.workspace, request)
    assert ran.end.finished
    assert not any("no usable news" in remark for remark in ran.remarks)
    rows = b"".join(
        entry.event.rows
        for entry in entries(ran.end.folder)
        if isinstance(entry.event, SeriesPublished)
    )
    table = np.frombuffer(rows, OBSERVATION)
    known_ms, published_ms = table["known_ms"], table["published_ms"]
    assert len(known_ms) > 20
    assert (known_ms == published_ms + SentimentSpec().delay_ms).all()
    done = certify_run(made.workspace, "with_news")
    assert done.mismatches == 0
    assert done.lines["decisions"][0] > 0
    assert restep_run(made.workspace, "with_news").mismatches == 0
    names = set()
    for days in range(1, 9):
        why = why_run(made.workspace, "with_news", "BTC/USDT", from_ms + days * DAY_MS)
        names |= {name for vote in why.votes for name, _, _ in vote.features}
    assert names & set(SENTIMENT_NAMES)


def test_one_model_with_news_and_one_by_prices_share_a_run(made: Made) -> None:
    workspace = made.workspace
    ensembles = [ModelStore(workspace.models_dir).ensemble(report.ensembles[0].hash)
                 for report in (made.with_news, made.by_prices)]  # fmt: skip
    engine = open_database(workspace.db_url)
    store, spec = CandleStore(engine, None), SentimentSpec()
    from_ms, to_ms = START_MS + (HOURS - 200) * HOUR_MS, START_MS + HOURS * HOUR_MS
    rules = rules_of(workspace.settings)
    news = NewsStore(engine).news(spec, [BTC.base], to_ms)
    scores = []
    for ensemble, series in ((ensembles[0], [spec]), (ensembles[1], [spec]), (ensembles[1], [])):
        choices = [SlotChoice(BTC, ensemble, True)]
        plan = plan_run(
            store, choices, [Timeframe.H1], BTC, from_ms, to_ms, 10_000.0, rules, 0.25, "",
            series=series, history=(news,) if series else (),
        )  # fmt: skip
        state = plan.state
        models = Models(scorers_of(workspace.models_dir, plan.setup))
        for t in range(len(plan.feed)):
            event = plan.series_event(t)
            if event is not None:
                step(state, event, models)
            step(state, plan.feed.event(t, plan.warming(t)), models)
        scores.append(float(state.latest.p[0, 0]))
    engine.dispose()
    assert scores[1] == scores[2] != scores[0]
    setup = msgspec.structs.replace(plan.setup, sentiment=None)
    instrument = msgspec.structs.replace(setup.instruments[0], ensemble=ensembles[0])
    with pytest.raises(UserError, match="was trained with sentiment, which the run has not"):
        scorers_of(workspace.models_dir, msgspec.structs.replace(setup, instruments=(instrument,)))


def test_without_news_or_where_they_are_switched_off_it_is_price_only(
    made: Made, tmp_path: Path
) -> None:
    off = workspace_of(made.workspace.root, sentiment={"enabled": False})
    request, later = TrainingRequest(), NOW + timedelta(hours=5)
    report = train(off, request, now=lambda: later, pool=InlinePool())
    workspace_of(made.workspace.root)
    assert card(made, report).series == ()
    elsewhere = workspace_of(made.workspace.root, sentiment={"sources": ["another"]})
    report = train(elsewhere, request, now=lambda: later + timedelta(hours=1), pool=InlinePool())
    workspace_of(made.workspace.root)
    assert card(made, report).series == ()
    assert any("no news become known in the window" in w for w in report.warnings)
