"""A run over stored candles in virtual time: start it, stop it, resume it, finish it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from ares.adapters.simulated_venue import SimulatedVenue
from ares.adapters.worker_pool import PoolInterrupted
from ares.core.models import Models, Scorers
from ares.core.snapshot import snapshot
from ares.domain.errors import ExternalError
from ares.domain.events import EngineStarted, RunStarted
from ares.domain.model import Ensemble
from ares.domain.run import RunSetup
from ares.journal.log import Lock
from ares.journal.run import RunJournal, entries, save_snapshot, setup_of
from ares.kernel.features.user import UserFeatures
from ares.runtime.engine.code_version import code_hashes
from ares.runtime.engine.hot_swap import HotSwap, Opener
from ares.runtime.engine.learner_events import LearnerEvents, NoLearner
from ares.runtime.engine.loop import Loop, Watcher, open_orders, overdue_answers
from ares.runtime.engine.plan import RunPlan
from ares.runtime.engine.prefetch import Prefetch
from ares.runtime.engine.recovery import RecoveredRun, Recovery
from ares.runtime.engine.series import is_folded
from ares.runtime.engine.timing import RunTiming

PROGRESS_INSTANTS = 256

Progress = Callable[[int, int], None]
"""Called with (instants done, instants in all)."""


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run over history ended.

    finished : False where it was stopped before its last instant.
    resumed  : it was started before. instants, bars, seconds: of this start only.
    seconds  : wall time of all of it, from locking the journal to closing it; of that
    feeding_seconds : feeding instants, with their journal and tables: the basis of the speed.
    code_seconds    : compiling machine code, or loading it from the cache.
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
        """Return the engine's speed, without compiling and without waiting for trainings."""
        return self.bars / max(self.feeding_seconds, 1e-9)


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a run is carried out; nothing here changes what it does.

    sync_ms  : appended records reach the disk after this long at the latest.
    snapshot_events : events between two snapshots.
    stopped  : called between instants; True stops the run cleanly, to be resumed later. A learner
               that the run waits for calls it too, and ends its training.
    """

    sync_ms: int = 50
    snapshot_events: int = 20_000
    progress: Progress = lambda _done, _total: None
    stopped: Callable[[], bool] = lambda: False


DEFAULT_OPTIONS = RunOptions()


def run_history(
    plan: RunPlan,
    scorers: Scorers,
    folder: Path,
    database: Engine | None,
    options: RunOptions = DEFAULT_OPTIONS,
    *,
    user: UserFeatures | None = None,
    learner: LearnerEvents | None = None,
    open_ensemble: Opener | None = None,
) -> RunEnd:
    """Run ``plan`` in ``folder``, or resume the run that was started there.

    scorers : by package hash, of the ensembles in the plan.
    user    : the user's own features that the plan was made with.
    learner : publishes models during the run; None: nothing does.
    open_ensemble : opens what is published, or was before the run was interrupted.

    Raises UserError where the run was made with other features of the user's own, or one fails;
    ExternalError where another engine has the folder, the journal is damaged or cannot be
    written, or the run was made by another version of the code.
    """
    lock, timing = Lock(folder), RunTiming()
    try:
        with timing.listening():
            prefetch = Prefetch(scorers, plan.feed, history=plan.history)
            models = Models(prefetch.scorers, None if user is None else user.step)
            swap = HotSwap(prefetch, open_ensemble or _open_nothing)
            recovery = Recovery(plan, folder, database, prefetch, swap, models)
            setup = setup_of(folder)
            recovered = recovery.start() if setup is None else recovery.resume(setup)
            run = _HistoryRun(recovery, recovered, learner or NoLearner(), options, timing)
            return run.complete(setup, code_hashes(user))
    finally:
        lock.release()


def _open_nothing(ensemble: Ensemble) -> Scorers:
    """Refuse an ensemble where there is no store to open it from."""
    raise ExternalError(f"ensemble {ensemble.hash[:12]} is not among the models of this run")


class _HistoryRun:
    """One start of a run: recovered, then fed until it ends or is stopped."""

    def __init__(
        self,
        recovery: Recovery,
        recovered: RecoveredRun,
        learner: LearnerEvents,
        options: RunOptions,
        timing: RunTiming,
    ) -> None:
        self._plan, self._folder = recovery.plan, recovery.folder
        self._prefetch, self._swap = recovery.prefetch, recovery.swap
        self._learner, self._options, self._timing = learner, options, timing
        self._state, self._projector = recovered.state, recovered.projector
        self._unanswered = recovered.unanswered
        self._learns = not isinstance(learner, NoLearner)
        self._swap.load_all(self._state)
        self._journal = RunJournal(self._folder, options.sync_ms)
        self._venue = SimulatedVenue(self._state.params)
        self._loop = Loop(
            self._state, self._journal, self._venue, recovery.models, self._watchers(),
            self._journal.write,
        )  # fmt: skip

    def _watchers(self) -> list[Watcher]:
        watchers: list[Watcher] = []
        if self._projector is not None:
            self._projector.before_flush = self._journal.sync
            watchers.append(self._projector.watch)
        if self._learns:
            watchers.append(self._learner.watch)
        state, release_unused = self._state, self._swap.release_unused
        watchers.append(lambda _seq, _event, effects: release_unused(state, effects))
        return watchers

    def complete(self, journaled: RunSetup | None, hashes: dict[str, str]) -> RunEnd:
        """Feed all instants that the state has not seen; close everything.

        journaled : the setup with which the run was started before; None: it starts now.
        """
        try:
            self._begin(journaled, hashes)
            with self._timing.feeding():
                first, end = self._feed()
                self._save()
                if self._projector is not None:
                    self._projector.flush()
        finally:
            self._learner.close()
            self._swap.close()
            self._journal.close()
        feed = self._plan.feed
        return RunEnd(
            self._plan.setup.environment,
            self._folder,
            self._state.now_ms >= int(feed.close_ms[-1]),
            journaled is not None,
            end - first,
            int(feed.present[first:end, : feed.n_instruments].sum()),
            self._timing.seconds,
            self._timing.feeding_s,
            self._timing.code_s,
            self._timing.waited_s,
        )

    def _begin(self, journaled: RunSetup | None, hashes: dict[str, str]) -> None:
        """Journal the start, and finish what a crash interrupted."""
        if self._learns:
            self._show_journal_to_learner()
        if self._unanswered is not None:
            self._loop.finish(self._unanswered)
        state = self._state
        self._venue.adopt(open_orders(state))
        overdue = overdue_answers(state)
        if journaled is None:
            self._loop.process(RunStarted(self._plan.setup))
        elif overdue or state.now_ms < int(self._plan.feed.close_ms[-1]):
            self._loop.process(EngineStarted(hashes, state.seq))
        for event in overdue:
            self._loop.process(event)

    def _show_journal_to_learner(self) -> None:
        for entry in entries(self._folder):
            if entry.effects_raw is not None:
                self._learner.watch(entry.seq, entry.event, entry.effects)

    def _feed(self) -> tuple[int, int]:
        """Feed every instant that the state has not seen; return their rows (first, end)."""
        plan, feed, state, options = self._plan, self._plan.feed, self._state, self._options
        first = t = int(feed.close_ms.searchsorted(state.now_ms, side="right"))
        next_snapshot = state.seq + options.snapshot_events
        options.progress(t, len(feed))
        while t < len(feed) and not options.stopped():
            if self._learns and not self._process_learner_events(int(feed.close_ms[t])):
                break
            published = plan.series_event(t)
            if published is not None and not is_folded(state, published):
                self._loop.process(published)
            self._prefetch.advance(state, t)
            self._loop.instant(feed, t, plan.warming(t))
            t += 1
            if state.seq >= next_snapshot:
                self._save()
                next_snapshot = state.seq + options.snapshot_events
            if t % PROGRESS_INSTANTS == 0:
                options.progress(t, len(feed))
        options.progress(t, len(feed))
        return first, t

    def _process_learner_events(self, close_ms: int) -> bool:
        """Process what the learner has due before an instant; False: the run was stopped."""
        try:
            with self._timing.waiting():
                events = self._learner.due(close_ms)
        except PoolInterrupted:
            return False
        for event in events:
            self._loop.process(self._swap.admitted(event, self._state))
        return True

    def _save(self) -> None:
        self._journal.sync()  # a snapshot is never of a later moment than the journal
        save_snapshot(self._folder, self._state.seq, snapshot(self._state))
