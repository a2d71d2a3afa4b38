"""How far the models' journal had come: kept beside it, so that a journal that was cut is noticed.

A chain of hashes shows every changed byte but one thing: that its end is missing. A journal cut to
a stub would forget champions, refusals and trials, and look whole. After every append the number of
records and the newest hash are therefore written to ``journal/models.head``. The journal may be
ahead of that (a crash between the two), never behind it.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from ares.adapters.durable import write_file
from ares.domain.errors import ExternalError
from ares.journal.log import GENESIS, chain, read


class JournalHead(msgspec.Struct, frozen=True):
    """The number of records that were durable, and the chain's hash at the last of them."""

    records: int
    hash: str


def head_path(folder: Path) -> Path:
    """Return where the head of a journal in ``folder`` lies."""
    return folder.with_name(f"{folder.name}.head")


def read_whole(folder: Path) -> list[bytes]:
    """Return every payload of a journal, oldest first.

    Raises WorldTrouble where it is damaged, or where records that were written are missing.
    """
    head = _head(folder)  # before the records: a writer appends first, and moves the head then
    payloads, before = [], GENESIS
    there = "" if head.records else head.hash
    for payload in read(folder):
        payloads.append(payload)
        before = chain(before, payload)
        if len(payloads) == head.records:
            there = before.hex()
    if len(payloads) < head.records:
        raise ExternalError(
            f"the journal {folder} has lost its end: {head.records} records were written, "
            f"{len(payloads)} are there. What is missing may be a champion, a refusal or a trial: "
            f"restore it from a backup, or delete {head_path(folder)} to go on without"
        )
    if there != head.hash:
        raise ExternalError(
            f"the journal {folder} is not the one that was written (its record {head.records} is "
            f"another one): restore it from a backup, or delete {head_path(folder)} to go by it"
        )
    return payloads


def advance(folder: Path, records: int, newest: bytes) -> None:
    """Note how far a journal has come, once that is durable.

    A disk that does not take it leaves the head where it was, which is true as well.
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
    except FileNotFoundError:  # a journal from before heads were kept, or none yet
        return JournalHead(0, "")
    except msgspec.DecodeError as error:
        raise ExternalError(
            f"{path}: does not say how far the models' journal had come ({error}): restore it from "
            "a backup, or delete it to go by the journal alone"
        ) from None
