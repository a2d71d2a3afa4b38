"""One MLflow: runs, versions, tags, aliases; what goes wrong is one exception with one line."""

from __future__ import annotations

import sqlite3
import warnings
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ares.adapters.mlflow_registry import MlflowRegistry, MlflowUnavailable, RegistryEntry

MODEL = "binance_BTC-USDT_1h"


@pytest.fixture
def entry(tmp_path: Path) -> RegistryEntry:
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"graph")
    (folder / "model.json").write_bytes(b"{}")
    return RegistryEntry(
        MODEL,
        f"{MODEL}/20230420_120000",
        folder,
        ("package_hash", "abc123"),
        {"folds": 5},
        {"brier": 0.24},
        {"git_commit": "abc", "data_hash": "def", "recipe_hash": "fed"},
    )


def registry(tmp_path: Path, *experiments: str) -> MlflowRegistry:
    uri, artefacts = f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "models" / "mlflow"
    return MlflowRegistry(uri, artefacts, experiments or ("Ares_Trading",))


def client(tmp_path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow.tracking import MlflowClient

        uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
        return MlflowClient(tracking_uri=uri, registry_uri=uri)


def test_an_entry_becomes_a_run_and_a_version_and_an_interrupted_run_is_completed(
    tmp_path: Path, entry: RegistryEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with registry(tmp_path).session() as session:
        assert session.versions(MODEL) == []
        made = session.register(entry, {"model_status": "candidate"})
        assert session.versions(MODEL) == [made]
        assert made.tags["package_hash"] == "abc123"
        session.set_tags(made, {"model_status": "archived", "git_commit": None})
        (seen,) = session.versions(MODEL)
        assert seen.tags["model_status"] == "archived"
        assert "git_commit" not in seen.tags
        session.set_alias(MODEL, "challenger", made.version)
        assert session.aliases(MODEL) == {"challenger": "1"}
        session.set_alias(MODEL, "challenger", None)
        assert session.aliases(MODEL) == {}
        again = session.register(entry, {})  # as after a kill between the run and its version
        assert again.run_id == made.run_id
        session.add_results(made.run_id, {"gate.dsr": 0.97}, 0, [entry.artefacts / "model.json"])
        assert session.note("ares.synced") is None
        session.set_note("ares.synced", "7 abc")
        assert session.note("ares.synced") == "7 abc"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = client(tmp_path).get_run(made.run_id)
        assert run.info.status == "FINISHED"
        assert run.data.params == {"folds": "5"}
        assert run.data.metrics == {"brier": 0.24, "gate.dsr": 0.97}
        assert run.data.tags["git_commit"] == "abc"
        names = [item.path for item in client(tmp_path).list_artifacts(made.run_id)]
        assert sorted(names) == ["model.json", "model.onnx"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mlflow.db", "models", "package"]


def test_an_existing_experiment_is_used_else_the_last_name_is_created(tmp_path: Path) -> None:
    for names, used in (
        (("ares", "Ares_Trading"), "Ares_Trading"),
        (("ares",), "ares"),
        (("ares", "Ares_Trading"), "ares"),
        (("Ares_Trading",), "Ares_Trading"),
    ):
        with registry(tmp_path, *names).session() as session:
            assert session.experiment == used


def test_a_corrupt_database_is_one_line_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(MlflowUnavailable) as raised, registry(tmp_path).session():
        pass
    assert raised.value.exit_code == 3
    line = str(raised.value)
    assert "file is not a database): the models' journal and models/ hold everything" in line
    assert "move the broken file away" in line
    assert "\n" not in line
    assert (tmp_path / "mlflow.db").read_bytes() == b"this is no database" * 100


def test_a_locked_database_is_found_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ares.adapters.mlflow_registry.LOCKED_WAIT_S", 0.05)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as holder:
        holder.execute("CREATE TABLE t (x)")
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(MlflowUnavailable, match="locked"), registry(tmp_path).session():
            pass


def test_a_server_that_is_absent_is_named_without_its_password(tmp_path: Path) -> None:
    mlflow = MlflowRegistry("http://me:secret@127.0.0.1:9", tmp_path / "artefacts")
    with pytest.raises(MlflowUnavailable) as raised, mlflow.session():
        pass
    assert "MLflow at http://127.0.0.1:9 was not brought up to date" in str(raised.value)
    assert "check that the server runs" in str(raised.value)


def test_what_fails_inside_a_session_is_one_line_too(tmp_path: Path) -> None:
    def fail() -> None:
        with registry(tmp_path).session():
            raise RuntimeError("no such model\n  at some place")

    with pytest.raises(MlflowUnavailable, match=r"\(no such model at some place\)"):
        fail()
