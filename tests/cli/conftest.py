"""Workspaces, made once: with a first run, and trained; every test gets a copy of its own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest
import yaml
from onnx import TensorProto, helper

from ares.adapters.model_store import ModelStore
from ares.cli.main import run
from ares.config.workspace import Workspace
from ares.domain.events import DecisionMade
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.model import Ensemble, Member, Validation
from ares.domain.package import GRAPH_FILE, PackageCard, sealed
from ares.domain.timeframe import MINUTE_MS, Timeframe
from ares.journal.run import RunJournal, entries
from ares.kernel.bars import Bars
from ares.kernel.features import FEATURE_NAMES, FEATURES_HASH
from ares.store.candles import CandleStore
from ares.store.database import open_database

Ares = Callable[..., tuple[int, str, str]]
START_MS = 1_704_067_200_000  # 2024-01-01
WINDOW = ("--from", "2024-01-02T01:00", "--to", "2024-01-02T07:00")
SYMBOLS = ("BTC/USDT", "ETH/USDT")
FRAMES = (Timeframe.M1, Timeframe.M5)


def candles(seed: int, n: int = 1_920) -> Bars:
    """Return 32 hours of minutes with a slow swing."""
    draw = np.random.default_rng(seed)
    swing = np.sin(np.arange(n) / 40.0 + seed) * 2e-4
    close = np.round(100.0 * np.exp(np.cumsum(swing + 6e-4 * draw.standard_normal(n))), 2)
    opens = np.concatenate([[100.0], close[:-1]])
    high = np.round(np.maximum(opens, close) * (1 + 3e-4 * draw.random(n)), 2)
    low = np.round(np.minimum(opens, close) * (1 - 3e-4 * draw.random(n)), 2)
    volume = np.round(draw.exponential(200.0, n), 3)
    ts_ms = START_MS + MINUTE_MS * np.arange(n, dtype=np.int64)
    return Bars.make(ts_ms, opens, np.maximum(high, opens), np.minimum(low, opens), close, volume)


def graph(seed: int) -> bytes:
    """Return a linear model of a few features as ONNX."""
    draw = np.random.default_rng(seed)
    weights = np.zeros((len(FEATURE_NAMES), 1), np.float32)
    for name in ("return_z_20", "bollinger_20", "streak"):
        weights[FEATURE_NAMES.index(name)] = 0.5 * draw.normal()
    made = helper.make_graph(
        [
            helper.make_node("MatMul", ["features", "w"], ["raw"]),
            helper.make_node("Sigmoid", ["raw"], ["probability"]),
        ],
        "test",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, len(FEATURE_NAMES)])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, [None, 1])],
        [helper.make_tensor("w", TensorProto.FLOAT, weights.shape, weights.ravel().tolist())],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    return bytes(model.SerializeToString())


def make_ensemble(
    store: ModelStore, symbol: str, seed: int, reference: str, data_to_ms: int = 1
) -> Ensemble:
    """Store a package a timeframe and their ensemble; a higher seed is newer."""
    key, members = f"binance:{symbol}", []
    for k, timeframe in enumerate(FRAMES):
        content = graph(seed + 10 * k)
        card = PackageCard(
            name=f"binance_{symbol.replace('/', '-')}_{timeframe}", version="20240101_000000",
            scope="instrument", instruments=(key,), timeframe=timeframe, origin="trained",
            features=FEATURE_NAMES, features_hash=FEATURES_HASH, recipe={}, recipe_hash="r",
            horizon_bars=20, width_sigmas=0.8, width_min_bps=8.0, cost_bps=5.0, gain=1.0, loss=0.8,
            data_from_ms=0, data_to_ms=data_to_ms, data_rows=1, data_hash="d",
            validation=Validation(), metrics={}, parity={}, libraries={}, git_commit="c",
            created_at="2024-01-01T00:00:00Z", reference=reference,
        )  # fmt: skip
        package = store.add(sealed(card, {GRAPH_FILE: content}))
        members.append(Member(timeframe, card.name, package.card.version, package.hash, 0.5))
    ensemble = Ensemble(
        instrument=key, members=tuple(members), anchor=Timeframe.M1, platt_a=1.0, platt_b=0.0,
        horizon_bars=20, width_sigmas=0.8, width_min_bps=8.0, gain=1.0, loss=0.8, cost_bps=5.0,
        recipe_hash="r", features_hash=FEATURES_HASH, validation=Validation(400, 15.0, 50.0),
        created_at=f"2024-01-01T00:00:0{seed}Z",
    )  # fmt: skip
    store.save_ensemble(ensemble)
    return ensemble


@pytest.fixture(scope="session")
def begun(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Return a workspace with candles and models, the first symbol with a champion, and the result
    of its first run; nothing changes it.
    """
    folder = tmp_path_factory.mktemp("engine") / "w"
    Workspace.init(folder)
    write_settings(folder)
    database = open_database(f"sqlite:///{folder / 'ares.db'}")
    store = CandleStore(database, folder / "cache")
    for seed, symbol in enumerate(SYMBOLS):
        spec = InstrumentSpec(Instrument("binance", symbol), 2, 3)
        store.save(spec, "1m", candles(seed), "test")
    database.dispose()
    models = ModelStore(Workspace(folder).models_dir)
    for seed, symbol in enumerate(SYMBOLS):
        make_ensemble(models, symbol, seed, "binance:BTC/USDT")
    code = call(folder, ["models", "promote", "BTC/USDT", "--force", "--reason", "rehearsal"])[0]
    assert code == 0
    code, out, err = call(folder, ["run", *WINDOW, "--json"])
    assert code == 0, err
    return folder, json.loads(out)


