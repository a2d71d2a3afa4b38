"""Import of an export: its models and trials are stored once, and what does not fit is not."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from ares.adapters.model_bundle import Bundle, read_bundle
from ares.bootstrap.validation import validation_config
from ares.bootstrap.values import model_paths
from ares.config.workspace import Workspace
from ares.domain.errors import UserError
from ares.domain.model_life import ModelsImported
from ares.domain.package import Package
from ares.runtime.lifecycle.bundle_import import import_models
from ares.runtime.lifecycle.model_export import export_model
from ares.runtime.registry.model_journal import read_registry, record

if TYPE_CHECKING:
    from tests.runtime.conftest import World


@pytest.fixture
def bundle(world: World, tmp_path: Path) -> Bundle:
    """Return the export of an ensemble with a verdict."""
    world.let_pass(world.first, "live")
    export_model(model_paths(world.workspace), world.first, tmp_path / "new.zip")
    return read_bundle(tmp_path / "new.zip")


@pytest.fixture
def third(tmp_path: Path) -> Workspace:
    """Return an empty workspace."""
    Workspace.init(tmp_path / "third")
    return Workspace(tmp_path / "third")


def take(workspace: Workspace, bundle: Bundle, verdicts: bool = False) -> None:
    import_models(
        model_paths(workspace), validation_config(workspace), bundle, "new.zip", verdicts=verdicts
    )


def test_an_import_brings_the_trials_and_no_verdict(
    world: World, bundle: Bundle, third: Workspace
) -> None:
    for _ in range(2):
        take(third, bundle)
    registry = read_registry(third.journal_dir)
    assert registry.trials == bundle.history.trials != ()
    assert registry.verdicts == ()
    assert registry.status(world.first) == "candidate"
    [imported] = [each for each in registry.records if isinstance(each, ModelsImported)]
    assert (imported.ensemble_hash, imported.source) == (world.first, "new.zip")
    assert not list(third.models_dir.glob("verdicts/*"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features_hash": "0" * 64}, "with other features"),
        ({"instruments": ("binance:ETH/USDT",)}, "was made for binance:ETH/USDT"),
        ({"features": ("rsi_14",)}, "names other columns"),
    ],
)
def test_what_does_not_fit_here_is_not_stored(
    bundle: Bundle, third: Workspace, change: dict[str, Any], message: str
) -> None:
    (package,) = bundle.packages
    card = msgspec.structs.replace(package.card, **change)
    other = dataclasses.replace(bundle, packages=(Package(card, package.files),))
    with pytest.raises(UserError, match=message):
        take(third, other)
    assert not list(third.models_dir.rglob("*.json"))
    assert not read_registry(third.journal_dir).trials


def test_a_newer_verdict_here_is_not_covered_by_an_older_one(
    world: World, bundle: Bundle, third: Workspace
) -> None:
    take(third, bundle, verdicts=True)
    [verdict] = bundle.history.verdicts
    assert read_registry(third.journal_dir).verdict_on(world.first, "live") == verdict
    newer = msgspec.structs.replace(verdict, passed=False, at=verdict.at + "Z")
    record(third.journal_dir, [newer])
    take(third, bundle, verdicts=True)
    assert read_registry(third.journal_dir).verdict_on(world.first, "live") == newer


def test_another_verdict_of_the_same_name_is_not_written_over(
    bundle: Bundle, third: Workspace
) -> None:
    [verdict] = bundle.history.verdicts
    path = third.models_dir / "verdicts" / verdict.file
    path.parent.mkdir()
    path.write_text("another")
    with pytest.raises(UserError, match="is another verdict"):
        take(third, bundle, verdicts=True)
    assert path.read_text() == "another"
    assert read_registry(third.journal_dir).verdicts == ()
