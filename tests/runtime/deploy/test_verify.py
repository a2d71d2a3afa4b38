"""What is refused: one line, journaled, nothing changed, nothing left in staging."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import yaml

from ares.adapters.archive import zip_bytes
from ares.bootstrap.values import model_paths
from ares.config.workspace import Workspace
from ares.domain.errors import UserError
from ares.domain.model_life import EnsembleArchived
from ares.domain.package import sha256
from ares.runtime.lifecycle.model_export import export_model
from ares.runtime.registry.model_journal import read_registry, record

if TYPE_CHECKING:
    from tests.runtime.deploy.conftest import Site

Files = dict[str, bytes]
FOLDER = "binance_BTC-USDT_1h/20240201_120000"


def changed(site: Site, change: Callable[[Files], object], whole: bool = True) -> Path:
    """Return a copy of the package with files changed, its manifest true again if ``whole``."""
    with zipfile.ZipFile(site.package) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    if whole and "manifest.json" in files:
        manifest = msgspec.json.decode(files["manifest.json"])
        manifest["files"] = {n: sha256(c) for n, c in files.items() if n != "manifest.json"}
        files["manifest.json"] = msgspec.json.encode(manifest)
    path = site.package.with_name("changed.zip")
    path.write_bytes(zip_bytes(files))
    return path


def edited(content: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    value = msgspec.json.decode(content)
    change(value)
    return msgspec.json.encode(value)


def set_(name: str, **values: object) -> Callable[[Files], object]:
    """Return what sets fields of a JSON file."""

    def change(files: Files) -> None:
        files[name] = edited(files[name], lambda value: value.update(values))

    return change


def verdict_name(files: Mapping[str, bytes]) -> str:
    return next(n for n in files if n.startswith("verdicts/") and n.endswith(".json"))


def test_a_changed_byte_a_missing_and_a_strange_file(site: Site) -> None:
    def turn(files: Files) -> None:
        raw = bytearray(files[f"{FOLDER}/model.onnx"])
        raw[-5] ^= 1
        files[f"{FOLDER}/model.onnx"] = bytes(raw)

    site.refuses("model.onnx is damaged", changed(site, turn, whole=False))
    site.refuses("model.onnx is damaged", changed(site, turn))
    gone = changed(site, lambda files: files.pop(f"{FOLDER}/model.onnx"), whole=False)
    site.refuses("model.onnx is missing", gone)
    more = changed(site, lambda files: files.update({"more.txt": b"x"}), whole=False)
    site.refuses("more.txt is not listed", more)
    cut = site.package.with_name("cut.zip")
    cut.write_bytes(site.package.read_bytes()[:-40])
    site.refuses("is not a complete zip file", cut)


def test_an_export_without_manifest_ensemble_or_verdict(site: Site) -> None:
    site.refuses("no manifest.json", changed(site, lambda f: f.pop("manifest.json")))
    single = site.package.with_name("single.zip")
    export_model(model_paths(site.staging), "binance_BTC-USDT_1h/20240201_120000", single)
    site.refuses("only ensembles are deployed", single)
    other = set_("manifest.json", ensemble="0" * 64)
    site.refuses("is of another ensemble", changed(site, other))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"format": 9}, "has format 9"),
        ({"kernel_hash": "f" * 64}, "another version of Ares"),
        ({"opsets": {f"{'binance_BTC-USDT_1h'}/20240201_120000": {"ai.onnx": 16}}}, "has opset"),
        ({"outputs": {}}, "does not list its outputs"),
        (
            {"outputs": {"binance_BTC-USDT_1h/20240201_120000": [0.5] * 32}},
            "outputs differ by",
        ),
    ],
)
def test_a_manifest_that_does_not_match_is_refused(
    site: Site, values: dict[str, object], message: str
) -> None:
    site.refuses(message, changed(site, set_("manifest.json", **values)))


def test_a_model_for_other_features_another_symbol_or_opset(site: Site, made: Any) -> None:
    ensemble = made.stored(
        site.staging,
        made.packed("20240301_120000", made.graph(1.0), instruments=("binance:X/USDT",)),
    )
    target = site.package.with_name("o.zip")
    export_model(model_paths(site.staging), ensemble.hash, target)
    site.refuses("was made for binance:X/USDT, not for", target, to="paper", force=True, reason="x")

    ensemble = made.stored(
        site.staging, made.packed("20240302_120000", made.graph(1.0), features_hash="other")
    )
    target = site.package.with_name("f.zip")
    export_model(model_paths(site.staging), ensemble.hash, target)
    site.refuses("was trained with other features", target, to="paper", force=True, reason="x")

    package = made.packed("20240303_120000", made.graph(1.0), instruments=("binance:DOGE/USDT",))
    ensemble = made.stored(site.staging, package, "binance:DOGE/USDT")
    target = site.package.with_name("d.zip")
    export_model(model_paths(site.staging), ensemble.hash, target)
    site.refuses("which is not traded here", target)


@pytest.mark.parametrize("content", [b"no model", b""])
def test_a_graph_that_is_none_cannot_even_leave(site: Site, made: Any, content: bytes) -> None:
    ensemble = made.stored(site.staging, made.packed("20240304_120000", content))
    target = site.package.with_name("g.zip")
    with pytest.raises(UserError, match=r"20240304_120000: (is (no|not an) ONNX model|its inputs)"):
        export_model(model_paths(site.staging), ensemble.hash, target)
    assert not target.exists()


def test_a_verdict_that_was_written_by_hand(site: Site) -> None:
    def passed(files: Files) -> None:
        """Better numbers, and every hash made true again but the verdict's own."""
        name = verdict_name(files)
        files[name] = edited(files[name], lambda v: v["evidence"].update(e_value=1.0))

    message = "does not follow from its evidence"
    site.refuses(message, changed(site, passed))

    def all_hashes(files: Files) -> None:
        passed(files)
        file_hash = sha256(files[verdict_name(files)])
        files["history.json"] = edited(
            files["history.json"], lambda life: life["verdicts"][0].update(file_hash=file_hash)
        )

    site.refuses(message, changed(site, all_hashes))

    def moved(files: Files) -> None:
        files["history.json"] = edited(
            files["history.json"], lambda life: life["verdicts"][0].update(environment="paper")
        )

    site.refuses(message, changed(site, moved))
    site.refuses("is missing", changed(site, lambda f: f.pop(verdict_name(f))))


