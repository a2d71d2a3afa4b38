"""The training of one package in a worker: what it needs, and why it is skipped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ares.bootstrap.training import training_rules
from ares.config.workspace import Workspace
from ares.domain.errors import UserError
from ares.domain.instrument import Instrument
from ares.domain.timeframe import HOUR_MS
from ares.learn.walk_forward import OutOfSample, TooFewRowsError
from ares.runtime.training.job import (
    InvalidUserFeatures,
    PackageJob,
    PreparedTraining,
    SkippedTraining,
    UserModule,
    loaded_features,
    prepare,
    scores_of,
    train_package,
)
from ares.runtime.training.plan import TrainingRequest, package_jobs

MakeWorkspace = Callable[..., Workspace]
NOW = datetime(2023, 5, 1, 12, 0, 0, tzinfo=UTC)
XRP = Instrument("binance", "XRP/USDT")


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory, workspace_of: MakeWorkspace) -> PackageJob:
    root = tmp_path_factory.mktemp("job") / "w"
    workspace = workspace_of(root, ("BTC/USDT",), n=1_200, intervals=("1h",))
    [made], _ = package_jobs(training_rules(workspace), TrainingRequest(), NOW)
    return made


def prepared(job: PackageJob) -> PreparedTraining:
    done = prepare(job)
    assert isinstance(done, PreparedTraining), done
    return done


def test_the_same_candles_give_the_same_rows_to_the_bit(job: PackageJob) -> None:
    first, second = prepared(job), prepared(job)
    assert first.rows.hash == second.rows.hash
    assert first.spec.columns == job.recipe.features


def test_of_more_rows_the_newest_are_used_and_fewer_are_too_few(job: PackageJob) -> None:
    whole = prepared(job).rows
    few = prepared(replace(job, rows_max=300, rows_min=300)).rows
    assert few.decided_ms.tolist() == whole.decided_ms[-300:].tolist()
    assert few.net.tolist() == whole.net[-300:].tolist()
    skipped = prepare(replace(job, rows_max=300, rows_min=301))
    assert skipped == SkippedTraining("300 rows, and learning.rows_min is 301")


def test_no_row_was_decided_or_known_after_the_window(job: PackageJob) -> None:
    whole = prepared(job).rows
    to_ms = int(whole.decided_ms[len(whole) // 2])
    ready = prepared(replace(job, source=replace(job.source, to_ms=to_ms)))
    assert ready.rows.ends_ms.max() <= to_ms
    assert ready.spec.window_to_ms == to_ms


def test_an_instrument_without_candles_is_skipped_alone_and_noted_in_a_universe(
    job: PackageJob,
) -> None:
    alone = prepare(replace(job, instruments=(XRP,)))
    assert isinstance(alone, SkippedTraining)
    assert "XRP/USDT" in alone.reason
    recipe = replace_scope(job)
    both = prepared(replace(job, recipe=recipe, instruments=(XRP, *job.instruments)))
    assert any("XRP/USDT" in note for note in both.notes)
    assert set(both.rows.lane) == {1}
    assert replace(job, recipe=recipe).label == "universe 1h"
    assert job.label == "binance:BTC/USDT 1h"


def replace_scope(job: PackageJob) -> Any:
    import msgspec

    return msgspec.structs.replace(job.recipe, scope="universe")


def test_too_few_rows_for_a_walk_forward_skip_the_training(job: PackageJob) -> None:
    def make(*_: object, **__: object) -> Any:
        raise TooFewRowsError("12 rows are too few")

    assert train_package(job, make) == SkippedTraining("12 rows are too few")


def test_a_users_module_that_was_changed_since_it_was_tested_is_not_used(
    job: PackageJob, user_module: Any, tmp_path: Path
) -> None:
    tested = UserModule("mine.py", tmp_path, user_module.load(user_module.good).hash)
    user_module.load(user_module.good.replace("1.0", "2.0"))
    loaded_features.cache_clear()
    with pytest.raises(UserError, match=r"mine\.py was changed while its features were used"):
        loaded_features(tested)
    invalid = prepare(replace(job, user=tested))
    assert isinstance(invalid, InvalidUserFeatures)
    assert "was changed while" in invalid.reason


def test_scores_stand_at_the_closes_of_the_window_and_are_missing_elsewhere(
    job: PackageJob,
) -> None:
    ready = prepared(job)
    some = ready.rows[np.arange(0, len(ready.rows), 7)]
    p = np.linspace(0.1, 0.9, len(some))
    from_ms = int(ready.histories[0].bars.ts_ms[100])
    inside = replace(job, source=replace(job.source, from_ms=from_ms))
    rows = some[some.decided_ms > from_ms]
    outputs = OutOfSample(rows, p[-len(rows) :], np.zeros(len(rows)))
    found = scores_of(ready.histories[0], outputs, 0, inside).scores
    assert found.close_ms[0] == from_ms + HOUR_MS
    at = np.searchsorted(found.close_ms, rows.decided_ms)
    assert found.p[at].tolist() == p[-len(rows) :].tolist()
    assert np.isnan(np.delete(found.p, at)).all()
    other = scores_of(ready.histories[0], outputs, 1, inside).scores
    assert np.isnan(other.p).all()
