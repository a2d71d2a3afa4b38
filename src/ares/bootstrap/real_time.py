"""The engine in real time, composed: with virtual money, or on an account at a venue."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ares.bootstrap.real_time_plan import RealTimeRequest, VenueAccount, real_time_plan
from ares.bootstrap.tables import start_tables
from ares.bootstrap.values import user_features
from ares.config.workspace import Workspace

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from ares.core.models import Models
    from ares.core.state import State
    from ares.domain.events import BarsClosed, Event
    from ares.domain.run import RunSetup
    from ares.kernel.features.observations import SeriesHistory
    from ares.ports import Feed
    from ares.runtime.engine.bar_panel import BarPanel
    from ares.runtime.engine.clocks import RunningClock
    from ares.runtime.engine.command_source import DatabaseCommands
    from ares.runtime.engine.hot_swap import HotSwap
    from ares.runtime.engine.learner_link import LearnerLink
    from ares.runtime.engine.live_run import LiveEnd, LiveRun
    from ares.runtime.engine.plan import RunPlan
    from ares.runtime.engine.recovery import RecoveredRun
    from ares.runtime.engine.status import RecentEvents
    from ares.runtime.engine.venue_engine import RunningVenue

PAPER = "paper"
ENGINE_BEAT = "engine.json"
"""The heartbeat of an environment's engine, in its folder of ``ops/``."""


@dataclass(frozen=True, slots=True)
class RealTimeStart:
    """What a start of the paper engine found, for a person."""

    setup: RunSetup
    resumed: bool
    now_ms: int
    remarks: tuple[str, ...]


def paper_run(
    workspace: Workspace,
    request: RealTimeRequest,
    started: Callable[[RealTimeStart, LiveRun], None] = lambda _start, _run: None,
    say: Callable[[str], None] = lambda _: None,
) -> LiveEnd:
    """Run the paper engine until it is stopped; start it, or continue it.

    started : called once it has recovered, before its first event.
    say     : called with one line for what a person should see.
    """
    return run_in(workspace, PAPER, request, None, started, say)


def run_in(
    workspace: Workspace,
    environment: str,
    request: RealTimeRequest,
    account: VenueAccount | None,
    started: Callable[[RealTimeStart, LiveRun], None],
    say: Callable[[str], None],
) -> LiveEnd:
    """Run the engine of an environment; account: None: a simulated one, with virtual money."""
    from ares.journal.account_lock import AccountLock
    from ares.journal.lock import Lock
    from ares.store.database import open_database

    folder = workspace.journal_dir / environment
    locks: list[Lock | AccountLock] = [Lock(folder, advice="stop it first (`ares stop`)")]
    try:
        if account is not None:
            journals, identity = workspace.journal_dir, account.identity
            locks.append(AccountLock(journals, environment, identity, binds=account.binds))
        database = open_database(workspace.db_url)
        try:
            engine = _RealTime(workspace, request, database, folder, say, environment, account)
            return asyncio.run(engine.run(started))
        finally:
            database.dispose()
    finally:
        for lock in locks:
            lock.release()


@dataclass(frozen=True, slots=True)
class _Recovered:
    """Where a run stands, with the models that it serves and the hashes of its code."""

    recovered: RecoveredRun
    models: Models
    swap: HotSwap
    hashes: dict[str, str]


