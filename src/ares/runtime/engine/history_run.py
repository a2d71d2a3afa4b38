"""A run over stored candles in virtual time: start it, stop it, take it up again, finish it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from ares.adapters.simulated_venue import SimulatedVenue
from ares.adapters.worker_pool import PoolInterrupted
from ares.core.state import Scorers, State, restore, snapshot
from ares.core.step import step
from ares.core.windows import OwnFeatures
from ares.domain.errors import ExternalError, UserError
from ares.domain.events import BarsClosed, EngineStarted, RunStarted, SeriesPublished
from ares.domain.model import Ensemble
from ares.domain.model_events import ModelPublished
from ares.domain.run import RunSetup
from ares.journal.log import Lock
from ares.journal.run import (
    JournalEntry,
    RunJournal,
    encode_effects,
    entries,
    forget_snapshots,
    load_snapshot,
    save_snapshot,
    setup_of,
)
from ares.kernel.features.user import UserFeatures
from ares.runtime.engine.hot_swap import HotSwap, Opener
from ares.runtime.engine.learner_events import LearnerEvents, NoLearner
from ares.runtime.engine.loop import Loop, Watcher, open_orders, overdue_answers
from ares.runtime.engine.plan import USER_HASH, RunPlan, code_hashes, same_run, utc_minute
from ares.runtime.engine.prefetch import Prefetch
from ares.runtime.engine.series import is_folded
from ares.runtime.engine.setup_differences import differences
from ares.runtime.engine.timing import RunTiming
from ares.store.projections import Projector, forget

PROGRESS_INSTANTS = 256

Progress = Callable[[int, int], None]
"""Is told (instants done, instants in all)."""


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run over history ended.

    finished : False when it was stopped before its last instant.
    resumed  : it was begun before. instants, bars, seconds: of this start only.
    seconds  : wall time of all of it, from taking the journal up to closing it; of that
    feeding_seconds : feeding instants, with their journal and tables: what a speed is made of.
    code_seconds    : making machine code, which is kept, or loading what was kept.
    waited_seconds  : waiting for trainings.
    """

    environment: str
    folder: Path
    finished: bool
    resumed: bool
    instants: int
    bars: int
    seconds: float
    feeding_seconds: float
    code_seconds: float
    waited_seconds: float

    @property
    def bars_per_s(self) -> float:
        """Return the engine's speed: neither machine code nor a training counts against it."""
        return self.bars / max(self.feeding_seconds, 1e-9)


def run_history(
    plan: RunPlan,
    models: Scorers,
    folder: Path,
    database: Engine | None,
    *,
    sync_ms: int = 50,
    snapshot_events: int = 20_000,
    progress: Progress | None = None,
    stopped: Callable[[], bool] = lambda: False,
    user: UserFeatures | None = None,
    teacher: LearnerEvents | None = None,
    open_ensemble: Opener | None = None,
) -> RunEnd:
    """Run ``plan`` in ``folder``; where the run was begun before, go on where it stopped.

    models  : a scorer per package hash.
    stopped : asked between instants; True ends the run cleanly, to be taken up later. A teacher
              that makes the run wait asks the same, and gives up what it is at.
    user    : the user's own features that the plan was made with.
    teacher : publishes models while the run goes on; None: nobody does.
    open_ensemble : opens what is published, or was before the run was interrupted.
    Raises UserError: those are not the ones that the run was begun with, or one of them fails.
    ExternalError: another engine is in the folder, the journal is damaged or cannot be
    written, or the run was begun by another version of the code.
    """
    lock, watch = Lock(folder), RunTiming()
    try:
        with watch.listening():
            return _run(
                plan, models, folder, database, sync_ms, snapshot_events, progress, stopped, user,
                teacher or NoLearner(), open_ensemble or _none_more, watch,
            )  # fmt: skip
    finally:
        lock.release()


def _none_more(ensemble: Ensemble) -> Scorers:
    """Open an ensemble where there is no store to open it from."""
    raise ExternalError(f"ensemble {ensemble.hash[:12]} is not among the models of this run")


