"""``ares models list, show, export`` and ``import`` as a person uses them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ares.config.workspace import Workspace
from ares.domain.utc import utc_text
from ares.runtime.registry.model_journal import read_registry


@pytest.fixture
def ares(trained_ares: Any) -> Any:
    return trained_ares


def test_the_list_is_a_list(ares: Any, trained: dict[str, Any]) -> None:
    code, out, _ = ares("models", "list", "--json")
    listed = json.loads(out)
    assert code == 0
    assert isinstance(listed, list)
    assert {entry["kind"] for entry in listed} == {"package", "ensemble"}
    assert trained["ensembles"][0]["hash"] in {entry["hash"] for entry in listed}
    code, out, _ = ares("models", "list")
    assert code == 0
    assert trained["ensembles"][0]["hash"][:12] in out


def test_a_model_is_shown_by_any_of_its_names(ares: Any, trained: dict[str, Any]) -> None:
    pair, joined = trained["packages"][0], trained["ensembles"][0]
    for name in (f"{pair['name']}/{pair['version']}", pair["name"], joined["hash"][:8], "BTC/USDT"):
        assert ares("models", "show", name)[0] == 0
        shown = json.loads(ares("models", "show", name, "--json")[1])
        assert shown["kind"] in {"package", "ensemble"}
    code, _, err = ares("models", "show", "binance_BTC-USDT_2h")
    assert code == 2
    assert "did you mean binance_BTC-USDT_1h/" in err


def test_an_export_goes_into_another_workspace(
    ares: Any, trained: dict[str, Any], tmp_path: Path
) -> None:
    joined = trained["ensembles"][0]["hash"]
    target = tmp_path / "out.zip"
    assert ares("models", "export", joined[:12], str(target))[0] == 0
    code, _, err = ares("models", "export", joined[:12], str(target))
    assert (code, "exists already" in err) == (2, True)
    Workspace.init(tmp_path / "other")
    there = ares.at(tmp_path / "other")
    code, out, _ = there("models", "import", str(target), "--json")
    assert (code, json.loads(out)["ensemble"]) == (0, joined)
    assert joined in there("models", "list", "--json")[1]
    target.write_bytes(target.read_bytes()[:-50])
    assert there("models", "import", str(target))[0] == 2


def test_a_damaged_export_is_refused_and_the_refusal_is_journaled(
    ares: Any, trained: dict[str, Any], tmp_path: Path
) -> None:
    target = tmp_path / "e.zip"
    assert ares("models", "export", trained["ensembles"][0]["hash"][:12], str(target))[0] == 0
    raw = bytearray(target.read_bytes())
    raw[len(raw) // 2] ^= 1
    target.write_bytes(bytes(raw))
    code, _, output = ares("models", "import", str(target))
    assert code in (2, 3)
    assert len(output.strip().splitlines()) == 1
    denied = read_registry(ares.root / "journal").refusals[-1]
    assert (denied.action, denied.target) == ("import", str(target))


def test_a_users_own_onnx_file_is_tried_on_stored_candles(
    ares: Any, trained: dict[str, Any], tmp_path: Path
) -> None:
    pair = trained["packages"][0]
    graph = ares.root / "models" / "packages" / pair["name"] / pair["version"] / "model.onnx"
    own = tmp_path / "mine.onnx"
    own.write_bytes(graph.read_bytes())
    code, _, err = ares("models", "import", str(own))
    assert (code, "say what it is a model of" in err) == (2, True)
    code, out, _ = ares("models", "import", str(own), "-s", "BTC/USDT", "-i", "1h", "--json")
    imported = json.loads(out)
    assert code == 0
    assert imported["origin"] == "imported"
    assert imported["reference"] == "binance:BTC/USDT"
    assert imported["validation"]["trades"] == 0
    assert "cannot know" in imported["metrics"]["note"]
    assert ares("models", "show", imported["ref"])[0] == 0
    assert ares("models", "show", imported["ensemble"][:10])[0] == 0
    assert imported["name"] == f"{pair['name']}_imported"  # it does not step into another's place
    out = ares("models", "import", str(own), "-s", "BTC/USDT", "-i", "1h")[1]
    assert "Not evidence: " in out or "No edge: in" in out
    assert "out of sample" not in out
    halfway = utc_text((imported["data_from_ms"] + imported["data_to_ms"]) // 2)
    promise = ("--trained-to", halfway, "-s", "BTC/USDT", "-i", "1h", "--json")
    promised = json.loads(ares("models", "import", str(own), *promise)[1])
    assert promised["metrics"]["rows"] < imported["metrics"]["rows"]
    shown = ares("models", "show", promised["ref"])[1]
    assert f"{halfway[:10]}" in shown
    assert "promised at its import" in shown
    code, _, err = ares("models", "import", "x.zip", "--trained-to", halfway)
    assert (code, "is for an .onnx file" in err) == (2, True)
    default = json.loads(ares("models", "show", "BTC/USDT", "--json")[1])
    assert default["hash"] != imported["ensemble"]
    assert json.loads(ares("models", "show", pair["name"], "--json")[1])["origin"] == "trained"
    before = ares("models", "list", "--json")[1]
    for content in (b"", b"garbage", graph.read_bytes()[:500]):
        own.write_bytes(content)
        code, _, err = ares("models", "import", str(own), "-s", "BTC/USDT", "-i", "1h")
        assert (code, "is no ONNX model" in err, err.count("\n")) == (2, True, 1)
    assert ares("models", "import", str(tmp_path / "no.onnx"), "-s", "BTC/USDT", "-i", "1h")[0] == 2
    assert ares("models", "list", "--json")[1] == before


def test_a_damaged_model_is_named_and_the_others_are_listed(
    ares: Any, trained: dict[str, Any]
) -> None:
    pair = trained["packages"][0]
    folder = ares.root / "models" / "packages" / pair["name"] / "20000101_000000"
    folder.mkdir()
    (folder / "model.json").write_text("{")
    code, out, err = ares("models", "list", "--json")
    assert code == 3
    assert len(json.loads(out)) >= 2
    assert "is not a package's card" in err


def test_sync_reports_what_mlflow_was_given_and_what_is_already_there(
    ares: Any, trained: dict[str, Any], tmp_path: Path
) -> None:
    code, out, _ = ares("models", "sync", "--json")
    report = json.loads(out)
    assert (code, report["experiment"], report["new_records"]) == (0, "Ares_Trading", 0)
    assert (report["registered"], report["changed"], report["corrected"]) == ([], [], [])
    without = ares.copy(tmp_path / "without")
    (without.root / "mlflow.db").unlink()
    code, out, _ = without("models", "sync")
    assert code == 0
    assert f"registered {trained['ensembles'][0]['instrument']}" in out
    assert "nothing had to be changed" in without("models", "sync")[1]


def test_sync_leaves_with_3_where_mlflow_cannot_be_reached(
    ares: Any, trained: dict[str, Any]
) -> None:
    assert trained["ensembles"]
    (ares.root / "mlflow.db").write_bytes(b"no database" * 300)
    code, out, err = ares("models", "sync")
    assert (code, out) == (3, "")
    assert "file is not a database): the models' journal and models/ hold everything" in err
