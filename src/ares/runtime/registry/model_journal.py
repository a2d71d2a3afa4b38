"""The models' journal: every trial, verdict and promotion, chained, and what follows from them."""

from __future__ import annotations

import getpass
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ares.domain.errors import AresError, ExternalError
from ares.domain.model_life import (
    EnsembleArchived,
    EnsemblePromoted,
    Record,
    RequestRefused,
    VerdictRecorded,
)
from ares.domain.trial import Trial
from ares.journal.log import Lock, Writer
from ares.runtime.registry.journal_head import advance, read_whole

LOCK_WAIT_S = 10.0
LOCK_TRY_S = 0.02


@dataclass(frozen=True, slots=True)
class ModelBook:
    """Everything that the journal says of models, oldest first."""

    trials: tuple[Trial, ...]
    verdicts: tuple[VerdictRecorded, ...]
    promotions: tuple[EnsemblePromoted, ...]
    archived: tuple[EnsembleArchived, ...]
    denied: tuple[RequestRefused, ...]
    records: tuple[Record, ...] = ()

    def champions(self, environment: str) -> dict[str, str]:
        """Return the champion's ensemble hash by instrument key; of a run: those of its kind."""
        kind = environment.partition("/")[0]
        last = {p.instrument: p.ensemble_hash for p in self.promotions if p.environment == kind}
        return {key: crowned for key, crowned in last.items() if crowned}

    def verdict_on(self, ensemble_hash: str, environment: str) -> VerdictRecorded | None:
        """Return the newest verdict on an ensemble for an environment."""
        mine = [
            one
            for one in self.verdicts
            if (one.ensemble_hash, one.environment) == (ensemble_hash, environment)
        ]
        return mine[-1] if mine else None

    def status(self, ensemble_hash: str) -> str:
        """Return candidate, production, archived or evaluated_inferior."""
        if self.champion_in(ensemble_hash):
            return "production"
        if ensemble_hash in self.out_of_use:
            return "archived"
        newest = [one for one in self.verdicts if one.ensemble_hash == ensemble_hash][-1:]
        return "evaluated_inferior" if newest and not newest[0].passed else "candidate"

    def champion_in(self, ensemble_hash: str) -> list[str]:
        """Return the environments in which an ensemble is champion."""
        kinds = dict.fromkeys(p.environment for p in self.promotions)
        return [kind for kind in kinds if ensemble_hash in self.champions(kind).values()]

    def never_served(self, environment: str) -> frozenset[str]:
        """Return the hashes of those whose newest promotion was undone: they did not start."""
        failed: set[str] = set()
        for one in self.promotions:
            if one.environment == environment:
                failed.discard(one.ensemble_hash)
                if one.taken_back:
                    failed.add(one.previous_hash)
        return frozenset(failed)

    @property
    def out_of_use(self) -> frozenset[str]:
        """Return the hashes of what is archived, by a person or by a rollback."""
        rolled = {p.previous_hash for p in self.promotions if p.rolled_back}
        return frozenset(rolled | {one.ensemble_hash for one in self.archived})

    def life(self, ensemble_hash: str) -> list[Record]:
        """Return everything that happened to an ensemble, oldest first."""
        return [one for one in self.records if _concerns(one, ensemble_hash)]


def read_book(journal_dir: Path) -> ModelBook:
    """Return what the journal says, verified.

    Raises WorldTrouble where it is damaged, where its end is missing, and where a promotion does
    not follow from the one before it: there is one champion, or nothing is decided.
    """
    folder = models_journal(journal_dir)
    records = [_decoded(raw) for raw in read_whole(folder)]
    _require_one_champion(folder, [one for one in records if isinstance(one, EnsemblePromoted)])
    return ModelBook(
        tuple(one for one in records if isinstance(one, Trial)),
        tuple(one for one in records if isinstance(one, VerdictRecorded)),
        tuple(one for one in records if isinstance(one, EnsemblePromoted)),
        tuple(one for one in records if isinstance(one, EnsembleArchived)),
        tuple(one for one in records if isinstance(one, RequestRefused)),
        tuple(records),
    )


