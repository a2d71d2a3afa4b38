"""``ares learn status``: what the learner of a run does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

Ares = Callable[..., tuple[int, str, str]]

WINDOW = ("--from", "2024-01-02T01:00", "--to", "2024-01-02T07:00")


def test_status_of_a_run_without_a_learner(
    root: Path, ares: Ares, settings_of: Callable[..., None]
) -> None:
    code, out, err = ares("learn", "status")
    assert code == 0
    assert "no learner, up to 2024-01-02 07:00 UTC" in out
    assert "Nothing was trained." in out
    assert "4 of 4" not in out
    assert "has no learner, so nothing here triggers a training: `ares run --learn" in err
    status = json.loads(ares("learn", "status", "--json")[1])
    assert status["learns"] is False
    assert {row["budget_left"] for row in status["instruments"]} == {None}
    forbidden = {"in_production": False}
    settings_of(root, learning=forbidden, live_trading={"enabled": True})
    err = ares("learn", "status")[2]
    assert "has no learner: learning.in_production is false" in err
    assert "--learn" not in err


def test_status_of_a_run_with_a_learner(
    root: Path, ares: Ares, settings_of: Callable[..., None]
) -> None:
    """``--learn`` makes one whatever the settings say."""
    settings_of(root, continuous_learning={"enabled": False, "retraining": {"on_loss": False}})
    assert ares("run", *WINDOW, "--learn", "--run", "learns")[0] == 0
    code, out, err = ares("learn", "status", "--run", "learns")
    assert (code, err) == (0, "")
    assert "learning up to" in out
