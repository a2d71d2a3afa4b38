"""A run that another version of the code has begun, and this one takes over.

After a clean stop the newest snapshot is the state, and nothing follows it. After a crash the facts
that were journaled since are folded, see ``core.money_facts``: the past is never decided again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ares.core.models import Models
from ares.core.money_facts import FactFold, JournaledFacts, UnexplainedMoney
from ares.core.state import State
from ares.domain.errors import ExternalError
from ares.domain.events import EngineStarted
from ares.domain.run import RunSetup
from ares.journal.disk import OS_DISK, Disk
from ares.journal.log import START
from ares.journal.run import JournalEntry, entries
from ares.journal.snapshots import anchored_snapshot
from ares.runtime.engine.code_version import named_changes


def newest_hashes(folder: Path, setup: RunSetup, disk: Disk = OS_DISK) -> dict[str, str]:
    """Return the hashes of the code in a run's newest epoch; setup: of its first.

    They stand in the newest snapshot and in the journal after it: no more of it is read.
    """
    found = anchored_snapshot(folder, disk=disk)
    start, hashes = START, setup.hashes
    if found is not None and found.hashes is not None:
        start, hashes = found.anchor, found.hashes
    for entry in entries(folder, start, disk):
        if isinstance(entry.event, EngineStarted):
            hashes = entry.event.hashes
    return hashes


class Upgrade:
    """Takes the state of another version over.

    changed : which parts of the code differ.
    models  : of every ensemble that the run serves.
    restarted : known at the end: which statistics begin anew.
    """

    def __init__(self, changed: Sequence[str], models: Models) -> None:
        self.restarted: tuple[str, ...] = ()
        self._changed, self._models = changed, models
        self._fold: FactFold | None = None

    @property
    def remark(self) -> str:
        """Return what a person should know, in one line."""
        how = "from a clean stop"
        if self.restarted:
            how = f"after a crash, from journaled facts; begun anew: {', '.join(self.restarted)}"
        return f"taken over from another version of Ares ({named_changes(self._changed)}), {how}"

    def take(self, folder: Path, state: State, entry: JournalEntry) -> None:
        """Fold the next entry after the snapshot."""
        if self._fold is None:
            self._fold = FactFold(state, self._models)
        facts = JournaledFacts(entry.seq, entry.at_ms, entry.event, entry.effects)
        try:
            self._fold.take(facts)
        except UnexplainedMoney as error:
            raise ExternalError(
                f"journal {folder}: {error}: finish {folder.name} with the version that wrote it"
            ) from error

    def finish(self) -> bool:
        """Note what restarts; return whether anything was folded, so that a snapshot is due."""
        if self._fold is None:
            return False
        self.restarted = self._fold.finish()
        return True
