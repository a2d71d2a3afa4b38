"""A run over stored candles in virtual time: start it, stop it, resume it, finish it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ares.adapters.simulated_venue import SimulatedVenue
from ares.adapters.worker_pool import PoolInterrupted
from ares.core.models import Models, Scorers
from ares.core.orders import nonce_after
from ares.core.snapshot import snapshot
from ares.core.stretch import INSTANTS_MAX, StretchSteps
from ares.domain.errors import ExternalError
from ares.domain.events import BarsClosed, Effect, EngineStarted, Event, RunStarted
from ares.domain.model import Ensemble
from ares.domain.order_events import EventRefused, Stopping
from ares.domain.run import RunSetup
from ares.journal.lock import Lock
from ares.journal.run import RunJournal, entries, setup_of
from ares.journal.snapshots import save_snapshot
from ares.kernel.features.user import UserFeatures
from ares.runtime.engine.code_version import code_hashes
from ares.runtime.engine.history_inputs import HistoryInputs, require_same
from ares.runtime.engine.history_market import HistoryMarket, VirtualClock, open_orders
from ares.runtime.engine.hot_swap import HotSwap, Opener
from ares.runtime.engine.learner_events import LearnerEvents, NoLearner
from ares.runtime.engine.loop import Loop, StretchWatcher, Watcher
from ares.runtime.engine.plan import RunPlan
from ares.runtime.engine.prefetch import Prefetch
from ares.runtime.engine.quiet import frozen_heap
from ares.runtime.engine.recovery import RecoveredRun, Recovery
from ares.runtime.engine.series import is_folded
from ares.runtime.engine.tables import NO_TABLES, Tables
from ares.runtime.engine.timing import RunTiming
from ares.runtime.engine.upgrade import newest_hashes

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
    remarks : what a person should know of this start, each in one line.
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
    remarks: tuple[str, ...] = ()

    @property
    def bars_per_s(self) -> float:
        """Return the engine's speed, without compiling and without waiting for trainings."""
        return self.bars / max(self.feeding_seconds, 1e-9)


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a run is carried out; nothing here changes what it does.

    sync_ms  : appended records reach the disk after this long at the latest.
    snapshot_events : events between two snapshots.
    stopped  : called between instants and stretches of them; True stops the run cleanly, to be
               resumed later. A learner that the run waits for calls it too, and ends its training.
    stretch_instants : in one stretch at most; 0: one instant after the other.
    """

    sync_ms: int = 50
    snapshot_events: int = 20_000
    progress: Progress = lambda _done, _total: None
    stopped: Callable[[], bool] = lambda: False
    stretch_instants: int = INSTANTS_MAX


DEFAULT_OPTIONS = RunOptions()


def run_history(
    plan: RunPlan,
    scorers: Scorers,
    folder: Path,
    start_tables: Callable[[], Tables] | None,
    options: RunOptions = DEFAULT_OPTIONS,
    *,
    user: UserFeatures | None = None,
    learner: LearnerEvents | None = None,
    open_ensemble: Opener | None = None,
) -> RunEnd:
    """Run ``plan`` in ``folder``, or resume the run that was started there.

    scorers : by package hash, of the ensembles in the plan.
    start_tables : starts what writes the tables while the run goes on; None: nothing does. The run
              ends when they have all of it.
    user    : the user's own features that the plan was made with.
    learner : publishes models during the run; None: nothing does.
    open_ensemble : opens what is published, or was before the run was interrupted.

    Raises UserError where the run was made with other features of the user's own, or one fails;
    ExternalError where another engine has the folder, or the journal is damaged or cannot be
    written.
    """
    lock, timing = Lock(folder), RunTiming()
    tables: Tables = NO_TABLES
    try:
        if start_tables is not None:
            tables = start_tables()
        with timing.listening():
            prefetch = Prefetch(scorers, plan.feed, history=plan.history, ahead=True)
            models = Models(prefetch.scorers, None if user is None else user.step)
            swap = HotSwap(prefetch, open_ensemble or _open_nothing)
            recovery = Recovery(folder, swap, models)
            setup, first = setup_of(folder), snapshot(plan.state)
            if setup is None:
                recovered = recovery.start(plan.setup, first)
            else:
                changed = require_same(setup, plan.setup, newest_hashes(folder, setup), folder)
                inputs = partial(HistoryInputs, plan, folder, prefetch)
                recovered = recovery.resume(setup, first, inputs, changed)
            run = _HistoryRun(
                plan, prefetch, swap, recovery, recovered, learner or NoLearner(), options, timing,
                tables,
            )  # fmt: skip
            return run.complete(setup, code_hashes(user))
    finally:
        tables.stop(wait=False)
        lock.release()


def _open_nothing(ensemble: Ensemble) -> Scorers:
    """Refuse an ensemble where there is no store to open it from."""
    raise ExternalError(f"ensemble {ensemble.hash[:12]} is not among the models of this run")


class _HistoryRun:
    """One start of a run: recovered, then fed until it ends or is stopped."""

    def __init__(
        self,
        plan: RunPlan,
        prefetch: Prefetch,
        swap: HotSwap,
        recovery: Recovery,
        recovered: RecoveredRun,
        learner: LearnerEvents,
        options: RunOptions,
        timing: RunTiming,
        tables: Tables,
    ) -> None:
        self._plan, self._folder = plan, recovery.folder
        self._prefetch, self._swap = prefetch, swap
        self._learner, self._options, self._timing = learner, options, timing
        self._state, self._tables = recovered.state, tables
        self._recovered, self._unanswered = recovered, recovered.unanswered
        self._hashes = recovered.hashes
        self._learns = not isinstance(learner, NoLearner)
        self._swap.load_all(self._state)
        self._prefetch.restart()  # what was computed while the journal was read may not hold
        self._journal = RunJournal(self._folder, options.sync_ms, end=recovered.end)
        inbox = deque[Event]()
        self._clock = VirtualClock(self._state.at_ms)
        n = self._state.setup.n_instruments
        self._venue = SimulatedVenue(self._state.params, n, inbox.append, self._clock.now_ms)
        self._loop = Loop(
            self._state, self._journal, self._venue, recovery.models, self._clock, inbox,
            self._watchers(), self._journal.write, self._stretch_watchers(),
        )  # fmt: skip
        self._market = HistoryMarket(self._loop, self._venue, self._clock)
        self._steps = StretchSteps(self._state, recovery.models, ends_with_trade=self._learns)

    def _watchers(self) -> list[Watcher]:
        watchers: list[Watcher] = []
        if self._learns:
            watchers.append(self._learner.watch)
        state, release_unused = self._state, self._swap.release_unused
        watchers.append(lambda _seq, _event, effects: release_unused(state, effects))
        watchers.append(self._watch_refused_bars)
        return watchers

    def _watch_refused_bars(self, _seq: int, event: Event, effects: list[Effect]) -> None:
        """Have rows computed anew that were computed with a bar which the engine has refused."""
        if type(event) is BarsClosed:
            for effect in effects:
                if type(effect) is EventRefused:
                    self._prefetch.restart()

    def _stretch_watchers(self) -> list[StretchWatcher]:
        watchers: list[StretchWatcher] = []
        if self._learns:
            watchers.append(self._learner.watch_stretch)
        return watchers

    def complete(self, journaled: RunSetup | None, hashes: dict[str, str]) -> RunEnd:
        """Feed all instants that the state has not seen; close everything.

        journaled : the setup with which the run was started before; None: it starts now.
        """
        try:
            self._begin(journaled, hashes)
            with frozen_heap(), self._timing.feeding():
                first, end = self._feed()
                if end < len(self._plan.feed):
                    self._loop.process(Stopping(self._clock.now_ms()))
                self._journal.write()
                self._tables.finish()
                self._save(is_kept=True)
                remark = self._tables.stop(wait=True)
        finally:
            self._learner.close()
            self._swap.close()
            self._prefetch.close()
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
            (*self._recovered.remarks, *filter(None, [remark])),
        )

    def _begin(self, journaled: RunSetup | None, hashes: dict[str, str]) -> None:
        """Journal the start, and finish what a crash interrupted."""
        if self._learns:
            self._show_journal_to_learner()
        if self._unanswered is not None:
            self._clock.advance(self._unanswered.at_ms)
            self._loop.finish(self._unanswered)
        state = self._state
        held = [int(lots) for lots in state.trade.book["position_lots"]]
        self._venue.adopt(open_orders(state), held)
        if journaled is None:
            self._loop.process(RunStarted(self._plan.setup))
        elif state.now_ms < int(self._plan.feed.close_ms[-1]):
            nonce = nonce_after(journaled.nonce, state.seq)
            upgrade = self._recovered.upgrade
            restarted = () if upgrade is None else upgrade.restarted
            self._hashes = hashes
            self._loop.process(EngineStarted(hashes, state.seq, nonce, restarted))

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
            before, warming = t, plan.warming(t)
            self._market.before_close(feed, t, warming)
            n = 0 if warming else self._stretch(t)
            if n == 0:
                self._market.close(feed, t, warming)
            t += max(n, 1)
            if state.seq >= next_snapshot:
                self._save()
                next_snapshot = state.seq + options.snapshot_events
            if t // PROGRESS_INSTANTS > before // PROGRESS_INSTANTS:
                options.progress(t, len(feed))
        options.progress(t, len(feed))
        return first, t

    def _stretch(self, t: int) -> int:
        """Process the closes of rows from ``t`` on at once; return how many: 0, if ``t`` is for
        itself.
        """
        plan, most = self._plan, self._options.stretch_instants
        if most == 0:
            return 0
        known = self._prefetch.known(self._state)
        if known is None:
            return 0
        until_ms = min(self._learner.quiet_until_ms(), plan.quiet_until_ms(t))
        if t + most < len(plan.feed):
            until_ms = min(until_ms, int(plan.feed.close_ms[t + most]))
        return self._market.stretch(self._steps, known, t, until_ms)

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

    def _save(self, *, is_kept: bool = False) -> None:
        self._journal.sync()  # a snapshot is never of a later moment than the journal
        state, position = self._state, self._journal.position
        save_snapshot(
            self._folder, state.seq, snapshot(state), position, state.setup, hashes=self._hashes,
            is_kept=is_kept,
        )  # fmt: skip
