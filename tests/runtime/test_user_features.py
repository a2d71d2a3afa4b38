"""A user's own features from training to certificate, with the module of docs/FEATURES.md."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import yaml

from ares import bootstrap
from ares.adapters.model_store import ModelStore
from ares.adapters.onnx_model import open_model
from ares.adapters.user_module import load_user_features
from ares.adapters.worker_pool import InlinePool
from ares.bootstrap import RunRequest
from ares.bootstrap.training import train, training_rules
from ares.cli.main import run
from ares.config.workspace import Workspace
from ares.domain.errors import UserError
from ares.domain.timeframe import DAY_MS, MINUTE_MS
from ares.journal.run import setup_of
from ares.kernel.features import FEATURE_NAMES, FEATURES_HASH, N_FEATURES
from ares.kernel.features.columns import columns_hash
from ares.learn.rows import Rows, with_user
from ares.research.backtest_request import BacktestRequest
from ares.runtime.training.instrument_history import load_history
from ares.runtime.training.job import InvalidUserFeatures, train_package
from ares.runtime.training.plan import TrainingRequest, package_jobs
from ares.runtime.training.train import TrainingReport
from ares.sim.prices import FROM_MS, simulate
from ares.store.candles import CandleStore
from ares.store.database import open_database

PAGE = Path(__file__).parents[2] / "docs" / "FEATURES.md"
MODULE = "my_features.py"
NAMES = ("distance_from_high", "volume_surge")
SPLIT_MS = FROM_MS + 12 * DAY_MS
HEAD = "from ares.kernel.features.user import feature\n@feature(warmup_bars=3)\n"
LEAKY = HEAD + "def f(bars):\n    return float(bars.close.base[-1])\n"
FAILING = HEAD + "def f(bars):\n    return bars.close[3]\n"
# The newest 640 bars are tried; this one fails on one of the first bars of the history only.
FAILING_LATER = HEAD + "def f(bars):\n    return 1.0 / int(float(bars.close[-1]) != {CLOSE})\n"


@dataclass(frozen=True)
class Done:
    workspace: Workspace
    report: TrainingReport


def write(root: Path, source: str, **settings: object) -> Workspace:
    """Put the module into the workspace's folder, and its name into the settings."""
    (root / MODULE).write_text(source)
    content = {
        "venue": "simulated",
        "symbols": ["BTC/USDT"],
        "timeframes": {"intervals": [{"interval": i, "weight": 0.5} for i in ("5m", "15m")]},
        "features": {"module": MODULE},
        "costs": {"fee_bps": 1, "spread_bps": 1},
        "strategy": {"edge_bps_min": -15, "edge_bps_exit": -20},  # so that there are trades to see
        "journal": {"snapshot_events": 500},
        **settings,
    }
    (root / "ares.yaml").write_text(yaml.safe_dump(content))
    return Workspace(root)


