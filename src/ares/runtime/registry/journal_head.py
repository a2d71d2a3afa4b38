"""The head of the models' journal: its length and newest hash, so that a cut is detected.

A chain of hashes reveals every changed byte, but not that its end is missing. A journal that was
cut would lose champions, refusals and trials, and look intact. After every append the number of
records and the newest hash are therefore written to ``journal/models.head``. The journal may be
ahead of its head (a crash between the two), never behind it.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from ares.adapters.durable import write_file
from ares.domain.errors import ExternalError
from ares.journal.log import Reader


class JournalHead(msgspec.Struct, frozen=True):
    """The number of records that were durable, and the chain's hash at the last of them."""

    records: int
    hash: str


def head_path(folder: Path) -> Path:
    """Return the path of the head of the journal in ``folder``."""
    return folder.with_name(f"{folder.name}.head")


def read_whole(folder: Path) -> list[bytes]:
    """Return every payload of a journal, oldest first.

    Raises ExternalError where it is damaged, or where records are missing.
    """
    head = _head(folder)  # before the records: a writer appends first, and moves the head then
    payloads, reader = [], Reader(folder)
    found = "" if head.records else head.hash
    for payload in reader:
        payloads.append(payload)
        if len(payloads) == head.records:
            found = reader.chain.hex()
    if len(payloads) < head.records:
        raise ExternalError(
            f"the journal {folder} has lost its end: {head.records} records were written, "
            f"{len(payloads)} are left. A champion, a refusal or a trial may be missing: restore "
            f"it from a backup, or delete {head_path(folder)} to continue without them"
        )
    if found != head.hash:
        raise ExternalError(
            f"the journal {folder} was replaced (its record {head.records} is another one): "
            f"restore it from a backup, or delete {head_path(folder)} to accept it"
        )
    return payloads


def advance(folder: Path, records: int, newest: bytes) -> None:
    """Write the head of a journal, once its records are durable.

    Where that fails the previous head stays, which the journal is ahead of.
    """
    try:
        write_file(
            head_path(folder), msgspec.json.encode(JournalHead(records, newest.hex())) + b"\n"
        )
    except OSError:
        return


def _head(folder: Path) -> JournalHead:
    path = head_path(folder)
    try:
        return msgspec.json.decode(path.read_bytes(), type=JournalHead)
    except FileNotFoundError:  # no journal yet
        return JournalHead(0, "")
    except msgspec.DecodeError as error:
        raise ExternalError(
            f"{path}: is damaged ({error}): restore it from a backup, or delete it to accept the "
            "models' journal as it is"
        ) from None
