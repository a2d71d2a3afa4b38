"""Starting is recovering: the newest snapshot, then the journal's tail, stepped and compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from ares.core.models import Models
from ares.core.snapshot import restore, snapshot
from ares.core.state import State
from ares.core.step import step
from ares.domain.errors import ExternalError, UserError
from ares.domain.events import BarsClosed, SeriesPublished
from ares.domain.model_events import ModelPublished
from ares.domain.run import RunSetup
from ares.domain.utc import utc_text
from ares.journal.run import (
    JournalEntry,
    delete_snapshots,
    encode_effects,
    entries,
    load_snapshot,
    save_snapshot,
)
from ares.runtime.engine.code_version import ARES_HASHES, USER_HASH
from ares.runtime.engine.hot_swap import HotSwap
from ares.runtime.engine.plan import RunPlan, same_run
from ares.runtime.engine.prefetch import Prefetch
from ares.runtime.engine.setup_differences import differences
from ares.store.projections import Projector, delete_rows


@dataclass(frozen=True, slots=True)
class RecoveredRun:
    """The point from which a run continues.

    unanswered : the last event, where a crash came before its effects were journaled.
    """

    state: State
    projector: Projector | None
    unanswered: JournalEntry | None = None


@dataclass(frozen=True, slots=True)
class Recovery:
    """Finds the state from which a run continues.

    prefetch, swap : of the models that the run serves; models : the same, as ``step`` takes them.
    """

    plan: RunPlan
    folder: Path
    database: Engine | None
    prefetch: Prefetch
    swap: HotSwap
    models: Models

    def start(self) -> RecoveredRun:
        """Return the first state of a run without a journal.

        Raises ExternalError where a later snapshot shows that a journal was lost.
        """
        setup, folder = self.plan.setup, self.folder
        later = load_snapshot(folder)
        if later is not None and later[0] > 0:
            raise ExternalError(
                f"journal {folder} is empty, but there is a snapshot of event {later[0]}: restore"
                " the journal from a backup, or move the folder away to start anew"
            )
        delete_snapshots(folder)
        raw = snapshot(self.plan.state)
        save_snapshot(folder, 0, raw)
        projector = None
        if self.database is not None:
            delete_rows(self.database, setup.environment)
            projector = Projector(self.database, setup)
        return RecoveredRun(restore(setup, raw), projector)

    def resume(self, setup: RunSetup) -> RecoveredRun:
        """Return the state at the journal's end.

        Raises what ``require_same`` does, and ExternalError where the tail does not reproduce.
        """
        folder, database = self.folder, self.database
        require_same(setup, self.plan.setup, folder)
        projector = None if database is None else Projector(database, setup)
        found = load_snapshot(folder)
        while True:
            state = restore(setup, snapshot(self.plan.state) if found is None else found[1])
            from_seq = state.seq
            self.swap.load_all(state)
            answered, unanswered = self._step_tail(state, projector)
            if from_seq > answered:  # the journal was restored from a backup, the snapshots not
                delete_snapshots(folder, answered)
                found = load_snapshot(folder)
            elif database is not None and projector is not None and projector.seq > answered:
                delete_rows(database, setup.environment)  # the same with the tables
                projector = Projector(database, setup)
            else:
                return RecoveredRun(state, projector, unanswered)

    def _step_tail(
        self, state: State, projector: Projector | None
    ) -> tuple[int, JournalEntry | None]:
        """Step the entries after the state's seq, and pass all entries to the projector.

        Returns the last seq whose effects are journaled, and the event after it where there is one.
        """
        answered = 0
        inputs = _JournaledInputs(self.plan, self.folder)
        for entry in entries(self.folder):
            t = inputs.compare(entry)
            if t is not None and entry.seq > state.seq:
                self.prefetch.advance(state, t)
            if isinstance(entry.event, ModelPublished) and entry.seq > state.seq:
                self.swap.load(entry.event.ensemble)
            if entry.effects_raw is None:
                return answered, entry
            answered = entry.seq
            if projector is not None:
                projector.watch(entry.seq, entry.event, entry.effects)
            if entry.seq > state.seq:
                self._step(state, entry)
        return answered, None

    def _step(self, state: State, entry: JournalEntry) -> None:
        effects = step(state, entry.event, self.models)
        if encode_effects(entry.seq, effects) != entry.effects_raw:
            raise ExternalError(
                f"journal {self.folder}: event {entry.seq} steps to effects that are not the"
                " journaled ones: run `ares restep` to see them; nothing was changed"
            )
        self.swap.release_unused(state, effects)


class _JournaledInputs:
    """Compares journaled candles and external series with those of a plan."""

    def __init__(self, plan: RunPlan, folder: Path) -> None:
        self._plan, self._folder = plan, folder
        self._t = 0
        self._published: SeriesPublished | None = None

    def compare(self, entry: JournalEntry) -> int | None:
        """Return the row of the feed of a journaled instant; None for any other event.

        Raises ExternalError where the plan's candles or external series are not the journaled ones.
        """
        plan, t, event = self._plan, self._t, entry.event
        if isinstance(event, SeriesPublished):
            self._published = event
            if t >= len(plan.feed) or event != plan.series_event(t):
                raise self._other("values of its external series at", event.ts_ms)
        if not isinstance(event, BarsClosed):
            return None
        if t >= len(plan.feed) or event != plan.feed.event(t, plan.warming(t)):
            raise self._other("candles at", event.ts_ms)
        if self._published != plan.series_event(t):
            raise self._other("values of its external series before", event.ts_ms)
        self._published = None
        self._t += 1
        return t

    def _other(self, what: str, ts_ms: int) -> ExternalError:
        return _made_with(self._folder, f"other {what} {utc_text(ts_ms)}")


def require_same(journaled: RunSetup, planned: RunSetup, folder: Path) -> None:
    """Raise ExternalError where this code with these models cannot resume a run, UserError where
    the user's own features have changed.
    """
    for name in ARES_HASHES:
        if journaled.hashes.get(name) != planned.hashes.get(name):
            raise ExternalError(
                f"{folder.name} was made by another version of Ares ({name} differs): finish it"
                " with that version, or start a new run with --run NAME"
            )
    if journaled.hashes.get(USER_HASH) != planned.hashes.get(USER_HASH):
        raise UserError(
            f"{folder.name} was made with other features of your own (features.module): restore"
            " that module, or start a new run with --run NAME"
        )
    if not same_run(journaled, planned):
        raise _made_with(folder, differences(journaled, planned))


def _made_with(folder: Path, what: str) -> ExternalError:
    return ExternalError(
        f"{folder.name} was made with {what}: restore that, or start a new run with --run NAME"
    )
