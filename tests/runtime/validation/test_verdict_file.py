"""A verdict is saved, journaled, and read back by its format."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from ares.bootstrap.mlflow import sync_warnings
from ares.bootstrap.validation import (
    save_verdict,
)
from ares.bootstrap.values import model_paths
from ares.config.workspace import Workspace
from ares.domain.errors import ExternalError, UserError
from ares.domain.package import sha256
from ares.learn.gate.verdict import judge
from ares.runtime.registry.model_journal import read_registry
from ares.runtime.validation.verdict_file import read_verdict, require_unchanged, verdict_bytes

if TYPE_CHECKING:
    from tests.runtime.conftest import World


def _tags(workspace: Workspace, ensemble_hash: str) -> dict[str, str]:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(workspace.mlflow_uri, workspace.mlflow_uri)
    found = client.search_model_versions("")
    tags: dict[str, str] = next(
        v.tags for v in found if v.tags.get("ensemble_hash") == ensemble_hash
    )
    return tags


def test_a_verdict_is_saved_in_three_places(world: World) -> None:
    result = world.validated(world.noise)
    saved = save_verdict(world.workspace, result)
    assert sync_warnings(world.workspace) == ()
    content = json.loads(saved.path.read_text())
    assert saved.path.name.startswith(world.noise)
    assert saved.path.parent == world.workspace.models_dir / "verdicts"
    assert content["verdict_hash"] == result.verdict.hash == saved.record.verdict_hash
    assert content["evidence"]["subject"] == world.noise
    assert saved.picture.read_bytes()[:4] == b"\x89PNG"
    registry = read_registry(world.workspace.journal_dir)
    assert registry.verdict_on(world.noise, "history") == saved.record
    assert saved.record.file_hash == sha256(saved.path.read_bytes())
    assert registry.status(world.noise) == "evaluated_inferior"
    again = save_verdict(world.workspace, result)
    assert again.path != saved.path
    assert sync_warnings(world.workspace) == ()
    assert _tags(world.workspace, world.noise)["verdict"] == "refused"


def test_a_saved_verdict_is_read_back(world: World) -> None:
    saved = save_verdict(world.workspace, world.validated(world.noise))
    content = saved.path.read_bytes()
    read = read_verdict(content, "v.json")
    assert verdict_bytes(read) == content
    assert read.verdict.hash == saved.record.verdict_hash
    assert judge(read.evidence, read.limits, read.verdict.rule) == read.verdict


def test_a_verdict_of_before_there_was_a_limit_of_plausibility_is_read(world: World) -> None:
    saved = save_verdict(world.workspace, world.validated(world.noise))
    older = json.loads(saved.path.read_bytes())
    del older["attestation"]
    for name in ("plausible_brier_skill_max", "plausible_sharpe_max"):
        del older["limits"][name]
    read = read_verdict(json.dumps(older).encode(), "v.json")
    assert read.attestation is None
    assert read.limits.plausible_brier_skill_max is None
    assert read.limits.plausible_sharpe_max is None
    assert read.limits.dsr_min == 0.95
    again = judge(read.evidence, read.limits, read.verdict.rule)
    assert again.passed == read.verdict.passed


def test_a_verdict_of_another_format_is_refused_in_one_line() -> None:
    with pytest.raises(UserError, match=r"format 1.*validate") as raised:
        read_verdict(b'{"ensemble": "a", "verdict": {"lines": [{"number": 1.0}]}}', "v.json")
    assert "\n" not in str(raised.value)
    with pytest.raises(UserError, match=r"v\.json"):
        read_verdict(b"no json", "v.json")


def test_a_verdict_that_has_changed_or_is_missing_is_named(world: World) -> None:
    saved = save_verdict(world.workspace, world.validated(world.noise))
    paths = model_paths(world.workspace)
    require_unchanged(paths, saved.record)
    saved.path.write_bytes(saved.path.read_bytes() + b" ")
    with pytest.raises(ExternalError, match="has changed since it was written"):
        require_unchanged(paths, saved.record)
    saved.path.unlink()
    with pytest.raises(ExternalError, match="the verdict is missing"):
        require_unchanged(paths, saved.record)