def write_settings(folder: Path, **changes: Any) -> None:
    content = {
        "symbols": list(SYMBOLS),
        "timeframes": {"intervals": [{"interval": t.value, "weight": 0.5} for t in FRAMES]},
        "costs": {"fee_bps": 2.0, "spread_bps": 1.0},
        "strategy": {"edge_bps_min": 3.0, "edge_bps_exit": -10.0},
        "risk": {"price_collar_bps": 30.0},
        **changes,
    }
    (folder / "ares.yaml").write_text(yaml.safe_dump(content))


def call(folder: Path, arguments: list[str]) -> tuple[int, str, str]:
    """Run one command in this process; return its exit code and its output."""
    out, err = io.StringIO(), io.StringIO()
    before = os.environ.get("ARES_WORKSPACE")
    os.environ["ARES_WORKSPACE"] = str(folder)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(arguments)
    finally:
        if before is None:
            del os.environ["ARES_WORKSPACE"]
        else:
            os.environ["ARES_WORKSPACE"] = before
    return code, out.getvalue(), err.getvalue()


@pytest.fixture
def root(begun: tuple[Path, dict[str, Any]], tmp_path: Path) -> Path:
    """Return this test's own workspace, with the first run in it."""
    shutil.copytree(begun[0], tmp_path / "w")
    return tmp_path / "w"


@pytest.fixture
def first(begun: tuple[Path, dict[str, Any]]) -> dict[str, Any]:
    """Return the result of the first run."""
    return begun[1]


@pytest.fixture
def ares(root: Path) -> Ares:
    """Return the command line in this test's own workspace."""
    return lambda *arguments: call(root, list(arguments))


@pytest.fixture
def settings_of() -> Callable[..., None]:
    """Return a function that writes a folder's settings, with changes."""
    return write_settings


@pytest.fixture
def ensemble_of() -> Callable[..., Ensemble]:
    """Return a function that makes an ensemble in a model store."""
    return make_ensemble


@pytest.fixture
def forged(root: Path, ares: Ares) -> Path:
    """Return the folder of a run in whose journal one equity is wrong."""
    code, _, err = ares("run", *WINDOW, "--run", "forged")
    assert code == 0, err
    folder = Workspace(root).journal_dir / "history" / "forged"
    recorded, is_forged = list(entries(folder)), False
    (folder / "000001.journal").unlink()
    journal = RunJournal(folder, sync_ms=10**9)
    for entry in recorded:
        effects = entry.effects
        if entry.seq >= 200 and not is_forged and effects and isinstance(effects[0], DecisionMade):
            is_forged = True
            equity = effects[0].equity_units + 1
            effects[0] = msgspec.structs.replace(effects[0], equity_units=equity)
        journal.event(entry.seq, entry.event, entry.at_ms, entry.causation, entry.correlation)
        journal.effects(entry.seq, effects)
    journal.close()
    return folder


HOUR = 3_600_000


