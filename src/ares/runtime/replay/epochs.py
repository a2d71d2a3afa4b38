"""The epochs of a run: each start of the engine opens one, with the hashes of its code.

What this version of Ares computes can be compared with the epochs of its own code. Those of other
code are listed; their events are input.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ares.domain.errors import UserError
from ares.domain.events import EngineStarted, RunStarted
from ares.journal.run import JournalReader, entries
from ares.runtime.engine.code_version import changed_code, named_changes


@dataclass(frozen=True, slots=True)
class RecordedEpoch:
    """A stretch of a run between two starts of the engine.

    changed : parts of Ares that differ from this code; empty: it can be compared.
    """

    first_seq: int
    last_seq: int
    hashes: dict[str, str]
    changed: tuple[str, ...]

    @property
    def remark(self) -> str:
        """Return that it is not compared, and why, in one line."""
        code = ", ".join(f"{name} {value[:12]}" for name, value in sorted(self.hashes.items()))
        return (
            f"events {self.first_seq} to {self.last_seq} are of another version of Ares"
            f" ({named_changes(self.changed)}) and were not compared: {code}"
        )


@dataclass(frozen=True, slots=True)
class RecordedEpochs:
    """A run's journal as it was when it was opened, and its epochs, oldest first."""

    environment: str
    journal: JournalReader
    epochs: tuple[RecordedEpoch, ...]

    def comparable(self) -> list[tuple[int, int]]:
        """Return (first seq, last seq) of every unbroken row of epochs of this code.

        Raises UserError, in one line, where there is none.
        """
        found: list[tuple[int, int]] = []
        for epoch in self.epochs:
            if epoch.changed:
                continue
            if found and found[-1][1] == epoch.first_seq - 1:
                found[-1] = (found[-1][0], epoch.last_seq)
            else:
                found.append((epoch.first_seq, epoch.last_seq))
        if not found:
            raise UserError(
                f"{self.environment} was made by another version of Ares "
                f"({named_changes(self.epochs[-1].changed)}): certify and re-step it with that"
                " version; `ares why` and `ares models ab` read its journal"
            )
        return found


def recorded_epochs(folder: Path) -> RecordedEpochs:
    """Return the epochs of a run, whatever is appended to its journal meanwhile."""
    starts: list[tuple[int, dict[str, str]]] = []
    seq, environment = 0, folder.name
    for entry in entries(folder):
        seq = entry.seq
        if isinstance(entry.event, RunStarted):
            environment = entry.event.setup.environment
            starts.append((seq, entry.event.setup.hashes))
        elif isinstance(entry.event, EngineStarted):
            starts.append((seq, entry.event.hashes))
    ends = [first - 1 for first, _ in starts[1:]] + [seq]
    epochs = [
        RecordedEpoch(first, last, hashes, tuple(changed_code(hashes)))
        for (first, hashes), last in zip(starts, ends, strict=True)
    ]
    return RecordedEpochs(environment, JournalReader(folder, seq), tuple(epochs))


def changed_at(folder: Path, seq: int) -> tuple[str, ...]:
    """Return which parts of Ares differ from the code of the epoch in which event ``seq`` is."""
    epochs = recorded_epochs(folder).epochs
    return next(epoch.changed for epoch in reversed(epochs) if epoch.first_seq <= seq)
