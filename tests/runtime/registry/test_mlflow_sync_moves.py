"""MLflow mirrors what the journal says, is corrected where it differs, and is never waited for."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ares.adapters.model_store import ModelStore
from ares.bootstrap.lifecycle import archive, rollback
from ares.bootstrap.mlflow import note_behind, sync_models
from ares.config.workspace import Workspace
from ares.domain.model_life import EnsemblePromoted
from ares.runtime.registry.model_journal import read_registry, record

if TYPE_CHECKING:
    from tests.runtime.conftest import World

MODEL = "ensemble_binance_BTC-USDT"
BTC = "binance:BTC/USDT"

HOLD = """
import sqlite3, sys
held = sqlite3.connect(sys.argv[1])
held.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.readline()
"""


def client(world: World) -> Any:
    from mlflow.tracking import MlflowClient

    return MlflowClient(world.workspace.mlflow_uri, world.workspace.mlflow_uri)


def statuses(world: World) -> dict[str, str]:
    """Return each ensemble's tag ``model_status`` in MLflow, by its hash."""
    versions = client(world).search_model_versions(f"name = '{MODEL}'")
    return {v.tags["ensemble_hash"]: v.tags["model_status"] for v in versions}


def aliases(world: World) -> dict[str, str]:
    """Return who has which alias in MLflow."""
    seen = client(world)
    names = {
        v.version: v.tags["ensemble_hash"] for v in seen.search_model_versions(f"name = '{MODEL}'")
    }
    return {a: names[v] for a, v in seen.get_registered_model(MODEL).aliases.items()}


def test_champions_challenger_and_statuses_follow_the_journal(world: World) -> None:
    assert aliases(world) == {"challenger": world.other}
    world.force(world.first)
    assert aliases(world) == {"challenger": world.other}  # a run over history moves no champion
    world.let_pass(world.first, "paper")
    assert world.promote(world.first, "paper").warnings == ()
    world.let_pass(world.other, "paper")
    assert world.promote(world.other, "paper").warnings == ()
    assert aliases(world) == {"paper-champion": world.other}
    assert statuses(world)[world.first] == "production"  # in history
    assert rollback(world.workspace, None, None, "paper").warnings == ()
    assert aliases(world) == {"paper-champion": world.first, "challenger": world.refit}
    assert statuses(world) == {
        world.first: "production",
        world.refit: "candidate",
        world.other: "archived",
    }


def test_a_repeated_promotion_syncs_what_a_killed_one_could_not(world: World) -> None:
    judged = world.let_pass(world.refit, "paper")
    promotion = EnsemblePromoted(
        "paper", BTC, world.refit, "", "then", "me", "x", False, judged.verdict_hash
    )
    assert not note_behind(world.workspace)
    record(world.workspace.journal_dir, [promotion])  # and killed before MLflow was told
    assert "paper-champion" not in aliases(world)
    (refusal,) = world.promote(world.refit, "paper").refused
    assert "is champion in paper already" in refusal
    assert aliases(world)["paper-champion"] == world.refit
    assert statuses(world)[world.refit] == "production"


def test_packages_stand_where_their_best_ensemble_stands(world: World) -> None:
    world.force(world.refit)
    assert archive(world.workspace, world.other).warnings == ()
    store = ModelStore(world.workspace.models_dir)
    found = {
        v.tags["package_hash"]: v.tags["model_status"]
        for v in client(world).search_model_versions("name = 'binance_BTC-USDT_1h'")
    }
    for target, status in (
        (world.refit, "production"),
        (world.other, "archived"),
        (world.first, "candidate"),
    ):
        assert found[store.ensemble(target).members[0].package_hash] == status


