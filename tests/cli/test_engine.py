"""``ares run``, ``certify``, ``restep`` and ``why`` as a person uses them; the models are ONNX."""

from __future__ import annotations

import json
import os
import subprocess
import sys
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
from ares.domain.events import Decided
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.model import Ensemble, Member, Validation
from ares.domain.package import GRAPH_FILE, PackageCard, sealed
from ares.domain.timeframe import MINUTE_MS, Timeframe
from ares.journal.log import Lock
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


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace with candles and models; the first symbol has a champion."""
    folder = tmp_path_factory.mktemp("w")
    Workspace.init(folder)
    write_settings(folder)
    database = open_database(f"sqlite:///{folder / 'ares.db'}")
    store = CandleStore(database, folder / "cache")
    for seed, symbol in enumerate(SYMBOLS):
        spec = InstrumentSpec(Instrument("binance", symbol), 2, 3)
        store.save(spec, "1m", candles(seed), "made for a test")
    database.dispose()
    models = ModelStore(Workspace(folder).models_dir)
    for seed, symbol in enumerate(SYMBOLS):
        make_ensemble(models, symbol, seed, "binance:BTC/USDT")
    code = call(folder, ["models", "promote", "BTC/USDT", "--force", "--reason", "rehearsal"])[0]
    assert code == 0
    return folder


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
    """Run one command in this process; return its exit code and what it printed."""
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
def ares(root: Path) -> Ares:
    return lambda *arguments: call(root, list(arguments))


@pytest.fixture(scope="module")
def first(root: Path) -> dict[str, Any]:
    """Return what the first run said."""
    code, out, err = call(root, ["run", *WINDOW, "--json"])
    assert code == 0, err
    said: dict[str, Any] = json.loads(out)
    return said


def one_line(text: str) -> bool:
    return text.startswith("ares: ") and text.count("\n") == 1


def test_a_run_says_what_it_came_to(first: dict[str, Any]) -> None:
    assert first["finished"] is True
    assert first["environment"] == "history/20240102-20240102"
    btc, eth = first["instruments"]
    assert (btc["slot"], eth["slot"]) == ("champion", "challenger")
    assert btc["real"]["trades"] > 5
    assert eth["real"]["trades"] == 0
    assert eth["virtual"]["trades"] > 5
    assert set(eth["refused"]) == {"no_champion"}
    assert eth["real"]["win_rate"] is None
    assert first["instants"] == 6 * 60
    assert first["equity_end"] == pytest.approx(first["equity_start"] * (1 + first["net_return"]))


def test_the_report_for_people(ares: Ares, first: dict[str, Any]) -> None:
    code, out, err = ares("run", *WINDOW)
    assert code == 0
    assert "The run was finished before: nothing was run again" in out
    assert "binance:BTC/USDT" in out
    assert "binance:ETH/USDT has no champion: its newest candidate makes virtual trades only" in err


def test_certify_and_restep_say_yes_about_the_newest_run(ares: Ares, first: dict[str, Any]) -> None:
    code, out, _ = ares("certify", "--json")
    said = json.loads(out)
    assert (code, said["mismatches"], said["first"]) == (0, 0, None)
    assert said["events"] == first["events"]
    assert said["compared"] > 1_000
    code, out, _ = ares("restep", "--json")
    said = json.loads(out)
    assert (code, said["mismatches"]) == (0, 0)
    assert said["compared"] == said["events"] == first["events"]
    for command in ("certify", "restep"):
        code, out, err = ares(command, "20240102-20240102")
        assert (code, err) == (0, "")
        assert "agree" in out or "byte-equal effects" in out


def test_certify_and_restep_say_no_about_a_forged_one(root: Path, ares: Ares) -> None:
    code, _, _ = ares("run", *WINDOW, "--run", "forged")
    assert code == 0
    folder = Workspace(root).journal_dir / "history" / "forged"
    told = list(entries(folder))
    (folder / "000001.journal").unlink()
    journal = RunJournal(folder, sync_ms=10**9)
    for entry in told:
        effects = entry.effects
        if entry.seq == 200:
            assert isinstance(effects[0], Decided)
            worth = effects[0].equity_units + 1
            effects[0] = msgspec.structs.replace(effects[0], equity_units=worth)
        journal.event(entry.seq, entry.event)
        journal.effects(entry.seq, effects)
    journal.close()
    for command in ("certify", "restep"):
        code, out, _ = ares(command, "forged", "--json")
        said = json.loads(out)
        assert (code, said["mismatches"]) == (1, 1)
        assert said["first"]["journaled"] != said["first"].get("recomputed")
        code, out, _ = ares(command, "history/forged")
        assert code == 1
        assert "The first in full" in out


def test_why_explains_a_bar(ares: Ares, first: dict[str, Any]) -> None:
    code, out, _ = ares("why", "BTC/USDT", "--json")
    said = json.loads(out)
    assert code == 0
    assert said["instrument"] == "binance:BTC/USDT"
    assert said["slot"] == "champion"
    assert said["action"]
    code, out, _ = ares("why", "ETH/USDT", "--at", "2024-01-02T03:00")
    assert code == 0
    assert out.startswith("binance:ETH/USDT at 2024-01-02 03:00")
    assert "challenger" in out
    code, _, err = ares("why", "ETH/USDT", "--at", "2024-01-02T03:00")
    assert (code, err) == (0, "")
    code, late, err = ares("why", "BTC/USDT", "--at", "2030-01-01")
    assert (code, late) == (0, ares("why", "BTC/USDT")[1])
    assert "decided nothing for binance:BTC/USDT at 2030-01-01 00:00: the newest decision" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("why", "XRP/USDT"), "'XRP/USDT' is not in history/"),
        (("why", "BTC/USDT", "--at", "2024-01-01"), "decided nothing for BTC/USDT"),
        (("why", "BTC/USDT", "--at", "soon"), "'soon' is no date"),
        (("why", "BTC/USDT", "--run", "none"), "no run 'none': there are"),
        (("certify", "none"), "no run 'none'"),
        (("restep", "none"), "no run 'none'"),
        (("run", "--from", "2024-01-03", "--to", "2024-01-02"), "is not before"),
        (("run", "--from", "2030-01-01", "--to", "2030-01-02"), "no candles"),
        (("run", "-s", "XRP/USDT", *WINDOW), "unknown symbol"),
        (("run", "--env", "live"), "this version runs history only"),
        (("run", "--speed", "2"), "history runs at max"),
        (("run", "--run", "../x"), "use letters, digits"),
    ],
)
def test_a_mistake_is_one_line(
    ares: Ares, first: dict[str, Any], arguments: tuple[str, ...], words: str
) -> None:
    code, out, err = ares(*arguments)
    assert (code, out) == (2, "")
    assert one_line(err), err
    assert words in err


def test_a_symbol_asked_for_twice_is_traded_once(ares: Ares, first: dict[str, Any]) -> None:
    twice = ("-s", "BTC/USDT", "-s", "binance:BTC/USDT", "-s", "btcusdt")
    code, out, err = ares("run", *twice, *WINDOW, "--run", "twice", "--json")
    assert code == 0, err
    assert [one["instrument"] for one in json.loads(out)["instruments"]] == ["binance:BTC/USDT"]


def test_other_settings_make_another_run_and_a_named_one_is_not_mixed(
    root: Path, ares: Ares, first: dict[str, Any]
) -> None:
    write_settings(root, account={"capital_quote": 5_000.0})
    try:
        code, out, _ = ares("run", *WINDOW, "--json")
        assert (code, json.loads(out)["environment"]) == (0, "history/20240102-20240102-2")
        code, out, err = ares("run", *WINDOW, "--run", "20240102-20240102")
        assert (code, out, one_line(err)) == (3, "", True)
        assert "cash 10000 (now 5000): put that back, or start a new run" in err
    finally:
        write_settings(root)


def test_a_backtest_with_the_gate_comes_to_what_the_run_came_to(ares: Ares) -> None:
    """One engine: same candles, models, mode, limits and memory of volatility and scores."""
    asked = ("-s", "BTC/USDT", *WINDOW)
    run_said = json.loads(ares("run", *asked, "--run", "one-engine", "--json")[1])
    code, out, err = ares("backtest", *asked, "--gate", "--no-db", "--json")
    assert code == 0, err
    tested = json.loads(out)
    trades = sum(one["real"]["trades"] for one in run_said["instruments"])
    assert trades > 3
    assert tested["trades"] == trades
    assert tested["equity_end"] == pytest.approx(run_said["equity_end"], abs=1e-7)
    assert tested["fees"] == pytest.approx(run_said["fees"], abs=1e-7)


def test_a_second_engine_is_refused(root: Path, ares: Ares) -> None:
    lock = Lock(Workspace(root).journal_dir / "history" / "busy")
    code, out, err = ares("run", *WINDOW, "--run", "busy")
    lock.release()
    assert (code, out, one_line(err)) == (3, "", True)
    assert f"another engine (process {os.getpid()})" in err


def test_a_damaged_journal_is_one_line(root: Path, ares: Ares, first: dict[str, Any]) -> None:
    assert ares("run", *WINDOW, "--run", "broken")[0] == 0
    path = Workspace(root).journal_dir / "history" / "broken" / "000001.journal"
    raw = bytearray(path.read_bytes())
    raw[30_000] ^= 16
    path.write_bytes(raw)
    commands = (["certify", "broken"], ["restep", "broken"], ["why", "BTC/USDT", "--run", "broken"])
    for arguments in (*commands, ["run", *WINDOW, "--run", "broken"]):
        code, out, err = ares(*arguments)
        assert (code, out, one_line(err)) == (3, "", True), arguments
        assert "is damaged at byte" in err
    assert path.read_bytes() == raw
    path.unlink()


def test_models_of_different_references_do_not_run_together(root: Path, ares: Ares) -> None:
    """Each model saw the features of its own reference; a run has one."""
    models = ModelStore(Workspace(root).models_dir)
    other = make_ensemble(models, "ETH/USDT", 7, "binance:ETH/USDT")
    code, out, err = ares("run", *WINDOW, "--run", "mixed")
    models.ensemble_path(other).unlink()
    assert (code, out, one_line(err)) == (2, "", True)
    assert "different reference instruments" in err


def test_a_model_that_saw_the_window_in_training_is_said(root: Path, ares: Ares) -> None:
    models = ModelStore(Workspace(root).models_dir)
    seen_ms = START_MS + 28 * 60 * MINUTE_MS
    knowing = make_ensemble(models, "ETH/USDT", 8, "binance:BTC/USDT", data_to_ms=seen_ms)
    code, _, err = ares("run", *WINDOW, "--run", "knowing")
    models.ensemble_path(knowing).unlink()
    assert code == 0
    assert "binance:ETH/USDT: its models learned from candles up to 2024-01-02 04:00" in err
    assert "binance:BTC/USDT: its models" not in err


CUT = """
import os, signal, sys
from ares.cli.main import main
from ares.runtime.loop import Loop
instant, seen = Loop.instant, []
def counted(*arguments, **named):
    seen.append(1)
    if len(seen) == 150:
        os.kill(os.getpid(), getattr(signal, sys.argv[1]))
    return instant(*arguments, **named)
