"""A workspace with candles, ONNX models and a first run; every test gets a copy of its own."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
    import contextlib
    import io

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
    recorded = list(entries(folder))
    (folder / "000001.journal").unlink()
    journal = RunJournal(folder, sync_ms=10**9)
    for entry in recorded:
        effects = entry.effects
        if entry.seq == 200:
            assert isinstance(effects[0], DecisionMade)
            equity = effects[0].equity_units + 1
            effects[0] = msgspec.structs.replace(effects[0], equity_units=equity)
        journal.event(entry.seq, entry.event)
        journal.effects(entry.seq, effects)
    journal.close()
    return folder
