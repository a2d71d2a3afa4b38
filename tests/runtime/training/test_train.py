"""Training from the store to the registry: made once here, looked at from all sides."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ares.adapters.model_store import ModelStore
from ares.adapters.worker_pool import WorkerPool
from ares.bootstrap.mlflow import sync_after_training
from ares.bootstrap.training import train
from ares.config.workspace import Workspace
from ares.domain.errors import UserError
from ares.domain.model import Ensemble
from ares.domain.package import Package
from ares.domain.timeframe import Timeframe
from ares.domain.trial import Trial
from ares.kernel.features import FEATURE_NAMES, FEATURES_HASH, N_FEATURES
from ares.runtime.registry.model_journal import read_registry
from ares.runtime.training.plan import TrainingRequest
from ares.runtime.training.train import TrainingReport, training_pool

MakeWorkspace = Callable[..., Workspace]
NOW = datetime(2023, 5, 1, 12, 0, 0, tzinfo=UTC)
DAY = 86_400_000
START_MS = 1_672_531_200_000


@dataclass(frozen=True)
class Done:
    workspace: Workspace
    report: TrainingReport
    trials: list[Trial]
    steps: list[tuple[int, int, str]]
    pool: WorkerPool


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, workspace_of: MakeWorkspace) -> Iterator[Done]:
    workspace = workspace_of(tmp_path_factory.mktemp("train"))
    steps: list[tuple[int, int, str]] = []
    with training_pool(1) as pool:
        report = train(
            workspace,
            TrainingRequest(),
            on_progress=lambda *step: steps.append(step),
            now=lambda: NOW,
            pool=pool,
        )
        report = sync_after_training(workspace, report)
        trials = list(read_registry(workspace.journal_dir).trials)
        yield Done(workspace, report, trials, steps, pool)


def _copy(workspace: Workspace, root: Path) -> None:
    """Copy settings, candles and the (slow to make) registry, but no models."""
    root.mkdir(exist_ok=True)
    for name in ("ares.yaml", "ares.db", "mlflow.db"):
        if not (root / name).exists():
            shutil.copy(workspace.root / name, root / name)


def test_every_pair_with_enough_rows_becomes_a_package(done: Done) -> None:
    made = {(pair.instruments[0], pair.timeframe.value) for pair in done.report.packages}
    assert made == {("binance:BTC/USDT", "1h"), ("binance:ETH/USDT", "1h")}
    assert {one.subject for one in done.report.missing} == {
        "binance:BTC/USDT 4h",
        "binance:ETH/USDT 4h",
    }
    for pair in done.report.packages:
        package = ModelStore(done.workspace.models_dir).load(pair.name, pair.version)
        assert package.hash == pair.package_hash
        assert package.card.features == FEATURE_NAMES
        assert package.card.features_hash == FEATURES_HASH
        assert package.card.reference == "binance:BTC/USDT"
        assert package.card.parity["passed"]


def test_a_timeframe_with_too_few_rows_is_skipped_with_a_reason(done: Done) -> None:
    reasons = {one.subject: one.reason for one in done.report.missing}
    assert "rows, and learning.rows_min is 400" in reasons["binance:BTC/USDT 4h"]
    assert not any(one.failed for one in done.report.missing)
    for joined in done.report.ensembles:
        assert joined.skipped == (Timeframe.H4,)
        assert joined.weights == {Timeframe.H1: 1.0}


def test_the_planted_drift_is_found_after_costs(done: Done) -> None:
    for joined in done.report.ensembles:
        assert joined.metrics.brier_skill is not None
        assert joined.metrics.brier_skill > 0.0
        assert joined.metrics.net_bps is not None
        assert joined.metrics.net_bps > 0.0


def test_ensembles_are_saved_and_can_be_served(done: Done) -> None:
    from ares.adapters.onnx_model import open_model

    store = ModelStore(done.workspace.models_dir)
    for joined in done.report.ensembles:
        ensemble = store.newest_candidate(joined.instrument)
        assert isinstance(ensemble, Ensemble)
        assert ensemble.hash == joined.hash
        assert sum(member.weight for member in ensemble.members) == pytest.approx(1.0)
        assert ensemble.validation.trades == joined.metrics.trades
        for member in ensemble.members:
            open_model(store.member(member).graph, N_FEATURES, "test")


def test_every_package_and_ensemble_is_a_trial_once(done: Done) -> None:
    assert len(done.trials) == len(done.report.packages) + len(done.report.ensembles)
    assert {trial.kind for trial in done.trials} == {"package", "ensemble"}
    assert all(trial.created_at == "2023-05-01T12:00:00Z" for trial in done.trials)
    packages = [trial for trial in done.trials if trial.kind == "package"]
    by_scope = {(trial.scope, trial.timeframe) for trial in packages}
    assert len(by_scope) == len(packages)
    assert len({trial.recipe_hash for trial in packages}) == len({t.timeframe for t in packages})


def test_progress_counts_up_to_the_end(done: Done) -> None:
    numbers = [step[0] for step in done.steps]
    total = done.steps[0][1]
    assert numbers == list(range(1, total + 1))


def test_mlflow_has_candidates_with_their_origin(done: Done) -> None:
    import sqlite3
    from contextlib import closing

    assert done.workspace.mlflow_path.exists()
    with closing(sqlite3.connect(done.workspace.mlflow_path)) as database:
        tags = database.execute("SELECT name, key, value FROM model_version_tags").fetchall()
        params = {key for (key,) in database.execute("SELECT DISTINCT key FROM params")}
        metrics = {key for (key,) in database.execute("SELECT DISTINCT key FROM metrics")}
    keys = {key for _, key, _ in tags}
    assert {"model_status", "git_commit", "data_hash", "recipe_hash"} <= keys
    assert {name for name, key, value in tags if (key, value) == ("model_status", "candidate")} == {
        *(pair.name for pair in done.report.packages),
        "ensemble_binance_BTC-USDT",
        "ensemble_binance_ETH-USDT",
    }
    assert {"label.horizon_bars", "boost.leaves", "folds"} <= params
    assert {"brier", "calibration_error", "net_bps"} <= metrics


def packages(workspace: Workspace) -> dict[str, Package]:
    store = ModelStore(workspace.models_dir)
    return {card.name: store.load(card.name, card.version) for card in store.listed().packages}


def test_the_same_candles_give_the_same_models_to_the_byte(done: Done, tmp_path: Path) -> None:
    root = tmp_path / "again"
    _copy(done.workspace, root)
    again = Workspace(root)
    report = train(again, TrainingRequest(), now=lambda: NOW, pool=done.pool)
    first, second = packages(done.workspace), packages(again)
    assert first == second
    assert [one.hash for one in report.ensembles] == [one.hash for one in done.report.ensembles]


def test_candles_after_the_window_change_nothing(
    done: Done, tmp_path: Path, workspace_of: MakeWorkspace
) -> None:
    """The window's models are those of a store that ends with the window."""
    longer = workspace_of(tmp_path / "longer", symbols=("BTC/USDT",), n=1500, intervals=("1h",))
    shorter = workspace_of(tmp_path / "shorter", symbols=("BTC/USDT",), n=1200, intervals=("1h",))
    to_ms = START_MS + 50 * DAY
    made = []
    for workspace in (longer, shorter):
        _copy(done.workspace, workspace.root)
        train(workspace, TrainingRequest(to_ms=to_ms), now=lambda: NOW, pool=done.pool)
        made.append(packages(workspace))
    assert made[0] == made[1]
    assert made[0]["binance_BTC-USDT_1h"].card.data_to_ms <= to_ms