class CommandResult(NamedTuple):
    """A command's exit code and what it printed."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class TrainedAres:
    """The command line in a workspace: called with a command's words, it says what that said.

    made : what the command said that made the workspace what it is; None: no command did.
    """

    root: Path
    made: CommandResult | None = None

    def __call__(self, *arguments: str) -> CommandResult:
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("COLUMNS", "200")
            patch.setenv("ARES_WORKSPACE", str(self.root))
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = run(arguments)
        return CommandResult(code, out.getvalue(), err.getvalue())

    def at(self, root: Path) -> TrainedAres:
        """Return the command line in another workspace."""
        return TrainedAres(root)

    def copy(self, root: Path) -> TrainedAres:
        """Return the same in a folder of its own, to be changed at will."""
        shutil.copytree(self.root, root)
        return TrainedAres(root, self.made)

    def then(self, *arguments: str) -> TrainedAres:
        """Run a command that makes the workspace another."""
        return TrainedAres(self.root, self(*arguments))


def trained_bars(n: int = 900) -> Bars:
    """Return hourly bars that rise in the first half of the day, and fall in the second."""
    draw = np.random.default_rng(0).random((n, 2))
    sign = np.where(np.arange(n) % 24 < 12, 1.0, -1.0)
    close = 100.0 * np.exp(np.cumsum(0.002 * sign + 0.01 * (draw[:, 0] - 0.5)))
    o = np.concatenate([[100.0], close[:-1]])
    ts = 1_672_531_200_000 + np.arange(n, dtype=np.int64) * HOUR
    high, low = np.maximum(o, close) * 1.0005, np.minimum(o, close) / 1.0005
    return Bars.make(ts, o, high, low, close, 1 + draw[:, 1])


@pytest.fixture(scope="session")
def first_training(tmp_path_factory: pytest.TempPathFactory) -> TrainedAres:
    """Return the workspace after ``train --json``; nobody changes it."""
    root = tmp_path_factory.mktemp("models") / "w"
    Workspace.init(root)
    content = {
        "symbols": ["BTC/USDT"],
        "timeframes": {
            "intervals": [{"interval": "1h", "weight": 0.6}, {"interval": "4h", "weight": 0.4}]
        },
        "learning": {"workers": 1},
    }
    (root / "ares.yaml").write_text(yaml.safe_dump(content))
    engine = open_database(f"sqlite:///{root / 'ares.db'}")
    spec = InstrumentSpec(Instrument("binance", "BTC/USDT"), 4, 4)
    CandleStore(engine, None).save(spec, "1h", trained_bars(), "made for a test")
    engine.dispose()
    ares = TrainedAres(root).then("train", "--json")
    assert ares.made is not None
    assert ares.made.code == 0, ares.made.err
    return ares


@pytest.fixture(scope="session")
def second_training(
    first_training: TrainedAres, tmp_path_factory: pytest.TempPathFactory
) -> TrainedAres:
    """Return the workspace after another training, of price only, as a person sees it."""
    ares = first_training.copy(tmp_path_factory.mktemp("twice") / "w")
    return ares.then("train", "-s", "BTC/USDT", "--workers", "1", "--price-only")


@pytest.fixture(scope="session")
def first_verdict(
    first_training: TrainedAres, trained: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> TrainedAres:
    """Return the workspace after ``validate --json``; ``verdict.png`` in it is the picture."""
    ares = first_training.copy(tmp_path_factory.mktemp("judged") / "w")
    picture = ("--picture", str(ares.root / "verdict.png"))
    return ares.then("models", "validate", trained["ensembles"][0]["hash"][:10], "--json", *picture)


@pytest.fixture(scope="session")
def trained(first_training: TrainedAres) -> dict[str, Any]:
    """Return what ``train --json`` said."""
    assert first_training.made is not None
    output: dict[str, Any] = json.loads(first_training.made.out)
    return output


@pytest.fixture
def trained_ares(first_training: TrainedAres, tmp_path: Path) -> TrainedAres:
    """Return the command line in this test's own workspace, trained once."""
    return first_training.copy(tmp_path / "w")


@pytest.fixture
def ares_twice(second_training: TrainedAres, tmp_path: Path) -> TrainedAres:
    """Return the command line in this test's own workspace, trained twice."""
    return second_training.copy(tmp_path / "w")


@pytest.fixture
def ares_judged(first_verdict: TrainedAres, tmp_path: Path) -> TrainedAres:
    """Return the command line in this test's own workspace, whose model has a verdict."""
    return first_verdict.copy(tmp_path / "w")
