"""Models of a run and of the workspace: the judged package is found in whichever store has it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ares.adapters.layered_store import LayeredModelStore
from ares.adapters.model_store import ModelStore
from ares.domain.errors import ExternalError
from ares.domain.model import Ensemble
from ares.domain.package import Package

MakePackage = Callable[..., Package]
MakeEnsemble = Callable[..., Ensemble]


@pytest.fixture
def workspace(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "workspace")


@pytest.fixture
def layered(tmp_path: Path) -> LayeredModelStore:
    return LayeredModelStore(tmp_path / "run", tmp_path / "workspace")


def test_a_run_writes_to_its_own_store_only(
    layered: LayeredModelStore, workspace: ModelStore, package: MakePackage, ensemble: MakeEnsemble
) -> None:
    refitted = layered.add(package())
    assert layered.member(ensemble(refitted).members[0]) == refitted
    assert workspace.listed().packages == ()


def test_a_package_of_the_workspace_is_read_where_the_run_has_none(
    layered: LayeredModelStore, workspace: ModelStore, package: MakePackage, ensemble: MakeEnsemble
) -> None:
    kept = workspace.add(package())
    assert layered.member(ensemble(kept).members[0]) == kept


def test_the_hash_decides_between_packages_of_the_same_name_and_second(
    layered: LayeredModelStore, workspace: ModelStore, package: MakePackage, ensemble: MakeEnsemble
) -> None:
    kept = workspace.add(package())
    refitted = layered.add(package(graph=b"refitted"))
    assert (refitted.card.name, refitted.card.version) == (kept.card.name, kept.card.version)
    assert layered.member(ensemble(kept).members[0]) == kept
    assert layered.member(ensemble(refitted).members[0]) == refitted


def test_a_package_of_neither_store_is_missing_and_a_damaged_one_is_not_passed_over(
    layered: LayeredModelStore, workspace: ModelStore, package: MakePackage, ensemble: MakeEnsemble
) -> None:
    with pytest.raises(ExternalError, match="is missing: restore it"):
        layered.member(ensemble(package()).members[0])
    refitted = layered.add(package())
    workspace.add(package())
    (layered.folder(refitted.card) / "model.onnx").write_bytes(b"grapH")
    with pytest.raises(ExternalError, match=r"model\.onnx is damaged"):
        layered.member(ensemble(refitted).members[0])
