"""A promotion, rollback or archiving that is killed anywhere leaves one verified champion."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.runtime.gate.conftest import World

SCRIPT = Path(__file__).with_name("killed_at.py")
POINTS_MIN = {"promote": 20, "rollback": 20, "archive": 20}


def killed(world: World, scratch: Path, move: str, target: str) -> list[dict[str, Any]]:
    """Return what was seen after each kill; the last one is the move that came to its end."""
    command = [sys.executable, str(SCRIPT), str(world.workspace.root), str(scratch), move, target]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=300, env=os.environ.copy()
    )
    assert done.returncode == 0, done.stdout + done.stderr
    seen = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert all(one["code"] == -9 for one in seen[:-1])
    assert seen[-1]["code"] == 0
    assert len(seen) > POINTS_MIN[move]
    return seen


@pytest.mark.parametrize("move", ["promote", "rollback"])
def test_killed_at_every_write_one_verified_champion_serves(
    world: World, tmp_path: Path, move: str
) -> None:
    """Before the record is whole the old one, from then on the new one; and the move can be made
    again, or says that it is done.
    """
    for target in (world.first, world.refit):
        world.let_pass(target)
        if target == world.first or move == "rollback":
            assert world.asked(target).promoted
    old = world.first if move == "promote" else world.refit
    new = world.refit if move == "promote" else world.first
    seen = killed(world, tmp_path / "scratch", move, new)
    champions = [one["champion"] for one in seen]
    turn = champions.index(new)
    assert turn > 5
    assert champions == [old] * turn + [new] * (len(seen) - turn)
    assert all(one["production"] == [one["champion"]] for one in seen)
    for k, one in enumerate(seen):
        if "again" in one:
            assert one["at last"]["champion"] == new
            assert bool(one["again"]) == (k >= turn), one


def test_killed_while_archiving_it_is_archived_or_it_is_not(world: World, tmp_path: Path) -> None:
    world.let_pass(world.first)
    assert world.asked(world.first).promoted
    seen = killed(world, tmp_path / "scratch", "archive", world.other)
    statuses = [one["target"] for one in seen]
    turn = statuses.index("archived")
    assert statuses == ["candidate"] * turn + ["archived"] * (len(seen) - turn)
    assert {one["champion"] for one in seen} == {world.first}
    assert all(one["at last"]["target"] == "archived" for one in seen if "again" in one)
