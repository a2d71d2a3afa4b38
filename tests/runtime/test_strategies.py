"""A strategy from its file to a certified run, with the code of docs/STRATEGIES.md."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from tests.planted import TOO_GOOD

from ares import bootstrap
from ares.adapters.model_store import ModelStore
from ares.adapters.strategy_file import load_strategy, read_strategy
from ares.bootstrap import RunRequest
from ares.cli.main import run
from ares.config.workspace import Workspace
from ares.domain.errors import ExternalError, UserError
from ares.domain.package import GRAPH_FILE
from ares.domain.strategy import CALIBRATION_FILE, SOURCE_FILE
from ares.domain.timeframe import DAY_MS, HOUR_MS, Timeframe
from ares.journal.run import setup_of
from ares.kernel.features import FEATURE_NAMES, features_of
from ares.kernel.features.columns import with_user
from ares.research.backtest_request import BacktestRequest
from ares.runtime.registry.model_journal import read_registry
from ares.sim.hours import FROM_MS, hours
from ares.store.candles import CandleStore
from ares.store.database import open_database

PAGE = Path(__file__).parents[2] / "docs" / "STRATEGIES.md"
FILE = "rules.py"
N_BARS = 6_000
RUN_FROM_MS = FROM_MS + (N_BARS - 720) * HOUR_MS
KEY = "simulated:BTC/USDT"


def source() -> str:
    """Return the page's file."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return "\n\n".join(blocks)


def ares(*args: str) -> int:
    return run([*args])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a workspace in which the page's commands were given, with the second strategy."""
    root = tmp_path_factory.mktemp("strategies") / "w"
    Workspace.init(root)
    (root / FILE).write_text(source())
    settings: dict[str, Any] = {
        "venue": "simulated",
        "symbols": ["BTC/USDT"],
        "timeframes": {"intervals": [{"interval": "1h", "weight": 1.0}]},
        "learning": {"workers": 1},
        "promotion": TOO_GOOD,
    }
    (root / "ares.yaml").write_text(yaml.safe_dump(settings))
    market = hours(7, 4.0, N_BARS)
    engine = open_database(f"sqlite:///{root / 'ares.db'}")
    CandleStore(engine).save(market.spec, "1h", market.bars, "test")
    engine.dispose()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARES_WORKSPACE", str(root))
        assert ares("models", "add", f"{FILE}:reversal") == 0
        assert ares("models", "validate", "BTC/USDT") == 0, "the planted edge is what it trades"
        assert ares("models", "promote", "BTC/USDT", "--to", "history") == 0
        window = ("--from", str(np.datetime64(RUN_FROM_MS, "ms")), "--run", "first")
        assert ares("run", "--env", "history", *window) == 0
        assert ares("certify", "first") == 0
        assert ares("restep", "first") == 0
    return Workspace(root)


def test_a_strategy_has_at_most_twelve_lines() -> None:
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        assert len(block.strip().splitlines()) <= 12


def test_a_package_has_the_source_and_its_hash_in_place_of_a_graph(made: Workspace) -> None:
    (card,) = ModelStore(made.models_dir).listed().packages
    strategy = load_strategy(read_strategy(f"{FILE}:reversal", made.root))
    assert set(card.files) == {SOURCE_FILE, CALIBRATION_FILE, "training.png"}
    assert GRAPH_FILE not in card.files
    assert card.strategy == strategy.spec
    assert card.recipe["algorithm"] == "strategy"
    assert card.features == (*FEATURE_NAMES, strategy.spec.column)
    folder = made.models_dir / "packages" / card.name / card.version
    assert (folder / SOURCE_FILE).read_text() == source()


def test_it_is_judged_and_counted_like_any_model(made: Workspace) -> None:
    registry = read_registry(made.journal_dir)
    assert sorted(trial.kind for trial in registry.trials) == ["ensemble", "package"]
    (file,) = (made.models_dir / "verdicts").glob("*.json")
    lines = {line["name"]: line for line in json.loads(file.read_text())["verdict"]["lines"]}
    for name in ("reproducible", "lookahead_leakage", "parity", "calibration_error", "e_value"):
        assert lines[name]["passed"] is True, name
    assert lines["parity"]["value"] < 1e-15


def test_the_run_trades_and_is_certified_by_the_hash_of_the_strategy(made: Workspace) -> None:
    setup = setup_of(made.journal_dir / "history" / "first")
    columns = load_strategy(read_strategy(f"{FILE}:reversal", made.root)).columns
    assert setup is not None
    assert setup.user_features == columns.names
    certificate = bootstrap.certify_run(made, "first")
    assert (certificate.mismatches, certificate.first) == (0, None)
    assert certificate.lines["orders"][0] > 20
    stepped = bootstrap.restep_run(made, "first")
    assert stepped.mismatches == 0
    why = bootstrap.why_run(made, "first", "BTC/USDT", None)
    assert [name for vote in why.votes for name, _, _ in vote.features] == [*columns.names]