def test_the_rules_of_a_promotion_hold(site: Site, made: Any) -> None:
    site.refuses("no passing verdict for paper", to="paper")
    site.refuses("--force is refused in live", force=True, reason="x")
    package = made.packed("20240305_120000", made.graph(3.0))
    bad = made.stored(site.staging, package)
    made.let_pass(site.staging, bad, deflated_sharpe=0.2)
    target = site.package.with_name("bad.zip")
    export_model(model_paths(site.staging), bad.hash, target)
    site.refuses("it was refused at 2024-02-29T12:00:00Z (Deflated Sharpe ratio)", target)
    record(site.production.journal_dir, [EnsembleArchived(site.new, "now", "me", "old")])
    site.refuses("is archived")


def test_a_recipe_tried_here_makes_the_verdict_old(site: Site, made: Any) -> None:
    book = read_registry(site.production.journal_dir)
    more = msgspec.structs.replace(book.trials[0], recipe_hash="one more")
    record(site.production.journal_dir, [more])
    site.refuses("more recipes were tried since")


def test_other_costs_here_make_the_verdict_old(site: Site) -> None:
    path = site.production.root / "ares.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "costs": {"fee_bps": 1.0}}))
    site.production = Workspace(site.production.root)
    site.refuses("costs, sizes or capital have changed")