def _run(
    plan: RunPlan, models: Scorers, folder: Path, database: Engine | None, sync_ms: int,
    snapshot_events: int, progress: Progress | None, stopped: Callable[[], bool],
    user: UserFeatures | None, teacher: LearnerEvents, open_ensemble: Opener, watch: RunTiming,
) -> RunEnd:  # fmt: skip
    own = None if user is None else user.step
    prefetch = Prefetch(models, plan.feed, history=plan.history)
    swap = HotSwap(prefetch, open_ensemble)
    setup = setup_of(folder)
    begin = _begin(plan, folder, database) if setup is None else None
    taken = begin or _recover(plan, setup or plan.setup, prefetch, swap, folder, database, own)
    state, projector = taken.state, taken.projector
    swap.load_all(state)
    journal = RunJournal(folder, sync_ms)
    venue = SimulatedVenue(state.params)
    if projector is not None:
        projector.before_flush = journal.sync
    watchers: list[Watcher] = [] if projector is None else [projector.watch]
    watchers += [] if isinstance(teacher, NoLearner) else [teacher.watch]
    watchers.append(lambda _seq, _event, effects: swap.settle(state, effects))
    loop = Loop(state, journal, venue, prefetch.scorers, watchers, journal.write, own)

    def save() -> None:
        journal.sync()  # a snapshot is never of a later moment than the journal
        save_snapshot(folder, state.seq, snapshot(state))

    try:
        _teach_again(teacher, folder)
        if taken.unanswered is not None:
            loop.answer(taken.unanswered)
        venue.adopt(open_orders(state))
        overdue = overdue_answers(state)
        if setup is None:
            loop.process(RunStarted(plan.setup))
        elif overdue or state.now_ms < int(plan.feed.close_ms[-1]):
            loop.process(EngineStarted(code_hashes(user), state.seq))
        for event in overdue:
            loop.process(event)
        with watch.feeding():
            done = _instants(
                plan, loop, prefetch, swap, teacher, save, snapshot_events, progress, stopped, watch
            )
            save()
            if projector is not None:
                projector.flush()
    finally:
        teacher.close()
        swap.close()
        journal.close()
    feed = plan.feed
    return RunEnd(
        plan.setup.environment,
        folder,
        state.now_ms >= int(feed.close_ms[-1]),
        setup is not None,
        done[1] - done[0],
        int(feed.present[done[0] : done[1], : feed.n_instruments].sum()),
        watch.seconds,
        watch.feeding_s,
        watch.code_s,
        watch.waited_s,
    )


def _instants(
    plan: RunPlan, loop: Loop, prefetch: Prefetch, swap: HotSwap, teacher: LearnerEvents,
    save: Callable[[], None], snapshot_events: int, progress: Progress | None,
    stopped: Callable[[], bool], watch: RunTiming,
) -> tuple[int, int]:  # fmt: skip
    """Feed every instant that the state has not seen; return the rows (first, end) fed now."""
    feed, state = plan.feed, loop.state
    first = t = int(feed.close_ms.searchsorted(state.now_ms, side="right"))
    next_snapshot = state.seq + snapshot_events
    taught = not isinstance(teacher, NoLearner)
    if progress is not None:
        progress(t, len(feed))
    while t < len(feed) and not stopped():
        if taught:
            try:
                with watch.waiting():
                    lessons = teacher.due(int(feed.close_ms[t]))
            except PoolInterrupted:
                break
            for event in lessons:
                loop.process(swap.ready(event, state))
        published = plan.series_event(t)
        if published is not None and not is_folded(state, published):
            loop.process(published)
        prefetch.reach(state, t)
        loop.instant(feed, t, plan.warming(t))
        t += 1
        if state.seq >= next_snapshot:
            save()
            next_snapshot = state.seq + snapshot_events
        if progress is not None and t % PROGRESS_INSTANTS == 0:
            progress(t, len(feed))
    if progress is not None:
        progress(t, len(feed))
    return first, t


def _teach_again(teacher: LearnerEvents, folder: Path) -> None:
    """Show a teacher what was journaled before this start."""
    if not isinstance(teacher, NoLearner):
        for entry in entries(folder):
            if entry.effects_raw is not None:
                teacher.watch(entry.seq, entry.event, entry.effects)


@dataclass(frozen=True, slots=True)
class _RecoveredRun:
    """Where a run goes on.

    unanswered : the last event, where a crash came before its effects were journaled.
    """

    state: State
    projector: Projector | None
    unanswered: JournalEntry | None = None


