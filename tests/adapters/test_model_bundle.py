"""Models out and in again: the same bytes, or a refusal that leaves the store as it was."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ares.adapters.model_bundle import export, install, read_bundle
from ares.adapters.model_store import ModelStore
from ares.domain.errors import ExternalError, UserError
from ares.domain.model import Ensemble
from ares.domain.package import Package

MakePackage = Callable[..., Package]
MakeEnsemble = Callable[..., Ensemble]
REF = "binance_BTC-USDT_1h"


@pytest.fixture
def store(tmp_path: Path, package: MakePackage) -> ModelStore:
    made = ModelStore(tmp_path / "here")
    made.add(package())
    made.add(package("binance_BTC-USDT_5m", graph=b"five"))
    return made


@pytest.mark.parametrize("name", ["out.zip", "out"])
def test_a_package_travels(store: ModelStore, tmp_path: Path, name: str) -> None:
    export(store, REF, tmp_path / name)
    there = ModelStore(tmp_path / "there")
    install(there, read_bundle(tmp_path / name))
    assert there.listed().packages == (store.load(REF, "20230420_120000").card,)
    install(there, read_bundle(tmp_path / name))
    assert len(there.listed().packages) == 1
    assert there.load(REF, "20230420_120000") == store.load(REF, "20230420_120000")


@pytest.mark.parametrize("name", ["out.zip", "out"])
def test_an_ensemble_travels_with_its_members(
    store: ModelStore, tmp_path: Path, ensemble: MakeEnsemble, name: str
) -> None:
    packages = [store.load(n, "20230420_120000") for n in (REF, "binance_BTC-USDT_5m")]
    joined = ensemble(*packages)
    store.save_ensemble(joined)
    export(store, joined.hash[:12], tmp_path / name)
    there = ModelStore(tmp_path / "there")
    install(there, read_bundle(tmp_path / name))
    assert there.listed().ensembles == (joined,)
    assert [there.member(member) for member in joined.members] == packages


def test_equal_models_export_to_equal_bytes(store: ModelStore, tmp_path: Path) -> None:
    export(store, REF, tmp_path / "a.zip")
    export(store, REF, tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_an_existing_target_is_left_alone(store: ModelStore, tmp_path: Path) -> None:
    (tmp_path / "out.zip").write_text("mine")
    with pytest.raises(UserError, match="exists already"):
        export(store, REF, tmp_path / "out.zip")
    assert (tmp_path / "out.zip").read_text() == "mine"


def test_a_changed_byte_is_found_before_anything_is_stored(
    store: ModelStore, tmp_path: Path
) -> None:
    export(store, REF, tmp_path / "out")
    (tmp_path / "out" / "model.onnx").write_bytes(b"grapH")
    with pytest.raises(ExternalError, match=r"model\.onnx is damaged"):
        read_bundle(tmp_path / "out")


def test_the_same_version_with_other_content_is_refused(
    store: ModelStore, tmp_path: Path, package: MakePackage
) -> None:
    there = ModelStore(tmp_path / "there")
    there.add(package(graph=b"other"))
    export(store, REF, tmp_path / "out.zip")
    with pytest.raises(UserError, match="is stored already with different content"):
        install(there, read_bundle(tmp_path / "out.zip"))
    assert there.load(REF, "20230420_120000").graph == b"other"


def test_what_holds_no_models_is_refused(tmp_path: Path, store: ModelStore) -> None:
    with pytest.raises(UserError, match="no such file or folder"):
        read_bundle(tmp_path / "nowhere")
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(UserError, match="is not a complete zip file"):
        read_bundle(tmp_path / "bad.zip")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"holds no model\.json"):
        read_bundle(tmp_path / "empty")
    export(store, REF, tmp_path / "out.zip")
    cut = tmp_path / "cut.zip"
    with zipfile.ZipFile(tmp_path / "out.zip") as whole, zipfile.ZipFile(cut, "w") as part:
        part.writestr("model.json", whole.read("model.json"))
    with pytest.raises(ExternalError, match="is missing"):
        read_bundle(cut)


def test_an_ensemble_without_its_members_is_refused(
    store: ModelStore, tmp_path: Path, ensemble: MakeEnsemble
) -> None:
    joined = ensemble(store.load(REF, "20230420_120000"))
    store.save_ensemble(joined)
    export(store, joined.hash, tmp_path / "out")
    export(store, "binance_BTC-USDT_5m", tmp_path / "other")
    (tmp_path / "other" / "ensemble.json").write_bytes(
        (tmp_path / "out" / "ensemble.json").read_bytes()
    )
    with pytest.raises(ExternalError, match="1 of its ensemble's packages are not in it"):
        read_bundle(tmp_path / "other")
