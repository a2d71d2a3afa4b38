"""A promotion, rollback or archiving that is killed anywhere leaves one verified champion."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ares.config.workspace import Workspace

if TYPE_CHECKING:
    from tests.runtime.conftest import World

SCRIPT = Path(__file__).with_name("killed_at.py")
POINTS_MIN = 25
MOVES = ("promote", "rollback", "archive")
Seen = list[dict[str, Any]]


@pytest.fixture(scope="module")
def seen(trained: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    """Return, for each move, what was seen after each kill; the last one came to its end."""
    folder = tmp_path_factory.mktemp("killed")
    command = [sys.executable, str(SCRIPT), str(folder / "scratch")]
    for move, target in (
        ("promote", trained.refit),
        ("rollback", trained.first),
        ("archive", trained.other),
    ):
        shutil.copytree(trained.workspace.root, folder / move)
        world = replace(trained, workspace=Workspace(folder / move))
        for promotion in (trained.first, trained.refit):
            world.let_pass(promotion)
            if promotion == trained.first or move == "rollback":
                assert world.promote(promotion).promoted
        command += [move, str(folder / move), target]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=600, env=os.environ.copy()
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    found = {move: [one for one in lines if one["move"] == move] for move in MOVES}
    for points in found.values():
        assert all(one["code"] == -9 for one in points[:-1])
        assert points[-1]["code"] == 0
        assert len(points) > POINTS_MIN
        assert any(one["what"].startswith("half a write") for one in points)
        assert any(one["what"].startswith("sql") for one in points)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("move", ["promote", "rollback"])
def test_killed_at_every_write_one_verified_champion_serves(
    trained: World, seen: dict[str, Seen], move: str
) -> None:
    """Before the record is whole the old one, from then on the new one; and the move can be made
    again, or says that it is done.
    """
    old, new = trained.first, trained.refit
    if move == "rollback":
        old, new = new, old
    points = seen[move]
    champions = [one["champion"] for one in points]
    turn = champions.index(new)
    assert turn > 5
    assert champions == [old] * turn + [new] * (len(points) - turn)
    assert all(one["production"] == [one["champion"]] for one in points)
    for k, one in enumerate(points):
        if "again" in one:
            assert one["at last"]["champion"] == new
            assert bool(one["again"]) == (k >= turn), one


def test_killed_while_archiving_it_is_archived_or_it_is_not(
    trained: World, seen: dict[str, Seen]
) -> None:
    points = seen["archive"]
    statuses = [one["target"] for one in points]
    turn = statuses.index("archived")
    assert statuses == ["candidate"] * turn + ["archived"] * (len(points) - turn)
    assert {one["champion"] for one in points} == {trained.first}
    assert all(one["at last"]["target"] == "archived" for one in points if "again" in one)
