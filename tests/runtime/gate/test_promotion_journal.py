"""Promotions written down: by two at once, torn, damaged, or by an older version."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import pytest

from ares.bootstrap.lifecycle import archive, promote
from ares.bootstrap.training import train
from ares.domain.errors import AresError, ExternalError
from ares.domain.model_life import EnsembleArchived
from ares.journal.log import Lock
from ares.runtime.registry.journal_head import head_path
from ares.runtime.registry.model_journal import models_journal, read_registry, record, writing
from ares.runtime.training.plan import TrainingRequest

if TYPE_CHECKING:
    from tests.runtime.gate.conftest import World

BTC = "binance:BTC/USDT"


RACER = """
import json, sys
from datetime import UTC, datetime
from pathlib import Path
from ares.config.workspace import Workspace
from ares.bootstrap.lifecycle import promote

waited = []

def now():
    if not waited:  # it has looked at the champion, and not yet written
        waited.append(print("looked", flush=True))
        sys.stdin.readline()
    return datetime.now(UTC)

outcome = promote(Workspace(Path(sys.argv[1])), sys.argv[2], "history", False, "race", now=now)
print(json.dumps([len(outcome.promoted), list(outcome.refused)]), flush=True)
"""


def test_of_two_processes_at_once_one_wins_and_the_other_is_told(world: World) -> None:
    """Both have looked at the same champion; who writes second finds another one there."""
    targets = (world.refit, world.other)
    for target in targets:
        world.let_pass(target)
    command = [sys.executable, "-c", RACER, str(world.workspace.root)]
    racers = [
        subprocess.Popen([*command, t], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for t in targets
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "looked\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    said = [json.loads(racer.communicate(timeout=120)[0]) for racer in racers]
    won = [target for target, (promoted, _) in zip(targets, said, strict=True) if promoted]
    assert len(won) == 1
    assert world.champion() == won[0]
    ((told,),) = (refused for promoted, refused in said if not promoted)
    assert f"{won[0][:12]} became champion in history meanwhile (by " in told
    assert world.denied().action == "promote"
    assert len(read_registry(world.workspace.journal_dir).promotions) == 1


def test_what_it_rests_on_may_not_change_while_it_is_promoted(world: World) -> None:
    """Archived, or judged again, between the look and the record."""
    world.let_pass(world.refit)
    changes: list[tuple[Callable[[], object], str]] = [
        (lambda: world.let_pass(world.refit, passed=False), "was judged again meanwhile"),
        (lambda: archive(world.workspace, world.refit), "was archived meanwhile"),
    ]
    for change, says in changes:
        world.let_pass(world.refit)
        pending = [change]

        def now(pending: list[Callable[[], object]] = pending) -> datetime:
            while pending:
                pending.pop()()
            return datetime.now(UTC)

        (refusal,) = promote(world.workspace, world.refit, "history", False, None, now=now).refused
        assert says in refusal
        assert world.champion() is None


def test_a_writer_waits_for_another_and_says_who_it_is(world: World) -> None:
    folder = models_journal(world.workspace.journal_dir)
    lock = Lock(folder)
    with (
        pytest.raises(ExternalError, match="another training or promotion"),
        writing(world.workspace.journal_dir),
    ):
        pass
    threading.Timer(0.2, lock.release).start()
    record(world.workspace.journal_dir, [EnsembleArchived("x", "now", "me", "test")])
    assert "x" in read_registry(world.workspace.journal_dir).archived


def test_a_promotion_torn_at_any_byte_never_was(world: World) -> None:
    """A crash while it is written leaves the head where it was."""
    folder = models_journal(world.workspace.journal_dir)
    world.force(world.first)
    head = head_path(folder).read_bytes()
    world.force(world.refit)
    (path,) = folder.glob("*.journal")
    whole = path.read_bytes()
    last = len(world.journal()[-1]) + 24
    head_path(folder).write_bytes(head)
    seen = set()
    for cut in range(len(whole) - last, len(whole), 7):
        path.write_bytes(whole[:cut])
        seen.add(world.champion())
    path.write_bytes(whole)
    assert world.champion() == world.refit
    assert seen == {world.first}
    path.write_bytes(whole[:-3])
    assert world.force(world.other).promoted[0].previous_hash == world.first


def test_damage_is_found_before_anything_is_decided_on_it(world: World) -> None:
    world.force(world.first)
    (path,) = models_journal(world.workspace.journal_dir).glob("*.journal")
    raw = bytearray(path.read_bytes())
    raw[40] ^= 1
    path.write_bytes(raw)
    for ask in (world.champion, lambda: world.force(world.refit)):
        with pytest.raises(AresError, match="damaged at byte 0") as raised:
            ask()
        assert raised.value.exit_code == 3
    assert path.read_bytes() == raw


def test_two_champions_are_found_before_a_training_makes_anything(world: World) -> None:
    world.force(world.first)
    forged = read_registry(world.workspace.journal_dir).promotions[-1]
    with writing(world.workspace.journal_dir) as append:
        append(msgspec.structs.replace(forged, ensemble_hash=world.other))
    packages = world.workspace.models_dir / "packages"
    before = sorted(packages.rglob("*"))
    with pytest.raises(ExternalError, match="names two champions"):
        train(world.workspace, TrainingRequest(symbols=("BTC/USDT",)), pool=world.pool)
    assert sorted(packages.rglob("*")) == before
