"""What a table worker is given, and how far it has come; what a run needs of one."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec


class TableTarget(msgspec.Struct, frozen=True):
    """A journal, and the database of its tables.

    folder : of the journal. environment: of its rows.
    shown  : the environment that the plain table names show; empty: leave it as it is.
    alone  : nobody else writes to the database. Otherwise it is left to others half of the time.
    """

    folder: Path
    database_url: str
    environment: str
    shown: str = ""
    alone: bool = False


class TableStatus(msgspec.Struct, frozen=True):
    """How far a worker has come.

    seq     : of the newest entry in the tables.
    behind  : entries that are written and not in the tables; at least, where many are.
    problem : why nothing is written at present; empty: all is well.
    since_s : wall time since the tables had all entries.
    """

    seq: int = 0
    behind: int = 0
    problem: str = ""
    since_s: float = 0.0


class Tables(Protocol):
    """What writes the tables of a run."""

    def finish(self) -> None:
        """Let it end once the tables have all that is written: nothing more will be journaled."""
        ...

    def stop(self, wait: bool) -> str:
        """End it; wait: until the tables have all that is journaled.

        Returns one line where they have not; they catch up at the next start.
        """
        ...


class NoTables:
    """A run without tables."""

    def finish(self) -> None:
        """Do nothing."""

    def stop(self, wait: bool) -> str:  # noqa: ARG002 - the seam's signature
        """Do nothing."""
        return ""


NO_TABLES = NoTables()
