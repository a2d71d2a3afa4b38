"""What leaves a workspace is whole, the same every time, and brings its past along."""

from __future__ import annotations

import dataclasses
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from ares.adapters.model_bundle import read_bundle
from ares.bootstrap.validation import validation_config
from ares.bootstrap.values import model_paths
from ares.config.workspace import Workspace
from ares.domain.errors import ExternalError, UserError
from ares.domain.package import Package
from ares.kernel.jit import kernel_hash
from ares.runtime.lifecycle.bundle_import import import_models
from ares.runtime.lifecycle.model_export import export_model
from ares.runtime.registry.model_journal import read_registry

if TYPE_CHECKING:
    from tests.runtime.deploy.conftest import Site


def test_the_same_models_give_the_same_bytes(site: Site) -> None:
    for name in ("a.zip", "b.zip"):
        export_model(model_paths(site.staging), site.new[:12], site.package.with_name(name))
    first, second = (site.package.with_name(name).read_bytes() for name in ("a.zip", "b.zip"))
    assert first == second == site.package.read_bytes()


def test_the_file_lists_its_content(site: Site) -> None:
    with zipfile.ZipFile(site.package) as archive:
        names = set(archive.namelist())
        manifest = msgspec.json.decode(archive.read("manifest.json"))
    folder = "binance_BTC-USDT_1h/20240201_120000"
    assert names == {
        "manifest.json", "ensemble.json", "history.json", f"{folder}/model.json",
        f"{folder}/model.onnx", f"{folder}/training.png", f"verdicts/{site.new}_live.json",
        f"verdicts/{site.new}_live.png",
    }  # fmt: skip
    assert set(manifest["files"]) == names - {"manifest.json"}
    assert manifest["ensemble"] == site.new
    assert manifest["instrument"] == "binance:BTC/USDT"
    assert manifest["kernel_hash"] == kernel_hash()
    assert manifest["opsets"] == {folder: {"ai.onnx": 17}}
    bundle = read_bundle(site.package)
    assert [judged.environment for judged in bundle.history.verdicts] == ["live"]
    assert len(bundle.history.trials) == 2


def test_a_folder_travels_as_well(site: Site, tmp_path: Path) -> None:
    export_model(model_paths(site.staging), site.new, tmp_path / "out")
    bundle = read_bundle(tmp_path / "out")
    assert bundle.ensemble is not None
    assert bundle.ensemble.hash == site.new
    (tmp_path / "out" / "model").symlink_to("/etc/hostname")
    with pytest.raises(UserError, match="is a link"):
        read_bundle(tmp_path / "out")


def test_an_import_brings_the_trials_and_no_verdict(site: Site, tmp_path: Path) -> None:
    Workspace.init(tmp_path / "third")
    third = Workspace(tmp_path / "third")
    for _ in range(2):
        import_models(
            model_paths(third),
            validation_config(third),
            read_bundle(site.package),
            "new.zip",
            verdicts=False,
        )
    book = read_registry(third.journal_dir)
    assert len(book.trials) == 2
    assert book.verdicts == ()
    assert book.status(site.new) == "candidate"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features_hash": "0" * 64}, "with other features"),
        ({"instruments": ("binance:ETH/USDT",)}, "was made for binance:ETH/USDT"),
        ({"features": ("rsi_14",)}, "names other columns"),
    ],
)
def test_what_does_not_fit_here_is_not_taken_in(
    site: Site, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    Workspace.init(tmp_path / "third")
    third = Workspace(tmp_path / "third")
    bundle = read_bundle(site.package)
    (package,) = bundle.packages
    card = msgspec.structs.replace(package.card, **change)
    strange = dataclasses.replace(bundle, packages=(Package(card, package.files),))
    with pytest.raises(UserError, match=message):
        import_models(
            model_paths(third), validation_config(third), strange, "new.zip", verdicts=False
        )
    assert not list(third.models_dir.rglob("*.json"))
    assert not read_registry(third.journal_dir).trials


def test_a_newer_verdict_here_is_not_covered_by_an_older_one(site: Site, made: Any) -> None:
    bundle = read_bundle(site.package)
    import_models(
        model_paths(site.production),
        validation_config(site.production),
        bundle,
        "new.zip",
        verdicts=True,
    )
    assert bundle.ensemble is not None
    newer = msgspec.structs.replace(
        bundle.history.verdicts[0], passed=False, at="2024-03-01T00:00:00Z"
    )
    from ares.runtime.registry.model_journal import record

    record(site.production.journal_dir, [newer])
    import_models(
        model_paths(site.production),
        validation_config(site.production),
        bundle,
        "new.zip",
        verdicts=True,
    )
    assert read_registry(site.production.journal_dir).verdict_on(site.new, "live") == newer


def test_a_verdict_that_was_edited_does_not_leave(site: Site) -> None:
    (site.staging.models_dir / "verdicts" / f"{site.new}_live.json").write_text("{}")
    target = site.package.with_name("x.zip")
    with pytest.raises(ExternalError, match="has changed since"):
        export_model(model_paths(site.staging), site.new, target)
    assert not target.exists()