def test_two_champions_in_mlflow_are_reported_and_corrected(world: World) -> None:
    world.let_pass(world.refit, "paper")
    seen = client(world)
    versions = {
        v.tags["ensemble_hash"]: v.version for v in seen.search_model_versions(f"name = '{MODEL}'")
    }
    for target in (world.first, world.other):
        seen.set_model_version_tag(MODEL, versions[target], "model_status", "production")
    seen.set_registered_model_alias(MODEL, "paper-champion", versions[world.first])
    seen.set_registered_model_alias(MODEL, "live-champion", versions[world.other])
    (warning,) = world.promote(world.refit, "paper").warnings
    for text in (
        f"called {world.first[:12]} production too",
        f"called {world.other[:12]} production too",
        f"had {world.first[:12]} as paper-champion",
        f"had {world.other[:12]} as live-champion",
        "corrected there, the models' journal decides",
    ):
        assert text in warning
    assert "\n" not in warning
    assert aliases(world)["paper-champion"] == world.refit
    assert "live-champion" not in aliases(world)
    assert world.champion("paper") == world.refit
    assert world.champion("live") is None
    assert statuses(world)[world.first] == statuses(world)[world.other] == "candidate"
    again = sync_models(world.workspace, everything=True)
    assert (again.registered, again.changed, again.corrected) == ((), (), ())


def test_a_deleted_database_changes_nothing_and_is_filled_again(
    world: World, tmp_path: Path
) -> None:
    """Trials, verdicts and champions are the journal's; MLflow learns of the champion anew."""
    world.let_pass(world.first, "paper")
    world.promote(world.first, "paper")
    judged = world.let_pass(world.refit, "paper")
    before = read_registry(world.workspace.journal_dir)
    without = shutil.ignore_patterns("mlflow.db*")
    shutil.copytree(world.workspace.root, tmp_path / "without", ignore=without)
    world = replace(world, workspace=Workspace(tmp_path / "without"))
    assert read_registry(world.workspace.journal_dir) == before
    outcome = world.promote(world.refit, "paper")
    assert outcome.promoted[0].verdict_hash == judged.verdict_hash
    assert outcome.warnings == ()
    assert aliases(world) == {"paper-champion": world.refit, "challenger": world.other}
    assert set(statuses(world)) == {world.first, world.refit, world.other}
    assert statuses(world)[world.refit] == "production"


@contextmanager
def locked(world: World) -> Iterator[None]:
    path = str(world.workspace.root / "mlflow.db")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        yield
        assert holder.stdin is not None
        holder.stdin.write(b"\n")


@contextmanager
def cut(world: World) -> Iterator[None]:
    with (world.workspace.root / "mlflow.db").open("r+b") as file:
        file.truncate(100_000)
    yield


@contextmanager
def garbage(world: World) -> Iterator[None]:
    (world.workspace.root / "mlflow.db").write_bytes(b"no database" * 300)
    yield


@contextmanager
def closed_port(world: World) -> Iterator[None]:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pointed_at(world, f"http://127.0.0.1:{port}"):
        yield


@contextmanager
def no_server(world: World) -> Iterator[None]:
    with pointed_at(world, "postgresql://127.0.0.1:9/mlflow"):
        yield


@contextmanager
def pointed_at(world: World, uri: str) -> Iterator[None]:
    settings = world.workspace.root / "ares.yaml"
    before = settings.read_text()
    settings.write_text(f"{before}mlflow:\n  tracking_uri: {uri}\n")
    yield


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (locked, "database is locked): the models' journal"),
        (cut, "malformed): the models' journal"),
        (garbage, "file is not a database): the models' journal"),
        (closed_port, "does not answer: [Errno 111] Connection refused): the models' journal"),
        (no_server, "127.0.0.1:9 does not answer"),
    ],
)
def test_without_mlflow_everything_goes_on_by_what_is_on_our_disk(
    world: World,
    harm: Callable[[World], Any],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ares.adapters.mlflow_registry.LOCKED_WAIT_S", 0.05)
    with harm(world):
        copy = afresh(world)
        copy.let_pass(copy.refit, "paper")
        outcome = copy.promote(copy.refit, "paper")
        assert message in outcome.warnings[0]
        assert "\n" not in outcome.warnings[0]
        assert copy.champion("paper") == copy.refit
        copy.let_pass(copy.other, "paper")
        assert copy.promote(copy.other, "paper").promoted
        assert rollback(copy.workspace, None, None, "paper").promoted
        assert copy.champion("paper") == copy.refit


def afresh(world: World) -> World:
    """Return the world with its settings read again."""
    return replace(world, workspace=Workspace(world.workspace.root))