def record(journal_dir: Path, records: Sequence[Record]) -> None:
    """Append records, durable when this returns; waits while someone else writes."""
    if records:
        with writing(journal_dir, LOCK_WAIT_S) as append:
            for one in records:
                append(one)


@contextmanager
def writing(journal_dir: Path, wait_s: float = 0.0) -> Iterator[JournalAppender]:
    """Hold the journal alone: what is read inside is not changed by anybody else meanwhile.

    Yields a function that appends a record; all of them are durable when the context is left.
    Raises WorldTrouble where another process holds it for longer than ``wait_s``.
    """
    folder = models_journal(journal_dir)
    lock = _locked(folder, wait_s)
    try:
        read_whole(folder)  # nothing is written behind a hole
        appender = JournalAppender(folder)
        yield appender
        appender.close()
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


def deny(
    journal_dir: Path,
    what: str,
    target: str,
    environment: str,
    reason: str,
    now: Callable[[], datetime],
) -> None:
    """Journal that something asked for a model was refused, and why."""
    record(journal_dir, [RequestRefused(what, target, environment, reason, stamp(now), who())])


@contextmanager
def refusals_journaled(
    journal_dir: Path,
    what: str,
    target: str,
    environment: str = "",
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Iterator[None]:
    """Journal what is refused inside by raising; it is raised all the same.

    A journal that cannot be written has its own line to say, and does not hide this one.
    """
    try:
        yield
    except AresError as error:
        with suppress(AresError, OSError):
            deny(journal_dir, what, target, environment, str(error), now)
        raise


def models_journal(journal_dir: Path) -> Path:
    """Return the folder of the models' journal."""
    return journal_dir / "models"


def who() -> str:
    """Return the name of the person at the terminal; where the system has none, the number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user that no passwd file names
        return f"uid {os.getuid()}"


def stamp(now: Callable[[], datetime]) -> str:
    """Return the time as the journal writes it."""
    return now().astimezone(UTC).isoformat(timespec="seconds")


def _require_one_champion(folder: Path, promotions: Sequence[EnsemblePromoted]) -> None:
    """Raise WorldTrouble where a promotion does not name the champion that it took the place of.

    Whoever promotes does so under a lock, after a look: two lines of champions are a forgery.
    """
    champion: dict[tuple[str, str], str] = {}
    for one in promotions:
        place = (one.environment, one.instrument)
        present = champion.get(place, "")
        if one.previous_hash != present:
            raise ExternalError(
                f"the journal {folder} names two champions of {one.instrument} in "
                f"{one.environment} ({present[:12] or 'none'}, and {one.ensemble_hash[:12]} after "
                f"{one.previous_hash[:12] or 'none'}): Ares did not write that; restore it from a "
                "backup"
            )
        champion[place] = one.ensemble_hash


def _concerns(one: Record, ensemble_hash: str) -> bool:
    if isinstance(one, EnsemblePromoted):
        return ensemble_hash in (one.ensemble_hash, one.previous_hash)
    if isinstance(one, Trial):
        return one.subject == ensemble_hash
    target = one.target if isinstance(one, RequestRefused) else one.ensemble_hash
    return target == ensemble_hash


def _decoded(raw: bytes) -> Record:
    try:
        decoded: Record = msgspec.msgpack.decode(raw, type=Record)
    except msgspec.ValidationError as error:  # from before records had a tag: all were promotions
        content = msgspec.msgpack.decode(raw)
        if isinstance(content, dict) and "type" not in content:
            return msgspec.convert({**content, "type": "Promotion"}, EnsemblePromoted)
        raise ExternalError(
            "the models' journal holds a record that this version of Ares does not know "
            f"({error}): use the version that wrote it"
        ) from None
    return decoded


def _locked(folder: Path, wait_s: float) -> Lock:
    end_s = time.monotonic() + wait_s
    while True:
        try:
            return Lock(
                folder,
                "another training or promotion",
                "nothing was changed: look at what it did, then try again",
            )
        except ExternalError:
            if time.monotonic() >= end_s:
                raise
            time.sleep(LOCK_TRY_S)
