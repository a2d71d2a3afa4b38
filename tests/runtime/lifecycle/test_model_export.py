"""What leaves a workspace is whole, the same every time, and has its history with it."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from ares.adapters.model_bundle import read_bundle
from ares.bootstrap.values import model_paths
from ares.domain.errors import ExternalError, UserError
from ares.domain.package import sealed, sha256
from ares.kernel.features import N_FEATURES
from ares.kernel.jit import kernel_hash
from ares.runtime.lifecycle.model_export import export_model, opsets, probe

if TYPE_CHECKING:
    from tests.runtime.conftest import World


def export(world: World, target: Path, ref: str = "") -> Path:
    export_model(model_paths(world.workspace), ref or world.first, target)
    return target


def test_the_same_models_give_the_same_bytes(world: World, tmp_path: Path) -> None:
    world.let_pass(world.first, "live")
    first = export(world, tmp_path / "a.zip").read_bytes()
    assert export(world, tmp_path / "b.zip", world.first[:12]).read_bytes() == first


def test_the_file_lists_its_content(world: World, tmp_path: Path) -> None:
    world.let_pass(world.first, "paper", passed=False)
    verdict = world.let_pass(world.first, "live")
    picture = world.workspace.models_dir / "verdicts" / verdict.file.replace(".json", ".png")
    picture.write_bytes(b"picture")
    package = world.package_of(world.first)
    with zipfile.ZipFile(export(world, tmp_path / "a.zip")) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    manifest = msgspec.json.decode(contents.pop("manifest.json"))
    assert manifest["files"] == {name: sha256(content) for name, content in contents.items()}
    folder, ref = package.card.ref, package.card.ref
    for name in ("model.json", "model.onnx", "training.png"):
        assert f"{folder}/{name}" in contents
    assert contents[f"verdicts/{picture.name}"] == b"picture"
    assert f"verdicts/{verdict.file}" in contents
    assert manifest["ensemble"] == world.first
    assert manifest["instrument"] == "binance:BTC/USDT"
    assert manifest["kernel_hash"] == kernel_hash()
    assert manifest["opsets"] == {ref: opsets(package)}
    assert len(manifest["outputs"][ref]) == len(probe(N_FEATURES))
    history = read_bundle(tmp_path / "a.zip").history
    assert [judged.environment for judged in history.verdicts] == ["paper", "live"]
    assert {trial.scope for trial in history.trials} == {"binance:BTC/USDT"}


def test_a_folder_is_exported_as_well_and_a_target_that_exists_is_refused(
    world: World, tmp_path: Path
) -> None:
    bundle = read_bundle(export(world, tmp_path / "out"))
    assert bundle.ensemble is not None
    assert bundle.ensemble.hash == world.first
    with pytest.raises(UserError, match="exists"):
        export(world, tmp_path / "out")
    (tmp_path / "out" / "model").symlink_to("/etc/hostname")
    with pytest.raises(UserError, match="is a link"):
        read_bundle(tmp_path / "out")


@pytest.mark.parametrize(("edit", "message"), [(True, "has changed since"), (False, "missing")])
def test_a_verdict_that_was_edited_or_removed_is_not_exported(
    world: World, tmp_path: Path, edit: bool, message: str
) -> None:
    verdict = world.let_pass(world.first, "live")
    path = world.workspace.models_dir / "verdicts" / verdict.file
    if edit:
        path.write_text("{}")
    else:
        path.unlink()
    with pytest.raises(ExternalError, match=message):
        export(world, tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()


def test_the_probe_is_the_same_everywhere_and_within_the_range_of_features() -> None:
    """Made of integers: no library's random numbers take part."""
    rows = probe(3)
    assert rows.dtype == np.float32
    assert rows[0].tolist() == [-4.0, np.float32((7919 % 2001 - 1000) / 250.0),
                                np.float32((2 * 7919 % 2001 - 1000) / 250.0)]  # fmt: skip
    assert np.abs(rows).max() <= 4.0
    assert len(np.unique(rows)) == rows.size


def test_a_graph_that_is_no_model_is_named(world: World) -> None:
    package = world.package_of(world.first)
    card = msgspec.structs.replace(package.card, files={})
    with pytest.raises(UserError, match=f"{card.ref}: is not an ONNX model"):
        opsets(sealed(card, {"model.onnx": b"rubbish"}))