def test_candles_before_the_window_only_warm_up(done: Done) -> None:
    request = TrainingRequest(symbols=("ETH/USDT",), intervals=("1h",), from_ms=START_MS + 40 * DAY)
    report = train(done.workspace, request, now=lambda: NOW, pool=done.pool)
    card = (
        ModelStore(done.workspace.models_dir)
        .load(report.packages[0].name, report.packages[0].version)
        .card
    )
    assert card.data_from_ms == START_MS + 40 * DAY + 3_600_000
    assert card.version == "20230501_120000_2"


def test_the_universe_is_one_model_of_all(done: Done, tmp_path: Path) -> None:
    root = tmp_path / "universe"
    _copy(done.workspace, root)
    trials: list[Trial] = []
    report = train(
        Workspace(root),
        TrainingRequest(scope="universe"),
        record_trial=trials.append,
        now=lambda: NOW,
        pool=done.pool,
    )
    assert [pair.name for pair in report.packages] == ["universe_1h", "universe_4h"]
    assert report.packages[0].instruments == ("binance:BTC/USDT", "binance:ETH/USDT")
    assert report.packages[0].rows > 3000
    assert [one.instrument for one in report.ensembles] == [
        "binance:BTC/USDT",
        "binance:ETH/USDT",
    ]
    assert all(set(one.weights) == {Timeframe.H1, Timeframe.H4} for one in report.ensembles)
    assert {trial.scope for trial in trials if trial.kind == "package"} == {"universe"}


