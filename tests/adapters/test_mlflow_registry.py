"""MLflow mirrors what was trained; when it cannot, one line says so and nothing is lost."""

from __future__ import annotations

import sqlite3
import warnings
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ares.adapters.mlflow_registry import MlflowRegistry, RegistryEntry


@pytest.fixture
def entry(tmp_path: Path) -> RegistryEntry:
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"graph")
    (folder / "model.json").write_bytes(b"{}")
    return RegistryEntry(
        "binance_BTC-USDT_1h",
        "binance_BTC-USDT_1h/20230420_120000",
        folder,
        {"folds": 5},
        {"brier": 0.24},
        {"git_commit": "abc", "data_hash": "def", "recipe_hash": "fed"},
    )


def registry(tmp_path: Path) -> MlflowRegistry:
    return MlflowRegistry(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "models" / "mlflow")


def client(tmp_path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow.tracking import MlflowClient

        uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
        return MlflowClient(tracking_uri=uri, registry_uri=uri)


def test_a_package_becomes_a_run_and_a_candidate_version(
    tmp_path: Path, entry: RegistryEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert registry(tmp_path).register([entry, entry]) is None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seen = client(tmp_path)
        versions = seen.search_model_versions("name='binance_BTC-USDT_1h'")
        assert sorted(str(version.version) for version in versions) == ["1", "2"]
        assert versions[0].tags["model_status"] == "candidate"
        assert versions[0].tags["recipe_hash"] == "fed"
        run = seen.get_run(versions[0].run_id)
        assert run.info.status == "FINISHED"
        assert run.data.params == {"folds": "5"}
        assert run.data.metrics == {"brier": 0.24}
        assert run.data.tags["git_commit"] == "abc"
        names = [item.path for item in seen.list_artifacts(versions[0].run_id)]
        assert sorted(names) == ["model.json", "model.onnx"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mlflow.db", "models", "package"]


def test_a_corrupt_database_is_said_in_one_line_and_left_alone(
    tmp_path: Path, entry: RegistryEntry
) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"this is no database" * 100)
    line = registry(tmp_path).register([entry])
    assert line is not None
    assert "took 0 of 1 models" in line
    assert "kept in models/" in line
    assert "\n" not in line
    assert (tmp_path / "mlflow.db").read_bytes() == b"this is no database" * 100
    assert (entry.artefacts / "model.onnx").read_bytes() == b"graph"


def test_a_locked_database_is_said_at_once(
    tmp_path: Path, entry: RegistryEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ares.adapters.mlflow_registry.LOCKED_WAIT_S", 0.05)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as holder:
        holder.execute("CREATE TABLE t (x)")
        holder.execute("BEGIN EXCLUSIVE")
        line = registry(tmp_path).register([entry])
    assert line is not None
    assert "locked" in line


def test_a_server_that_is_not_there_is_said(tmp_path: Path, entry: RegistryEntry) -> None:
    line = MlflowRegistry("http://127.0.0.1:9", tmp_path / "artefacts").register([entry])
    assert line is not None
    assert "MLflow at http://127.0.0.1:9 took 0 of 1 models" in line


def test_nothing_to_register_opens_nothing(tmp_path: Path) -> None:
    assert registry(tmp_path).register([]) is None
    assert not (tmp_path / "mlflow.db").exists()