def test_calls_at_each_bar_and_over_the_whole_window_agree_to_the_bit(made: Workspace) -> None:
    bars = hours(7, 4.0, 900).bars
    table = features_of(bars, Timeframe.H1, bars)
    for name in ("sma_cross", "reversal"):
        columns = load_strategy(read_strategy(f"{FILE}:{name}", made.root)).columns
        values, warm = with_user(table, bars, Timeframe.H1, columns)
        rows = np.flatnonzero(warm)
        assert len(rows) > 500
        for t in rows:
            last = bars[max(0, t - 255) : t + 1]
            alone = columns.step(last, HOUR_MS, table.values[t])
            assert alone.tobytes() == values[t, len(FEATURE_NAMES) :].tobytes()


def test_a_backtest_of_the_model_scores_as_the_engine_does(made: Workspace) -> None:
    request = BacktestRequest(from_ms=RUN_FROM_MS, to_ms=RUN_FROM_MS + 5 * DAY_MS)
    result = bootstrap.backtest(made, request)
    why = bootstrap.why_run(made, "first", "BTC/USDT", RUN_FROM_MS + 3 * DAY_MS)
    (row,) = np.flatnonzero(result.close_ms == why.closing_ms)
    # The kernel's recursive averages began elsewhere: equal but for what those remember.
    assert result.strategy.signals.p[row, 0] == pytest.approx(why.p, abs=1e-6)


def test_the_rule_by_itself_is_the_baseline_of_the_same_averages(made: Workspace) -> None:
    source = read_strategy(f"{FILE}:sma_cross", made.root)
    window = BacktestRequest(from_ms=RUN_FROM_MS, to_ms=RUN_FROM_MS + 20 * DAY_MS)
    rule = bootstrap.backtest(made, replace(window, strategy=source))
    known = bootstrap.backtest(made, replace(window, baseline="sma_cross"))
    assert rule.strategy.name == "sma_cross fast=20 slow=100"
    of_rule, of_baseline = (each.strategy.signals.edge_bps[:, 0] for each in (rule, known))
    assert np.isfinite(of_rule).all()
    assert np.array_equal(of_rule[99:], of_baseline[99:])
    other = read_strategy(f"{FILE}:sma_cross", made.root, {"fast": 5})
    changed = bootstrap.backtest(made, replace(window, strategy=other))
    assert not np.array_equal(changed.strategy.signals.edge_bps, rule.strategy.signals.edge_bps)


@pytest.fixture
def copy(made: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    root = tmp_path / "other"
    shutil.copytree(made.root, root)
    monkeypatch.setenv("ARES_WORKSPACE", str(root))
    return Workspace(root)


def test_editing_the_file_changes_no_model(copy: Workspace) -> None:
    (copy.root / FILE).write_text("nothing = 0\n")
    assert bootstrap.certify_run(copy, "first").mismatches == 0
    with pytest.raises(UserError, match="has no strategy"):
        read_strategy(FILE, copy.root)


def test_a_changed_source_in_a_package_is_refused(copy: Workspace) -> None:
    (file,) = copy.models_dir.glob(f"packages/*/*/{SOURCE_FILE}")
    file.write_text(source().replace("at=1.0", "at=2.0"))
    with pytest.raises(ExternalError, match=SOURCE_FILE):
        bootstrap.history_run(copy, RunRequest(None, RUN_FROM_MS, None, "second"))


def test_an_export_goes_into_another_workspace(copy: Workspace, tmp_path: Path) -> None:
    assert ares("models", "export", "BTC/USDT", str(tmp_path / "it.zip")) == 0
    shutil.rmtree(copy.models_dir / "packages")
    shutil.rmtree(copy.models_dir / "ensembles")
    assert ares("models", "import", str(tmp_path / "it.zip")) == 0
    assert bootstrap.certify_run(copy, "first").mismatches == 0


LEAKY = (
    "from ares.kernel.features.strategy import strategy\n"
    "@strategy(warmup_bars=3)\ndef f(bars, features):\n    return float(bars.close.base[-1])\n"
)


def test_a_strategy_that_leaks_is_refused(
    copy: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    (copy.root / "leaky.py").write_text(LEAKY)
    for command in (("models", "add", "leaky.py:f"), ("backtest", "--strategy", "leaky.py:f")):
        assert ares(*command) == 2
        assert "leaky.py: look-ahead leakage in 1 of 1 columns" in capsys.readouterr().err
    assert len(read_registry(copy.journal_dir).trials) == 2
