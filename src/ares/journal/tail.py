"""Reads a journal while another process writes it: every whole entry once, from a position on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ares.domain.errors import ExternalError
from ares.domain.stretch import BarsStretch
from ares.journal.disk import OS_DISK, Disk
from ares.journal.log import START, JournalDamaged, Position, contains, segment_path
from ares.journal.run import JournalEntry, RunReader


class JournalReplaced(ExternalError):
    """The journal does not have the record up to which it was read: it came from a backup, or is of
    another run.
    """


class JournalTail:
    """The entries of a journal after a position, as far as they are written.

    An incomplete record at the end, and an event without its effects, are left for the next call:
    the engine may still be writing them, or cuts them off when it starts again.

    position : the end of the newest entry that was read.
    """

    def __init__(self, folder: Path, start: Position = START, disk: Disk = OS_DISK) -> None:
        self._folder, self._disk = folder, disk
        self.position = start
        self._damage: tuple[Path, int] | None = None

    def read(self, entries_max: int) -> list[JournalEntry | BarsStretch]:
        """Return the next entries and stretches, oldest first; none where nothing more is written.

        entries_max : of the last stretch there may be more.

        Raises JournalReplaced where the position is not in the journal any more, ExternalError
        where a record after it is damaged or of another version.
        """
        if self._is_at_end():
            return []
        if not contains(self._folder, self.position, self._disk):
            raise JournalReplaced(
                f"journal {self._folder} does not have event record {self.position.records}: it was"
                " restored from a backup, or is of another run"
            )
        found: list[JournalEntry | BarsStretch] = []
        n_entries = 0
        reader = RunReader(self._folder, self.position, self._disk)
        try:
            for part in reader.parts():
                if isinstance(part, BarsStretch):
                    n_entries += len(part)
                elif part.effects_raw is None:
                    break
                else:
                    n_entries += 1
                found.append(part)
                self.position = reader.position
                if n_entries >= entries_max:
                    break
        except JournalDamaged as damage:
            self._judge(damage, found)
        else:
            self._damage = None
        return found

    def _is_at_end(self) -> bool:
        """Return whether the newest file ends at the position: looking is quicker than reading."""
        at, disk = self.position, self._disk
        try:
            if at.records == 0 or disk.size(segment_path(self._folder, at.segment)) != at.offset:
                return False
        except OSError:
            return False
        try:
            disk.size(segment_path(self._folder, at.segment + 1))
        except OSError:
            return True
        return False

    def _judge(self, damage: JournalDamaged, found: Sequence[JournalEntry | BarsStretch]) -> None:
        """Raise damage that is there at a second look, with nothing read in between.

        At the first look it may be a record that was cut off and written anew while it was read.
        """
        where = (damage.path, damage.offset)
        if self._damage == where and not found:
            raise damage
        self._damage = where
