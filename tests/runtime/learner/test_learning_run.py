"""A run that learns: trained, judged, swapped, promoted; stopped, repeated, and checked."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from ares.bootstrap import RunRequest, certify_run, history_run, restep_run
from ares.bootstrap.learner import learner_of
from ares.bootstrap.tables import tables_url
from ares.cli.main import run as ares
from ares.config.workspace import Workspace
from ares.domain.errors import UserError
from ares.domain.events import Event
from ares.domain.model_events import (
    DriftMeasured,
    ModelPublished,
    RetrainingEnded,
    RetrainingStarted,
    SlotChanged,
)
from ares.domain.model_life import EnsemblePromoted
from ares.domain.run import RunSetup
from ares.journal.run import entries
from ares.runtime.registry.model_journal import record
from ares.store.database import open_database

HOUR = 3_600_000
FROM_MS = 1_672_531_200_000 + 1_860 * HOUR
TO_MS = FROM_MS + 140 * HOUR
SETUP = RunSetup("history/x", (), (), -1, 0, 1, 0, 1.0, {}, 0.25, {})
LEARNER_EVENTS = (DriftMeasured, RetrainingStarted, RetrainingEnded, ModelPublished)


def learning(world: Any, **more: object) -> Workspace:
    """Return the world's workspace with its edge as champion, and a quick rollout."""
    path: Path = world.workspace.root / "ares.yaml"
    settings = yaml.safe_load(path.read_text())
    quick = {"rollout": {"shadow_hours": 12, "canary_hours": 24}, "costs": {"fee_bps": 1.0}}
    path.write_text(yaml.safe_dump({**settings, **quick, **more}))
    workspace = Workspace(world.workspace.root)
    promoted = EnsemblePromoted(
        "history", "binance:BTC/USDT", world.edge, "", "2023-03-20", "ada", "rehearsal", True
    )
    record(workspace.journal_dir, [promoted])
    return workspace


def request(name: str) -> RunRequest:
    return RunRequest(("BTC/USDT",), FROM_MS, TO_MS, name, learn=True)


def learner_events(workspace: Workspace, name: str) -> list[Event]:
    found = entries(workspace.journal_dir / "history" / name)
    return [entry.event for entry in found if isinstance(entry.event, LEARNER_EVENTS)]


def training() -> bool:
    """Return whether a worker process is there."""
    return bool(multiprocessing.active_children())


@pytest.mark.slow
def test_a_run_learns_swaps_and_can_be_stopped_repeated_and_checked(
    another: Callable[[], Any], capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    rare = {"retraining": {"drift_check_hours": 1_000}}  # each worker takes seconds to start
    workspace = learning(another(), continuous_learning=rare)
    messages: list[str] = []
    whole = history_run(workspace, request("whole"), say=messages.append)
    assert whole.end.finished
    assert [text.split(": ")[1] for text in messages] == ["training (loss_immediate", "published"]
    kinds = [type(event) for event in learner_events(workspace, "whole")]
    assert kinds == [RetrainingStarted, RetrainingEnded, ModelPublished]
    moves = [
        effect.move
        for entry in entries(workspace.journal_dir / "history" / "whole")
        for effect in entry.effects
        if isinstance(effect, SlotChanged)
    ]
    assert moves == ["published", "canary", "promoted"]
    assert certify_run(workspace, "whole").mismatches == 0
    assert restep_run(workspace, "whole").mismatches == 0

    verdicts = workspace.journal_dir / "history" / "broken" / "verdicts"
    first = history_run(workspace, request("broken"), stopped=training)
    assert not first.end.finished
    assert not verdicts.exists()
    assert not training(), "who is asked to stop does not wait for the training"
    second = history_run(workspace, request("broken"), stopped=verdicts.exists)
    assert not second.end.finished
    assert verdicts.exists()
    assert history_run(workspace, request("broken")).end.finished
    assert msgspec.msgpack.encode(learner_events(workspace, "broken")) == msgspec.msgpack.encode(
        learner_events(workspace, "whole")
    )
    for environment in ("history/whole", "history/broken"):
        database = open_database(tables_url(workspace, environment))
        with database.connect() as connection:
            rows = connection.exec_driver_sql(
                "SELECT environment, trigger_reason, outcome, success FROM retraining_history"
            ).fetchall()
        database.dispose()
        assert [tuple(row) for row in rows] == [(environment, "loss_immediate", "published", 1)]

    monkeypatch.setenv("ARES_WORKSPACE", str(workspace.root))
    capsys.readouterr()
    assert ares(["learn", "status", "--run", "whole", "--json"]) == 0
    output = json.loads(capsys.readouterr().out)
    assert output["outcomes"] == {"published": 1}
    assert output["instruments"][0]["budget"] == 4
    assert ares(["learn", "status"]) == 0
    assert "loss_immediate" in capsys.readouterr().out
    assert ares(["models", "ab", "--run", "whole", "--json"]) == 0
    (report,) = json.loads(capsys.readouterr().out)
    compared = report["comparison"]
    arms = {arm["ensemble_hash"]: arm["stages"] for arm in report["arms"]}
    assert compared["champion"] != compared["challenger"]
    assert "champion" in arms[compared["champion"]]
    assert compared["challenger_stage"] in arms[compared["challenger"]]
    assert ares(["models", "ab", "--run", "whole"]) == 0
    named = f"{compared['challenger_stage']} {compared['challenger'][:12]}"
    assert f"Evidence that the {named} is better" in capsys.readouterr().out
    assert ares(["learn", "now", "-s", "BTC/USDT"]) == 3
    assert "no engine runs in paper" in capsys.readouterr().err
    assert ares(["learn", "now", "-s", "BTC/USDT", "--env", "history"]) == 2
    assert "take no training requests" in capsys.readouterr().err
    settings = yaml.safe_load(workspace.settings_path.read_text())
    forbidden = {"learning": {"in_production": False}, "live_trading": {"mode": "live"}}
    workspace.settings_path.write_text(yaml.safe_dump({**settings, **forbidden}))
    assert ares(["learn", "now", "-s", "BTC/USDT", "--env", "live"]) == 2
    assert "learning.in_production is false" in capsys.readouterr().err


def test_where_training_is_forbidden_a_run_does_not_learn(another: Callable[[], Any]) -> None:
    workspace = learning(
        another(), learning={"in_production": False}, live_trading={"enabled": True}
    )
    with pytest.raises(UserError, match=r"learning\.in_production"):
        learner_of(workspace, SETUP, workspace.journal_dir)