def example() -> str:
    """Return the page's module."""
    (source,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert isinstance(source, str)
    return source


@pytest.fixture(scope="module")
def candles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace with sixteen simulated days, of which two and a half are missing."""
    root = tmp_path_factory.mktemp("own") / "w"
    Workspace.init(root)
    world = simulate(("BTC/USDT",), days=16, edge=4.0)
    bars = world.bars["BTC/USDT"]
    gap = (bars.ts_ms >= FROM_MS + 12.5 * DAY_MS) & (bars.ts_ms < FROM_MS + 15 * DAY_MS)
    engine = open_database(f"sqlite:///{root / 'ares.db'}")
    CandleStore(engine).save(world.specs["BTC/USDT"], "1m", bars[~gap], "test")
    engine.dispose()
    return root


@pytest.fixture(scope="module")
def done(candles: Path) -> Done:
    """Return the workspace with a run over four days, stopped once and taken up again."""
    workspace = write(candles, example())
    with InlinePool() as pool:
        report = train(workspace, TrainingRequest(to_ms=SPLIT_MS), pool=pool)
    stops = iter([False] * 700 + [True])
    begun = bootstrap.history_run(workspace, REQUEST, stopped=lambda: next(stops))
    assert not begun.end.finished
    ended = bootstrap.history_run(workspace, REQUEST)
    assert ended.end.finished
    assert ended.end.resumed
    return Done(workspace, report)


REQUEST = RunRequest(None, SPLIT_MS, FROM_MS + 16 * DAY_MS, "own")


@pytest.fixture
def other(done: Done, tmp_path: Path) -> Callable[..., Workspace]:
    """Return the maker of a copy of the workspace with another module, or settings."""

    def make(source: str | None = None, **settings: object) -> Workspace:
        root = tmp_path / "other"
        shutil.copytree(done.workspace.root, root)
        return write(root, example() if source is None else source, **settings)

    return make


def refused(act: Callable[[], object]) -> str:
    """Return the one line that a person is refused with."""
    with pytest.raises(UserError) as caught:
        act()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_packages_name_the_columns_and_carry_the_modules_hash(done: Done) -> None:
    user = load_user_features(MODULE, done.workspace.root)
    assert user.names == NAMES
    assert len(done.report.packages) == 2
    assert columns_hash(None) == FEATURES_HASH != columns_hash(user)
    store = ModelStore(done.workspace.models_dir)
    for pair in done.report.packages:
        card = store.load(pair.name, pair.version).card
        assert card.features == FEATURE_NAMES + NAMES
        assert card.features_hash == columns_hash(user)
        assert card.recipe["features"][-2:] == list(NAMES)
    (ensemble,) = store.listed().ensembles
    assert ensemble.features_hash == columns_hash(user)


def test_the_models_listen_to_them(done: Done) -> None:
    """Otherwise nothing below would show anything."""
    store = ModelStore(done.workspace.models_dir)
    pair = done.report.packages[0]
    score = open_model(store.load(pair.name, pair.version).graph, N_FEATURES + 2, "test")
    rows = np.zeros((400, N_FEATURES + 2), np.float32)
    rows[:200, N_FEATURES] = np.linspace(-0.03, 0.0, 200)
    rows[200:, N_FEATURES + 1] = np.linspace(-2.0, 2.0, 200)
    p = score(rows)
    assert np.ptp(p[:200]) > 0.0
    assert np.ptp(p[200:]) > 0.0


def test_a_run_steps_and_certifies_the_same_over_a_stop_and_a_gap(done: Done) -> None:
    setup = setup_of(done.workspace.journal_dir / "history" / "own")
    assert setup is not None
    assert setup.user_features == NAMES
    assert setup.hashes["user_features"] == load_user_features(MODULE, done.workspace.root).hash
    stepped = bootstrap.restep_run(done.workspace, "own")
    assert (stepped.mismatches, stepped.first) == (0, None)
    assert stepped.compared > 2_000
    certificate = bootstrap.certify_run(done.workspace, "own")
    assert (certificate.mismatches, certificate.first) == (0, None)
    assert certificate.lines["orders"][0] + certificate.lines["virtual"][0] > 0
    assert certificate.lines["decisions"][0] > 2_000


def test_why_names_the_columns(done: Done) -> None:
    first = bootstrap.why_run(done.workspace, "own", "BTC/USDT", SPLIT_MS + 15 * MINUTE_MS)
    assert [vote.p is None for vote in first.votes] == [False, False]  # warm from the first bar
    named: set[str] = set()
    for hour in range(1, 20):  # only the few that move a score most are named at an instant
        why = bootstrap.why_run(done.workspace, "own", "BTC/USDT", SPLIT_MS + hour * DAY_MS // 24)
        named |= {name for vote in why.votes for name, _, _ in vote.features}
        if named & set(NAMES):
            break
    assert named <= set(FEATURE_NAMES + NAMES)
    assert named & set(NAMES)


def test_a_backtest_scores_as_the_engine_does(done: Done) -> None:
    result = bootstrap.backtest(
        done.workspace, BacktestRequest(from_ms=SPLIT_MS, to_ms=SPLIT_MS + DAY_MS // 2)
    )
    probabilities = result.strategy.signals.p[:, 0]
    why = bootstrap.why_run(done.workspace, "own", "BTC/USDT", SPLIT_MS + DAY_MS // 4)
    (row,) = np.flatnonzero(result.close_ms == why.closing_ms)
    # The kernel's recursive averages began elsewhere: equal but for what those remember.
    assert probabilities[row] == pytest.approx(why.p, abs=1e-3)


def test_a_changed_module_is_refused_everywhere(other: Callable[..., Workspace]) -> None:
    workspace = other(example() + "\nEDITED = True\n")
    changed = "was trained with another version of my_features.py"
    assert changed in refused(lambda: bootstrap.history_run(workspace, REQUEST))
    assert changed in refused(lambda: bootstrap.backtest(workspace, BacktestRequest()))
    for act in (bootstrap.restep_run, bootstrap.certify_run):
        line = refused(lambda act=act: act(workspace, "own"))  # type: ignore[misc]  # a lambda's default has no type
        assert line.startswith("my_features.py is not what history/own was made with")
    assert "my_features.py is not what" in refused(
        lambda: bootstrap.why_run(workspace, "own", "BTC/USDT", None)
    )


def test_a_comment_in_the_module_invalidates_nothing(other: Callable[..., Workspace]) -> None:
    workspace = other('"""Other words."""\n' + example() + "\n# edited\n")
    assert bootstrap.restep_run(workspace, "own").mismatches == 0
    result = bootstrap.backtest(
        workspace, BacktestRequest(from_ms=SPLIT_MS, to_ms=SPLIT_MS + DAY_MS // 2)
    )
    assert result.strategy.models


def test_a_run_is_not_taken_up_with_models_of_a_changed_module(
    other: Callable[..., Workspace],
) -> None:
    workspace = other(example() + "\nEDITED = True\n")
    with InlinePool() as pool:
        request = TrainingRequest(intervals=("15m",), to_ms=SPLIT_MS)
        train(workspace, request, pool=pool, now=lambda: LATER)
    line = refused(lambda: bootstrap.history_run(workspace, REQUEST))
    assert line.startswith("own was made with candidate ")
    assert "and other features or strategies of your own: restore that" in line


LATER = datetime(2030, 1, 1, tzinfo=UTC)


def test_without_the_module_its_models_are_refused(other: Callable[..., Workspace]) -> None:
    workspace = other(features={"module": None})
    names = r"trained with features of your own \(distance_from_high, volume_surge\)"
    assert re.search(names, refused(lambda: bootstrap.history_run(workspace, REQUEST)))
    assert re.search(names, refused(lambda: bootstrap.backtest(workspace, BacktestRequest())))
    line = refused(lambda: bootstrap.restep_run(workspace, "own"))
    assert "set features.module to their module" in line


def test_models_without_a_module_are_refused_with_one(other: Callable[..., Workspace]) -> None:
    workspace = other(features={"module": None})
    with InlinePool() as pool:
        request = TrainingRequest(intervals=("15m",), to_ms=SPLIT_MS)
        train(workspace, request, pool=pool, now=lambda: LATER)
    (plain,) = ModelStore(workspace.models_dir).listed().ensembles[:1]
    assert plain.features_hash == FEATURES_HASH
    named = write(workspace.root, example())
    line = refused(lambda: bootstrap.history_run(named, RunRequest(name="more")))
    assert "was trained without features.module" in line


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (LEAKY, "my_features.py: look-ahead leakage in 1 of 1 columns (f)"),
        (FAILING, "feature 'f' of my_features.py failed at the bar of 2024-01-"),
        ("x = (\n", "features.module 'my_features.py' cannot be loaded: SyntaxError"),
    ],
    ids=["leaky", "failing", "broken"],
)
def test_ares_refuses_a_bad_module_in_one_line(
    other: Callable[..., Workspace],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    source: str,
    message: str,
) -> None:
    workspace = other(source)
    before = sorted(workspace.models_dir.rglob("*"))
    monkeypatch.setenv("ARES_WORKSPACE", str(workspace.root))
    assert run(["train"]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert message in lines[-1]
    assert [line for line in lines[:-1] if not line.startswith("train: ")] == []  # its progress
    assert sorted(workspace.models_dir.rglob("*")) == before


def test_workers_load_the_module_and_their_finds_stop_the_training(
    other: Callable[..., Workspace],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A function that fails on bars which the leak test did not show it, in a real worker."""
    bars = simulate(("BTC/USDT",), days=16, edge=4.0).bars["BTC/USDT"]
    (closes,) = (bars.close[4::5],)
    early, late = closes[288:2_000].tolist(), set(closes[2_800:].tolist())
    close = next(value for value in early if value not in late)
    workspace = other(FAILING_LATER.replace("{CLOSE}", repr(close)), learning={"workers": 1})
    monkeypatch.setenv("ARES_WORKSPACE", str(workspace.root))
    assert run(["train"]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "feature 'f' of my_features.py failed at the bar of 2024-01-0" in error
    assert "ZeroDivisionError" in error


def test_a_worker_uses_nothing_but_what_was_tried(done: Done) -> None:
    user = load_user_features(MODULE, done.workspace.root)
    (job, *_), _ = package_jobs(training_rules(done.workspace), TrainingRequest(), LATER, user)
    assert job.user is not None
    spoilt = train_package(replace(job, user=replace(job.user, hash="of another version")))
    assert isinstance(spoilt, InvalidUserFeatures)
    assert "my_features.py was changed" in spoilt.reason


def test_a_models_rows_are_as_documented(done: Done) -> None:
    """The columns that a training sees, against the module's functions on slices of the history."""
    user = load_user_features(MODULE, done.workspace.root)
    (job, *_), _ = package_jobs(
        training_rules(done.workspace), TrainingRequest(to_ms=SPLIT_MS), LATER, user
    )
    seen = load_history(job.source, job.instruments[0], job.recipe.timeframe, None, 400, [])
    bars, interval_ms = seen.bars, job.recipe.timeframe.ms
    ends = np.arange(300, 400)
    zeros, lane = np.zeros(len(ends)), np.zeros(len(ends), np.int32)
    x = np.ones((len(ends), N_FEATURES), np.float32)
    at = bars.ts_ms[ends] + interval_ms
    rows = with_user(Rows(x, at, at, zeros, zeros, lane), [bars], interval_ms, user)
    assert rows.x.shape == (100, N_FEATURES + 2)
    assert rows.decided_ms.tolist() == at.tolist()
    for t, row in zip(ends, rows.x, strict=True):
        highest = bars.high[t - 47 : t + 1].max()
        assert row[N_FEATURES] == np.float32(bars.close[t] / highest - 1.0)