def _begin(plan: RunPlan, folder: Path, database: Engine | None) -> _RecoveredRun:
    """Return the start of a run of which nothing is journaled.

    Raises ExternalError where a later snapshot says that something was: a journal was lost.
    """
    later = load_snapshot(folder)
    if later is not None and later[0] > 0:
        raise ExternalError(
            f"journal {folder} is empty, but a snapshot of event {later[0]} lies beside it: restore"
            " the journal from a backup, or move the folder away to begin anew"
        )
    forget_snapshots(folder)
    raw = snapshot(plan.state)
    save_snapshot(folder, 0, raw)
    projector = None
    if database is not None:
        forget(database, plan.setup.environment)
        projector = Projector(database, plan.setup)
    return _RecoveredRun(restore(plan.setup, raw), projector)


def _recover(
    plan: RunPlan, setup: RunSetup, prefetch: Prefetch, swap: HotSwap, folder: Path,
    database: Engine | None, own: OwnFeatures | None,
) -> _RecoveredRun:  # fmt: skip
    """Return the state at the journal's end: newest snapshot, tail stepped again and compared."""
    check_same(setup, plan.setup, folder)
    projector = None if database is None else Projector(database, setup)
    found = load_snapshot(folder)
    while True:
        state = restore(setup, snapshot(plan.state) if found is None else found[1])
        from_seq = state.seq
        swap.load_all(state)
        answered, unanswered = _walk(plan, state, prefetch, swap, folder, projector, own)
        if from_seq > answered:  # the journal was restored from a backup, the snapshots were not
            forget_snapshots(folder, answered)
            found = load_snapshot(folder)
        elif database is not None and projector is not None and projector.seq > answered:
            forget(database, setup.environment)  # as above, with the tables
            projector = Projector(database, setup)
        else:
            return _RecoveredRun(state, projector, unanswered)


def _walk(
    plan: RunPlan, state: State, prefetch: Prefetch, swap: HotSwap, folder: Path,
    projector: Projector | None, own: OwnFeatures | None,
) -> tuple[int, JournalEntry | None]:  # fmt: skip
    """Step what lies behind the state, and show everything to the projector.

    Returns the last seq whose effects are journaled, and the event behind it where there is one.
    """
    answered = t = 0
    published: SeriesPublished | None = None
    for entry in entries(folder):
        if isinstance(entry.event, SeriesPublished):
            published = entry.event
            if t >= len(plan.feed) or published != plan.series_event(t):
                when = utc_minute(published.ts_ms)
                raise _begun_otherwise(folder, f"other values of its external series at {when}")
        if isinstance(entry.event, BarsClosed):
            if t >= len(plan.feed) or entry.event != plan.feed.event(t, plan.warming(t)):
                raise _begun_otherwise(folder, f"other candles at {utc_minute(entry.event.ts_ms)}")
            if published != plan.series_event(t):
                when = utc_minute(entry.event.ts_ms)
                raise _begun_otherwise(folder, f"other values of its external series before {when}")
            published = None
            if entry.seq > state.seq:
                prefetch.reach(state, t)
            t += 1
        if isinstance(entry.event, ModelPublished) and entry.seq > state.seq:
            swap.load(entry.event.ensemble)
        if entry.effects_raw is None:
            return answered, entry
        answered = entry.seq
        if projector is not None:
            projector.watch(entry.seq, entry.event, entry.effects)
        if entry.seq <= state.seq:
            continue
        effects = step(state, entry.event, prefetch.scorers, own)
        if encode_effects(entry.seq, effects) != entry.effects_raw:
            raise ExternalError(
                f"journal {folder}: event {entry.seq} steps to other effects than were journaled:"
                " run `ares restep` to see them; nothing was changed"
            )
        swap.settle(state, effects)
    return answered, None


def check_same(journaled: RunSetup, planned: RunSetup, folder: Path) -> None:
    """Raise ExternalError where a run cannot be taken up by this code with these models, UserError
    where the user's own features have changed since.
    """
    for name in ("kernel", "features", "engine"):
        if journaled.hashes.get(name) != planned.hashes.get(name):
            raise ExternalError(
                f"{folder.name} was begun by another version of Ares ({name} differs): finish it"
                " with that version, or start a new run with --run NAME"
            )
    if journaled.hashes.get(USER_HASH) != planned.hashes.get(USER_HASH):
        raise UserError(
            f"{folder.name} was begun with other features of your own (features.module): put that"
            " module back, or start a new run with --run NAME"
        )
    if not same_run(journaled, planned):
        raise _begun_otherwise(folder, differences(journaled, planned))


def _begun_otherwise(folder: Path, how: str) -> ExternalError:
    return ExternalError(
        f"{folder.name} was begun with {how}: put that back, or start a new run with --run NAME"
    )
