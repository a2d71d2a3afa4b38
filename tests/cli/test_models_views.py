"""The history and the status of a model: every record on it once, in words, oldest first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ares.bootstrap.lifecycle import find_model, list_models
from ares.cli.models_views import history_of, listed_json, model_json, show_listed, status
from ares.config.workspace import Workspace
from ares.domain.model_life import (
    EnsembleArchived,
    EnsemblePromoted,
    ModelsImported,
    RequestRefused,
    VerdictRecorded,
)
from ares.runtime.registry.registry_state import RegistryState

A, B, KEY = "a" * 64, "b" * 64, "binance:BTC/USDT"


def promoted(ensemble: str, previous: str, **more: Any) -> EnsemblePromoted:
    return EnsemblePromoted("paper", KEY, ensemble, previous, "t", "me", "why", **more)


def history(*records: Any) -> list[tuple[str, str]]:
    """Return (what, why) of each row on the ensemble A."""
    rows = history_of(RegistryState(tuple(records)), A)
    return [(what, why) for _, what, _, _, why, _ in rows]


def verdict(passed: bool) -> VerdictRecorded:
    failed = () if passed else ("e_value", "trades")
    basis: Any = None
    return VerdictRecorded("paper", KEY, A, passed, failed, "v", "e", basis, "f", "h", "t", "me")


def test_every_kind_of_record_has_its_words() -> None:
    records = (
        ModelsImported(("p/1",), A, "out.zip", "t", "me"),
        verdict(False),
        verdict(True),
        promoted(A, "", forced=True),
        promoted(B, A, forced=False),
        promoted(A, B, forced=False, rolled_back=True),
        EnsembleArchived(A, "t", "me", "old"),
        RequestRefused("promote", A, "paper", "is archived", "t", "me"),
    )
    assert history(*records) == [
        ("imported", "out.zip"),
        ("refused by the gate", "e_value, trades"),
        ("passed", ""),
        ("promoted (forced)", "why"),
        (f"replaced by {B[:12]}", "why"),
        ("promoted again", "why"),
        ("archived", "old"),
        ("promote refused", "is archived"),
    ]


def test_a_champion_followed_by_none_differs_from_one_rolled_back() -> None:
    assert history(promoted("", A, forced=False)) == [("replaced by none", "why")]
    back = promoted(B, A, forced=False, rolled_back=True)
    assert history(back) == [(f"rolled back by {B[:12]}", "why")]


def test_records_on_other_models_are_left_out() -> None:
    assert history(promoted(B, "", forced=True), EnsembleArchived(B, "t", "me", "old")) == []


def test_the_status_of_a_champion_names_where(archived_root: Path) -> None:
    workspace = Workspace(archived_root)
    found = list_models(workspace)
    (ensemble,) = found.stored.ensembles
    assert status(ensemble, found.registry) == "champion in history"
    assert status(ensemble, RegistryState()) == "candidate"
    both = RegistryState(
        (*found.registry.records, EnsemblePromoted(
            "paper", ensemble.instrument, ensemble.hash, "", "t", "me", "why", True
        ))
    )  # fmt: skip
    assert status(ensemble, both) == "champion in history, paper"


def test_json_is_json_and_lists_ensembles_before_packages(archived_root: Path) -> None:
    workspace = Workspace(archived_root)
    listed = listed_json(list_models(workspace))
    assert json.loads(json.dumps(listed)) == listed
    kinds = [entry["kind"] for entry in listed]
    assert kinds == sorted(kinds)
    for entry in listed:
        ref = entry.get("ref") or entry["hash"]
        assert model_json(find_model(workspace, ref))["hash"] == entry["hash"]


def test_an_empty_workspace_names_the_command_that_makes_models(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace, _ = Workspace.init(tmp_path / "new")
    show_listed(list_models(workspace))
    assert capsys.readouterr().out == "no models are stored: `ares train` makes some\n"