Loop.instant = counted
main(sys.argv[2:])
"""


def cut(root: Path, with_signal: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process that gets a signal at its 150th instant."""
    return subprocess.run(
        [sys.executable, "-c", CUT, with_signal, *arguments],
        env=os.environ | {"ARES_WORKSPACE": str(root)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(("signal", "code"), [("SIGINT", 130), ("SIGTERM", 130), ("SIGKILL", -9)])
def test_stopped_by_a_signal_the_same_command_goes_on(
    root: Path, ares: Ares, first: dict[str, Any], signal: str, code: int
) -> None:
    name = signal.lower()
    done = cut(root, signal, "run", *WINDOW, "--run", name)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    if code == 130:
        assert "stopped: the same command goes on from here" in done.stderr
    after, out, err = ares("run", *WINDOW, "--run", name, "--json")
    assert after == 0, err
    said = json.loads(out)
    assert (said["finished"], said["resumed"]) == (True, True)
    for command in ("certify", "restep"):
        assert ares(command, name)[0] == 0
    same = {k: v for k, v in said.items() if k in ("fills", "orders", "equity_end", "instruments")}
    assert same == {k: first[k] for k in same}


FULL = """
import resource, sys
from ares.cli.main import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
main(sys.argv[2:])
"""


def test_a_full_disk_is_one_line_and_the_run_goes_on_when_there_is_room(
    root: Path, ares: Ares, first: dict[str, Any]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, "130000", "run", *WINDOW, "--run", "full"],
        env=os.environ | {"ARES_WORKSPACE": str(root)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    *_, line = done.stderr.splitlines()
    assert "Traceback" not in done.stderr
    assert "cannot write the journal" in line
    journal = Workspace(root).journal_dir / "history" / "full" / "000001.journal"
    held = journal.read_bytes()
    assert 0 < len(held) <= 130_000
    code, out, err = ares("run", *WINDOW, "--run", "full", "--json")
    assert code == 0, err
    assert journal.read_bytes()[:50_000] == held[:50_000]
    assert json.loads(out)["equity_end"] == first["equity_end"]
    assert ares("certify", "full")[0] == 0
