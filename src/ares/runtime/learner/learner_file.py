"""What a learner knows of its journal, in a file: a start reads on from there, not from the first
event.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

import ares
from ares.domain.code_hash import folders_hash
from ares.domain.errors import ExternalError
from ares.journal.disk import OS_DISK, Disk
from ares.journal.log import Position, contains
from ares.learn.learner_state import LearnerMemory

LEARNER_FILE = "learner.msgpack"


class StoredLearner(msgspec.Struct, frozen=True):
    """A learner after the entry that ends at a position of its journal.

    code      : of the version that wrote it; another version reads the journal anew.
    requested : instruments whose training was requested by a person.
    """

    code: str
    position: Position
    requested: tuple[int, ...]
    memory: LearnerMemory


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(StoredLearner).decode


@cache
def learner_code() -> str:
    """Return the hash of the code by which a learner reads a journal."""
    return folders_hash(Path(ares.__file__).parent, ["core", "domain", "learn"])


def save_learner(folder: Path, stored: StoredLearner, disk: Disk = OS_DISK) -> None:
    """Write what is known, whole or not at all. Raises ExternalError where it cannot be written."""
    path = folder / LEARNER_FILE
    try:
        disk.write_whole(path, _encode(stored))
    except OSError as error:
        raise ExternalError(f"cannot write {path}: {error.strerror}: free disk space") from error


def load_learner(folder: Path, disk: Disk = OS_DISK) -> StoredLearner | None:
    """Return what is known; None: nothing that is of this code and of this journal."""
    try:
        found = _decode(disk.read(folder / LEARNER_FILE))
    except (OSError, msgspec.DecodeError):
        return None
    if found.code != learner_code() or not contains(folder, found.position, disk):
        return None
    return found