def test_a_corrupt_registry_is_a_warning_only(done: Done, tmp_path: Path) -> None:
    root = tmp_path / "broken"
    _copy(done.workspace, root)
    (root / "mlflow.db").write_bytes(b"no database" * 200)
    workspace = Workspace(root)
    request = TrainingRequest(symbols=("BTC/USDT",), intervals=("1h",))
    report = sync_after_training(
        workspace, train(workspace, request, now=lambda: NOW, pool=done.pool)
    )
    assert len(report.packages) == len(report.ensembles) == 1
    assert any(
        "MLflow" in warning and "models/ hold everything" in warning for warning in report.warnings
    )
    assert len(packages(workspace)) == 1


def test_errors_of_a_request_are_raised_before_training(
    done: Done, tmp_path: Path, workspace_of: MakeWorkspace
) -> None:
    for request, message in (
        (TrainingRequest(symbols=("DOGE/USDT",)), "unknown symbol 'DOGE/USDT'"),
        (TrainingRequest(intervals=("2h",)), "unknown interval '2h'"),
        (TrainingRequest(intervals=("5m",)), "5m has no weight"),
        (TrainingRequest(from_ms=5, to_ms=5), "--from is not before --to"),
        (TrainingRequest(from_ms=4 * 10**12), r"no candles in the window.* \(stored: binance:"),
    ):
        with pytest.raises(UserError, match=message):
            train(done.workspace, request, pool=done.pool)
    forbidden = workspace_of(
        tmp_path / "live",
        n=10,
        learning={"in_production": False},
        live_trading={"mode": "live", "enabled": True},
    )
    with pytest.raises(UserError, match=r"learning\.in_production is false"):
        train(forbidden, TrainingRequest(), pool=done.pool)


def test_a_timeframe_finer_than_the_candles_is_skipped(
    done: Done, tmp_path: Path, workspace_of: MakeWorkspace
) -> None:
    workspace = workspace_of(
        tmp_path / "fine", symbols=("BTC/USDT",), n=1_200, intervals=("5m", "1h")
    )
    report = train(workspace, TrainingRequest(), now=lambda: NOW, pool=done.pool)
    assert [package.timeframe.value for package in report.packages] == ["1h"]
    assert "has no candles for 5m bars" in report.missing[0].reason


def test_candles_that_are_too_coarse_for_every_timeframe_are_refused_at_once(
    done: Done, tmp_path: Path, workspace_of: MakeWorkspace
) -> None:
    workspace = workspace_of(tmp_path / "fine", symbols=("BTC/USDT",), n=300, intervals=("5m",))
    with pytest.raises(UserError, match=r"nothing could be trained .* at most 0 rows"):
        train(workspace, TrainingRequest(), now=lambda: NOW, pool=done.pool)
