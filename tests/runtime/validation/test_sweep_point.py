"""A point without candles; those with candles are in tests/bootstrap/test_sweeps.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from ares.bootstrap.training import training_rules
from ares.config.workspace import Workspace
from ares.runtime.training.job import SkippedTraining
from ares.runtime.training.plan import TrainingRequest, package_jobs
from ares.runtime.validation.sweep_point import PointDone, PointJob, train_point


def test_a_point_is_made_whole_or_skipped_with_the_reason(
    tmp_path: Path, workspace_of: Callable[..., Workspace]
) -> None:
    workspace = workspace_of(tmp_path / "w")
    rules = training_rules(workspace)
    request = TrainingRequest(symbols=("ETH/USDT",), intervals=("1h",))
    jobs, _ = package_jobs(rules, request, datetime(2023, 5, 1, tzinfo=UTC))
    job = PointJob(
        {"a": 1}, jobs[0].instruments[0], tuple(jobs), rules.weights,
        rules.context.edge_bps_min, rules.trade, rules.cash_quote,
    )  # fmt: skip
    done = train_point(job)
    assert isinstance(done, PointDone)
    assert [made.recipe.timeframe.value for made, _ in done.packages] == ["1h"]
    assert len(done.aggregate.daily) % 8 == 0
    short = train_point(replace(job, jobs=(replace(jobs[0], rows_min=10**9),)))
    assert isinstance(short, SkippedTraining)
    assert short.reason.startswith("binance:ETH/USDT 1h: ")
