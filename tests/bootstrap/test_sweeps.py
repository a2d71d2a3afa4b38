"""Sweeps: counted, interrupted, continued, ranked; on hours whose drift can be learned."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from ares.adapters.model_store import ModelStore
from ares.adapters.strategy_file import read_strategy
from ares.adapters.worker_pool import InlinePool
from ares.bootstrap.sweeps import SweepRequest, sweep, sweep_picture
from ares.cli.main import run
from ares.config.workspace import Workspace
from ares.domain.errors import UserError
from ares.domain.sweep import SweepParameter
from ares.learn.gate.trials import recipes_tried
from ares.runtime.registry.model_journal import read_registry
from ares.runtime.validation.sweep import RESULTS_FILE, SweepReport, read_results
from ares.sim.hours import hours
from ares.store.candles import CandleStore
from ares.store.database import open_database

KEY = "simulated:BTC/USDT"
NOW = datetime(2026, 5, 1, tzinfo=UTC)
NINE = SweepRequest(
    (
        SweepParameter("learning.horizon", (0.33, 0.5, 1.0)),
        SweepParameter("learning.width", (1.0, 1.5, 2.0)),
    )
)
RULE = (
    "from ares.kernel.features.strategy import strategy\n"
    "@strategy(warmup_bars=1)\ndef reversal(bars, features, at=1.0, sign=1):\n"
    "    return -sign * features['bollinger_20'] - at\n"
)


SECONDS = count()


def clock() -> datetime:
    """Return a time that is a second later at each call: models are named by it."""
    return NOW + timedelta(seconds=next(SECONDS))


def swept(
    workspace: Workspace,
    request: SweepRequest,
    stop_after: int = 10_000,
    shown: list[tuple[int, int]] | None = None,
) -> SweepReport:
    """Return the report of a sweep, which Ctrl-C interrupts after some recipes."""

    def reached(done: int, total: int, what: str) -> None:
        if shown is not None:
            shown.append((done, total))
        if what and done >= stop_after:
            raise KeyboardInterrupt

    with InlinePool() as pool:
        return sweep(workspace, request, on_progress=reached, now=clock, pool=pool)


@pytest.fixture(scope="module")
def candles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sweeps") / "w"
    Workspace.init(root)
    (root / "ares.yaml").write_text(
        "venue: simulated\nsymbols: [BTC/USDT]\n"
        "timeframes:\n  intervals:\n    - {interval: 1h, weight: 1.0}\n"
        "learning: {workers: 1, folds: 3}\n"
        "continuous_learning: {retraining: {max_epochs: 2}}\n"
    )
    (root / "rules.py").write_text(RULE)
    market = hours(5, 4.0, 2_500)
    engine = open_database(f"sqlite:///{root / 'ares.db'}")
    CandleStore(engine).save(market.spec, "1h", market.bars, "test")
    engine.dispose()
    return root


@pytest.fixture(scope="module")
def whole(candles: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, SweepReport]:
    root = tmp_path_factory.mktemp("whole") / "w"
    shutil.copytree(candles, root)
    return Workspace(root), swept(Workspace(root), NINE)


@pytest.fixture
def workspace(candles: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(candles, tmp_path / "w")
    return Workspace(tmp_path / "w")


def counted(workspace: Workspace, recipe_hash: str) -> int:
    trials = read_registry(workspace.journal_dir).trials
    return recipes_tried(trials, KEY, recipe_hash, single_package=False)


def test_nine_recipes_are_nine_trials_and_the_best_is_a_candidate(
    whole: tuple[Workspace, SweepReport],
) -> None:
    workspace, report = whole
    assert len(report.ranked) == report.new == report.trials == 9
    assert counted(workspace, report.ranked[0].result.recipe_hash) == 9
    ratios = [each.result.sharpe for each in report.ranked]
    known = [ratio for ratio in ratios if ratio is not None]
    assert len(known) > 3
    assert known == sorted(known, reverse=True)
    best = report.ranked[0]
    assert report.best is not None
    assert report.best.hash == best.result.ensemble
    models = ModelStore(workspace.models_dir)
    assert [ensemble.hash for ensemble in models.listed().ensembles] == [report.best.hash]
    assert len(models.listed().packages) == 1
    assert best.expected_max is not None
    assert best.expected_max > 0.0
    assert best.deflated is not None
    assert len(report.by_trials) == 9
    assert report.by_trials[-1] == best.deflated
    assert list(report.by_trials) == sorted(report.by_trials, reverse=True), "each try costs"


def test_ctrl_c_keeps_what_is_done_and_the_same_request_continues(
    whole: tuple[Workspace, SweepReport], workspace: Workspace
) -> None:
    with pytest.raises(KeyboardInterrupt):
        swept(workspace, NINE, stop_after=4)
    kept = read_results(next((workspace.models_dir / "sweeps").iterdir()))
    assert len(kept) == 4
    assert counted(workspace, next(iter(kept.values())).recipe_hash) == 4
    assert ModelStore(workspace.models_dir).listed().ensembles == ()
    shown: list[tuple[int, int]] = []
    report = swept(workspace, NINE, shown=shown)
    assert (report.new, len(report.ranked), report.trials) == (5, 9, 9)
    assert (shown[0], shown[-1]) == ((4, 9), (9, 9)), "what is known is done from the start"
    numbers = [
        [(each.result.point, each.result.sharpe, each.deflated) for each in found.ranked]
        for found in (whole[1], report)
    ]
    assert numbers[0] == numbers[1]
    again = swept(workspace, NINE)
    assert (again.new, again.trials) == (0, 9)
    assert again.best is not None
    assert report.best is not None
    assert again.best.hash == report.best.hash


@pytest.mark.slow
def test_an_interrupted_tpe_sweep_draws_what_it_would_have_drawn(workspace: Workspace) -> None:
    request = replace(
        NINE,
        parameters=(SweepParameter("strategy.at", (), 0.0, 2.0),),
        strategy=read_strategy("rules.py:reversal", workspace.root),
        sampler="tpe",
        trials=7,
    )
    with pytest.raises(KeyboardInterrupt):
        swept(workspace, request, stop_after=3)
    continued = swept(workspace, request)
    assert len(continued.ranked) == 7
    shutil.rmtree(workspace.models_dir / "sweeps")
    straight = swept(workspace, request)
    points = [[each.result.point for each in found.ranked] for found in (continued, straight)]
    assert points[0] == points[1]
    assert straight.trials == 7, "the same recipes again are no new trials"


def test_another_sweep_counts_on(workspace: Workspace) -> None:
    first = replace(NINE, parameters=(SweepParameter("learning.width", (1.0, 1.5)),))
    assert swept(workspace, first).trials == 2
    second = replace(NINE, parameters=(SweepParameter("learning.width", (1.5, 2.0)),))
    assert swept(workspace, second).trials == 3


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ((), "name what to try"),
        ((SweepParameter("costs.fee_bps", (1, 2)),), "no part of a recipe"),
        ((SweepParameter("learning.width", (1, -2)),), "learning.width"),
        ((SweepParameter("strategy.at", (1, 2)),), "name the strategy"),
        ((SweepParameter("learning.width", (), 1.0, 2.0),), "has no grid"),
    ],
    ids=["nothing", "no recipe", "invalid", "no strategy", "range"],
)
def test_a_sweep_that_cannot_be_made_is_refused_before_the_work(
    workspace: Workspace, parameters: tuple[SweepParameter, ...], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        swept(workspace, SweepRequest(parameters))
    assert read_registry(workspace.journal_dir).trials == ()


def test_a_parameter_that_the_strategy_does_not_have_is_refused(workspace: Workspace) -> None:
    strategy = read_strategy("rules.py:reversal", workspace.root)
    parameters = (SweepParameter("strategy.fast", (1, 2)),)
    with pytest.raises(UserError, match="has no parameter fast; it has at, sign"):
        swept(workspace, SweepRequest(parameters, strategy=strategy))


def test_the_command_shows_a_table_and_a_picture(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ARES_WORKSPACE", str(workspace.root))
    command = ["sweep", "--strategy", "rules.py:reversal", "--param", "strategy.at=0.5,1.0"]
    assert run([*command, "--param", "learning.width=1,2"]) == 0
    out = capsys.readouterr().out
    assert "Sweep of simulated:BTC/USDT" in out
    assert "4 recipes tried; 4 ever on simulated:BTC/USDT" in out
    assert "ares models validate" in out
    assert run([*command, "--param", "learning.width=1,2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["trials"], found["new"], len(found["recipes"])) == (4, 0, 4)
    assert Path(found["picture"]).read_bytes().startswith(b"\x89PNG")
    assert (Path(found["folder"]) / RESULTS_FILE).exists()


def test_the_picture_is_of_the_report(whole: tuple[Workspace, SweepReport]) -> None:
    assert sweep_picture(whole[1]).startswith(b"\x89PNG")