class _RealTime:
    """One start of an engine in real time."""

    def __init__(
        self,
        workspace: Workspace,
        request: RealTimeRequest,
        database: Engine,
        folder: Path,
        say: Callable[[str], None],
        environment: str = PAPER,
        account: VenueAccount | None = None,
    ) -> None:
        self._environment, self._account = environment, account
        self._workspace, self._request, self._database = workspace, request, database
        self._folder, self._log = folder, say
        self._user = user_features(workspace)
        self._remarks: list[str] = []

    async def run(self, started: Callable[[RealTimeStart, LiveRun], None]) -> LiveEnd:
        """Recover, then run until stopped."""
        from ares.adapters.model_store import ModelStore
        from ares.bootstrap.stopping import clear_when_resumed, prepare_stop, stop_events
        from ares.domain.timeframe import HOUR_MS
        from ares.runtime.engine.live_log import LiveLog
        from ares.runtime.engine.live_run import LiveOptions, clock_set, start_event
        from ares.runtime.engine.paper_engine import paper_engine
        from ares.runtime.engine.quiet import frozen_heap, load_machine_code, raise_priority
        from ares.runtime.engine.status import RecentEvents
        from ares.runtime.engine.venue_engine import venue_engine

        is_new, found = self._recover()
        state, settings = found.recovered.state, self._workspace.settings
        deployment = settings.deployment
        load_machine_code(state, found.models)
        clock = self._clock(found.recovered.at_ms, max(state.now_ms, state.setup.from_ms))
        recent = RecentEvents(state.setup.keys)
        log = LiveLog(state.setup, self._log, HOUR_MS)
        parts = (self._folder, found.recovered, found.models, found.swap, clock)
        sync_ms, watchers = settings.journal.sync_ms, [recent.watch, log.watch]
        venue: RunningVenue | None = None
        sold: Sequence[Event] = ()

        def post(event: Event) -> None:  # of a venue, which exists before the engine
            run.post(event)

        if self._account is None:
            run = paper_engine(*parts, sync_ms, watchers, say=self._log)
        else:
            venue, sold = await self._account.connect(state, clock, post, self._log)
            options = LiveOptions(withdraws=settings.kill.cancel_entries_on_stop)
            run = venue_engine(*parts, venue, sync_ms, watchers, options, self._log)
        commands = self._commands(run, recent, clock)
        run.answer_to(commands.answer)
        run.publish_from(ModelStore(self._workspace.models_dir).ensemble)
        warm = self._warm_events(state.setup, state.now_ms)
        feed = self._feed(state, clock, max(state.now_ms, state.setup.from_ms), warm)
        nonce = secrets.token_hex(8)
        stopped = stop_events(self._folder, self._environment, state)
        prepare_stop(self._folder, self._request.address, self._log)
        run.watch(clear_when_resumed(self._folder, self._log))
        begin = start_event(found.recovered, is_new, found.hashes, nonce, clock.refused_ms)
        taken = () if is_new else self._taken_over(state)
        before: list[Event] = [clock_set(clock), *sold, *stopped, *taken, *warm]
        tables = start_tables(self._workspace, self._environment, self._log)
        learner = self._learner(run) if state.setup.challenger_lanes else None
        started(RealTimeStart(state.setup, not is_new, clock.now_ms(), tuple(self._remarks)), run)
        raise_priority()
        try:
            with frozen_heap():
                tasks = [
                    lambda: feed.run(run.post),
                    lambda: commands.run(run.post),
                    lambda: self._heartbeat(run, self._workspace.root / deployment.heartbeat_file),
                    lambda: self._heartbeat(run, self._supervised_beat),
                ]
                if venue is not None:
                    tasks.append(venue.run)
                return await run.run([begin, *before], tasks)
        finally:
            found.swap.close()
            if venue is not None:
                await venue.close()
            if learner is not None:
                learner.stop()
            problem = tables.stop(wait=True)
            if problem:
                self._log(problem)

    def _recover(self) -> tuple[bool, _Recovered]:
        """Return whether the run begins now, and where it stands."""
        from ares.core.models import Models
        from ares.core.snapshot import snapshot
        from ares.journal.run import setup_of
        from ares.runtime.engine import served_models as served
        from ares.runtime.engine.code_version import code_hashes
        from ares.runtime.engine.hot_swap import HotSwap
        from ares.runtime.engine.machine_code import compile_beforehand
        from ares.runtime.engine.recovery import Recovery
        from ares.runtime.engine.serving import ServedModels

        setup, plan = setup_of(self._folder), None
        if setup is None:
            plan = self._plan()
            setup = plan.setup
        compile_beforehand(setup)
        models_dir, user = self._workspace.models_dir, self._user
        serving = ServedModels(served.scorers_of(models_dir, setup))
        own = served.features_of_run(models_dir, user, setup)
        models = Models(serving.scorers, None if own is None else own.step)
        swap = HotSwap(serving, served.opener_of(models_dir, self._folder, user, setup))
        recovery = Recovery(self._folder, swap, models)
        if plan is not None:
            recovered = recovery.start(setup, snapshot(plan.state))
        else:
            recovered = recovery.resume(setup, changed=self._changed(setup))
            self._remarks += recovered.remarks
        swap.load_all(recovered.state)
        return plan is not None, _Recovered(recovered, models, swap, code_hashes(own))

    def _taken_over(self, state: State) -> Sequence[Event]:
        """Return what this start takes over from settings and registry; note what it does not."""
        from ares.bootstrap.take_over import taken_over

        found = taken_over(
            self._workspace,
            state,
            self._request.learn,
            secrets.token_hex(8),
            self._request.symbols or (),
        )
        self._remarks += found.remarks
        return found.events

    @property
    def _supervised_beat(self) -> Path:
        return self._workspace.ops_dir(self._environment) / ENGINE_BEAT

    def _heartbeat(self, run: LiveRun, path: Path) -> Coroutine[Any, Any, None]:
        """Return the task that states which champions the engine serves."""
        from ares.runtime.engine.heartbeat import keep_heartbeat
        from ares.runtime.engine.status import served_champions

        return keep_heartbeat(
            path, self._environment, lambda: served_champions(run.state), self._log
        )

    def _learner(self, run: LiveRun) -> LearnerLink:
        """Start the learner's process."""
        import msgspec

        from ares.bootstrap.learner_process import LearnerProcess
        from ares.runtime.engine.learner_link import LearnerLink

        request = LearnerProcess(str(self._workspace.root.resolve()), self._environment)
        return LearnerLink(
            "ares.bootstrap.learner_process", msgspec.json.encode(request), run.post_from_thread,
            self._log,
        )  # fmt: skip

    def _commands(
        self, run: LiveRun, recent: RecentEvents, clock: RunningClock
    ) -> DatabaseCommands:
        """Return the source of people's commands, which also tells that the engine runs."""
        import msgspec

        from ares.runtime.engine.command_source import BUSY_MS, DatabaseCommands
        from ares.runtime.engine.status import engine_status
        from ares.store.database import open_database

        url, encode = self._workspace.db_url, msgspec.json.encode

        def status() -> bytes:
            return encode(engine_status(run.state, recent, clock.now_ms()))

        return DatabaseCommands(
            self._environment, lambda: open_database(url, BUSY_MS), clock, status, clock.speed,
            self._log,
        )  # fmt: skip

    def _plan(self) -> RunPlan:
        """Return the plan of a run that begins."""
        plan, remarks = real_time_plan(
            self._workspace, self._database, self._request, self._environment, self._account,
            self._user, self._clock(0),
        )  # fmt: skip
        self._remarks += remarks
        return plan

    def _changed(self, setup: RunSetup) -> list[str]:
        """Return which parts of Ares have changed since the newest start."""
        from ares.runtime.engine.code_version import changed_code
        from ares.runtime.engine.upgrade import newest_hashes

        return changed_code(newest_hashes(self._folder, setup))

    def _clock(self, at_ms: int, begin_ms: int = 0) -> RunningClock:
        """Return the clock of the feed.

        at_ms : of the journal: no clock is set before it. begin_ms: where stored candles begin.
        """
        from ares.bootstrap.venue_feed import rehearsal_clock
        from ares.runtime.engine.clocks import RunningClock
        from ares.venues.ccxt_setup import SANDBOX

        address = self._request.address
        if not self._request.stored and address is not None and address != SANDBOX:
            return rehearsal_clock(address, at_ms)
        if not self._request.stored:
            return RunningClock.after(at_ms)
        return RunningClock(begin_ms, self._request.speed)

    def _feed(
        self, state: State, clock: RunningClock, after_ms: int, warm: Sequence[BarsClosed]
    ) -> Feed:
        """Return the feed of what closes after an instant; warm: bars that come before it."""
        from ares.bootstrap.venue_feed import venue_feed
        from ares.runtime.engine.stored_feed import StoredFeed
        from ares.store.series import series_history

        setup = state.setup
        if self._request.stored:
            bars = self._stored(setup, after_ms, self._request.to_ms)
            return StoredFeed(bars, clock, after_ms)
        instruments = [lane.spec.instrument for lane in setup.instruments[: setup.n_instruments]]

        def load_series(known_ms: int) -> SeriesHistory:
            found = series_history(self._database, setup.series, instruments)
            return tuple(rows[rows.known_ms >= known_ms] for rows in found)

        load = load_series if setup.series else None
        memory = self._folder / "silences.msgpack"
        address = self._request.address
        key = None if self._account is None else self._account.key
        return venue_feed(state, clock, after_ms, warm, self._log, address, load, memory, key)

    def _warm_events(self, setup: RunSetup, after_ms: int) -> list[BarsClosed]:
        """Return the bars before the run's window that a state has not seen."""
        after_ms = max(after_ms, setup.warm_ms)
        if after_ms >= setup.from_ms:
            return []
        feed = self._stored(setup, after_ms, setup.from_ms)
        return [feed.event(t, warming=True) for t in range(len(feed))]

    def _stored(self, setup: RunSetup, from_ms: int, to_ms: int | None) -> BarPanel:
        """Return the stored bars of a window, as the engine's feed."""
        from ares.domain.timeframe import Timeframe
        from ares.runtime.engine.bar_panel import panel_of
        from ares.store.candles import CandleStore
        from ares.store.history import filled_bars

        store = CandleStore(self._database, self._workspace.cache_dir)
        lanes = setup.instruments[: setup.n_instruments]
        base_ms = [lane.base_ms for lane in lanes]
        names = {timeframe.ms: timeframe.value for timeframe in Timeframe}
        bars = [
            filled_bars(
                store,
                lane.spec.instrument,
                names[lane.base_ms],
                from_ms,
                None if to_ms is None else to_ms - lane.base_ms + 1,
            )
            for lane in lanes
        ]
        return panel_of(bars, base_ms, [lane.spec for lane in lanes])
