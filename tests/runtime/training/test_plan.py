"""The plan of a training: one job for each package, by request and rules."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from ares.bootstrap.training import training_rules
from ares.config.workspace import Workspace
from ares.domain.errors import UserError
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.series import ValueSpec
from ares.domain.timeframe import Timeframe
from ares.kernel.bars import Bars
from ares.kernel.features.user import UserFeature, UserFeatures
from ares.runtime.training.plan import (
    TrainingRequest,
    package_jobs,
    recipe_for,
    require_enough_candles,
)
from ares.store.candles import CandleStore
from ares.store.database import open_database

MakeWorkspace = Callable[..., Workspace]
NOW = datetime(2023, 5, 1, 12, 0, 0, tzinfo=UTC)
START_MS = 1_672_531_200_000  # 2023-01-01


def test_price_only_and_costs_are_part_of_the_recipe(
    tmp_path: Path, workspace_of: MakeWorkspace
) -> None:
    plain = workspace_of(tmp_path / "plain", n=10)
    dear = workspace_of(tmp_path / "dear", n=10, costs={"fee_bps": 26.0})
    hashes = {
        package_jobs(training_rules(workspace), TrainingRequest(price_only=price_only), NOW)[0][
            0
        ].recipe.hash
        for workspace in (plain, dear)
        for price_only in (False, True)
    }
    assert len(hashes) == 4


def test_configured_symbols_without_candles_are_named(
    tmp_path: Path, workspace_of: MakeWorkspace
) -> None:
    workspace = workspace_of(tmp_path / "some", n=10)
    text = (
        (workspace.root / "ares.yaml").read_text().replace("- ETH/USDT", "- ETH/USDT\n- XRP/USDT")
    )
    (workspace.root / "ares.yaml").write_text(text)
    jobs, remarks = package_jobs(training_rules(Workspace(workspace.root)), TrainingRequest(), NOW)
    assert len(jobs) == 4
    assert len(remarks) == 1
    assert remarks[0].startswith("XRP/USDT is skipped: ")


def test_the_reference_is_that_of_the_venue_where_two_have_it(
    tmp_path: Path, workspace_of: MakeWorkspace
) -> None:
    workspace = workspace_of(tmp_path / "two", n=10)
    engine = open_database(workspace.db_url)
    other = InstrumentSpec(Instrument("kraken", "BTC/USDT"), 4, 4)
    bars = Bars.make(np.array([0]), *(np.array([1.0]) for _ in range(5)))
    CandleStore(engine, workspace.cache_dir).save(other, "1h", bars, "made for a test")
    engine.dispose()
    jobs, remarks = package_jobs(training_rules(workspace), TrainingRequest(), NOW)
    assert remarks == []
    assert {job.reference for job in jobs} == {Instrument("binance", "BTC/USDT")}


def test_a_series_and_a_feature_of_one_name_are_refused(
    tmp_path: Path, workspace_of: MakeWorkspace
) -> None:
    rules = training_rules(workspace_of(tmp_path / "w", n=10)).recipe
    user = UserFeatures((UserFeature("rate_value", 30, lambda _: 0.0),), "mine.py", "hash")
    assert recipe_for(rules, Timeframe.H1, "instrument", user=user, series=[ValueSpec("other")])
    with pytest.raises(UserError, match="two features are called rate_value"):
        recipe_for(rules, Timeframe.H1, "instrument", user=user, series=[ValueSpec("rate")])


def test_candles_that_are_too_short_for_anything_are_found_before_a_worker_starts(
    tmp_path: Path, workspace_of: Callable[..., Workspace]
) -> None:
    workspace = workspace_of(tmp_path / "w")
    rules = training_rules(workspace)
    days = TrainingRequest(intervals=("1h",), from_ms=START_MS, to_ms=START_MS + 5 * 86_400_000)
    jobs, _ = package_jobs(rules, days, NOW)
    with pytest.raises(UserError, match=r"trained \(binance:BTC/USDT 1h: at most "):
        require_enough_candles(jobs)
    jobs, _ = package_jobs(rules, TrainingRequest(intervals=("1h",)), NOW)
    require_enough_candles(jobs)
