"""The models' journal: every trial, verdict and promotion, appended to a chain and read back."""

from __future__ import annotations

import getpass
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ares.domain.errors import AresError, ExternalError
from ares.domain.model_life import EnsemblePromoted, Record, RequestRefused
from ares.domain.utc import utc_iso
from ares.journal.lock import Lock
from ares.journal.writer import Writer
from ares.runtime.registry.journal_head import advance, read_whole
from ares.runtime.registry.registry_state import RegistryState

LOCK_WAIT_S = 10.0
LOCK_TRY_S = 0.02

WRITING = (
    "another training or promotion",
    "nothing was changed: look at what it did, then try again",
)
"""Who holds the journal's lock, and the advice to the process that finds it taken."""


def read_registry(journals: Path) -> RegistryState:
    """Return what the models' journal amounts to, verified.

    journals : the workspace's folder of journals.
    Raises ExternalError where the journal is damaged or its end is missing, and where a promotion
    does not name the champion before it: there is one champion, or nothing is decided.
    """
    return registry_of(journals, read_whole(models_journal(journals)))


def registry_of(journals: Path, payloads: Sequence[bytes]) -> RegistryState:
    """Return what the payloads of the models' journal amount to; raises as ``read_registry``."""
    state = RegistryState(tuple(_decoded(raw) for raw in payloads))
    _require_one_champion(models_journal(journals), state.promotions)
    return state


def record(journals: Path, records: Sequence[Record]) -> None:
    """Append records, durable when this returns; waits while another process writes."""
    if records:
        with writing(journals, LOCK_WAIT_S) as append:
            for each in records:
                append(each)


@contextmanager
def writing(journals: Path, wait_s: float = 0.0) -> Iterator[JournalAppender]:
    """Hold the journal's lock: what is read inside is not changed by another process meanwhile.

    Yields a function that appends a record; all of them are durable when the context is left.
    Raises ExternalError where another process holds it for longer than ``wait_s``.
    """
    folder = models_journal(journals)
    with holding(folder, wait_s, *WRITING):
        read_whole(folder)  # nothing is appended to a damaged journal
        appender = JournalAppender(folder)
        yield appender
        appender.close()


@contextmanager
def holding(folder: Path, wait_s: float, holder: str, advice: str) -> Iterator[None]:
    """Hold a folder's lock.

    Raises ExternalError where another process holds it for longer than ``wait_s``: the message
    calls that process ``holder`` and ends with ``advice``.
    """
    end_s = time.monotonic() + wait_s
    while True:
        try:
            lock = Lock(folder, holder, advice)
            break
        except ExternalError:
            if time.monotonic() >= end_s:
                raise
            time.sleep(LOCK_TRY_S)
    try:
        yield
    finally:
        lock.release()


class JournalAppender:
    """Appends records to the models' journal while its lock is held."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: Writer | None = None

    def __call__(self, record: Record) -> None:
        """Append a record."""
        if self._writer is None:
            self._writer = Writer(self._folder)
        self._writer.append(msgspec.msgpack.encode(record))

    def close(self) -> None:
        """Make what was appended durable."""
        if self._writer is not None:
            self._writer.close()
            advance(self._folder, self._writer.records, self._writer.head)
            self._writer = None


def record_refusal(
    journals: Path,
    action: str,
    target: str,
    environment: str,
    reason: str,
    now: Callable[[], datetime],
) -> None:
    """Journal that a request on a model was refused, and why."""
    record(journals, [RequestRefused(action, target, environment, reason, stamp(now), who())])


@contextmanager
def refusals_journaled(
    journals: Path,
    action: str,
    target: str,
    environment: str = "",
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Iterator[None]:
    """Journal a refusal that is raised inside, and raise it again.

    A journal that cannot be written does not hide the reason of the refusal.
    """
    try:
        yield
    except AresError as error:
        with suppress(AresError, OSError):
            record_refusal(journals, action, target, environment, str(error), now)
        raise


def models_journal(journals: Path) -> Path:
    """Return the folder of the models' journal."""
    return journals / "models"


def who() -> str:
    """Return the name of the user; where the system has none, the user's number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user that no passwd file names
        return f"uid {os.getuid()}"


def stamp(now: Callable[[], datetime]) -> str:
    """Return the time as the journal writes it."""
    return utc_iso(now())


def _require_one_champion(folder: Path, promotions: Sequence[EnsemblePromoted]) -> None:
    """Raise ExternalError where a promotion does not name the champion that it replaced.

    A promotion is written under a lock, after a look at the champion: two lines of champions are a
    forgery.
    """
    champions: dict[tuple[str, str], str] = {}
    for promotion in promotions:
        slot = (promotion.environment, promotion.instrument)
        champion = champions.get(slot, "")
        if promotion.previous_hash != champion:
            raise ExternalError(
                f"the journal {folder} names two champions of {promotion.instrument} in "
                f"{promotion.environment} ({champion[:12] or 'none'}, and "
                f"{promotion.ensemble_hash[:12]} after {promotion.previous_hash[:12] or 'none'}): "
                "Ares did not write that; restore it from a backup"
            )
        champions[slot] = promotion.ensemble_hash


def _decoded(raw: bytes) -> Record:
    try:
        decoded: Record = msgspec.msgpack.decode(raw, type=Record)
    except msgspec.ValidationError as error:
        raise ExternalError(
            "the models' journal holds a record that this version of Ares does not know "
            f"({error}): use the version that wrote it"
        ) from None
    return decoded
