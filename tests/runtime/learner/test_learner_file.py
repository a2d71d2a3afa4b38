"""What a learner knows, in a file: taken by the next start only where it is of this journal."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from tests.paper_engine import setup_of

from ares.domain.errors import ExternalError
from ares.domain.events import RunStarted
from ares.journal.log import Position
from ares.journal.run import RunJournal
from ares.learn.learner_state import LearnerState
from ares.learn.thresholds import Thresholds
from ares.learn.triggers import RetrainPolicy
from ares.runtime.learner.learner_file import (
    LEARNER_FILE,
    StoredLearner,
    learner_code,
    load_learner,
    save_learner,
)


def stored(position: Position) -> StoredLearner:
    state = LearnerState(RetrainPolicy(), Thresholds(), frozenset({"imported"}))
    state.watch(RunStarted(setup_of()), [])
    return StoredLearner(learner_code(), position, (1,), state.memory())


def journal(folder: Path, nonce: str = "") -> Position:
    written = RunJournal(folder, sync_ms=None)
    written.event(1, RunStarted(msgspec.structs.replace(setup_of(), nonce=nonce)))
    written.effects(1, [])
    written.close()
    return written.position


def test_it_is_read_again(tmp_path: Path) -> None:
    known = stored(journal(tmp_path))
    assert load_learner(tmp_path) is None
    save_learner(tmp_path, known)
    found = load_learner(tmp_path)
    assert found is not None
    assert msgspec.msgpack.encode(found) == msgspec.msgpack.encode(known)


def test_another_journal_version_or_file_is_not_taken(tmp_path: Path) -> None:
    known = stored(journal(tmp_path))
    for other in (
        stored(journal(tmp_path / "other", "another run")),
        msgspec.structs.replace(known, code="another version"),
    ):
        save_learner(tmp_path, other)
        assert load_learner(tmp_path) is None
    save_learner(tmp_path, known)
    (tmp_path / LEARNER_FILE).write_bytes((tmp_path / LEARNER_FILE).read_bytes()[:-20])
    assert load_learner(tmp_path) is None


def test_a_disk_that_fails_is_one_line(tmp_path: Path) -> None:
    known = stored(journal(tmp_path))
    (tmp_path / LEARNER_FILE).mkdir()
    with pytest.raises(ExternalError, match=r"cannot write .*learner.msgpack"):
        save_learner(tmp_path, known)
