"""A run over stored candles in virtual time: start it, stop it, take it up again, finish it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from ares.adapters.simulated_venue import SimulatedVenue
from ares.core.state import Scorers, State, restore, snapshot
from ares.core.step import step
from ares.domain.errors import WorldTrouble
from ares.domain.events import EngineStarted, RunStarted
from ares.domain.run import RunSetup
from ares.journal.log import Lock, segments
from ares.journal.run import (
    Entry,
    RunJournal,
    encode_effects,
    entries,
    load_snapshot,
    save_snapshot,
    setup_of,
)
from ares.runtime.loop import Loop, open_orders
from ares.runtime.plan import Plan, code_hashes, same_run
from ares.runtime.prefetch import Prefetch
from ares.store.projections import Projector

PROGRESS_INSTANTS = 256

Progress = Callable[[int, int], None]
"""Is told (instants done, instants in all)."""


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run over history ended.

    finished : False when it was stopped before its last instant; ``seconds`` of this start only.
    """

    environment: str
    folder: Path
    finished: bool
    resumed: bool
    instants: int
    bars: int
    seconds: float


def run_history(
    plan: Plan,
    models: Scorers,
    folder: Path,
    database: Engine | None,
    *,
    sync_ms: int = 50,
    snapshot_events: int = 20_000,
    progress: Progress | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> RunEnd:
    """Run ``plan`` in ``folder``; where the run was begun before, go on where it stopped.

    models  : a scorer per package hash.
    stopped : asked between instants; True ends the run cleanly, to be taken up later.
    Raises WorldTrouble: another engine is in the folder, the journal is damaged or cannot be
    written, or the run was begun by another version of the code.
    """
    lock = Lock(folder)
    try:
        return _run(
            plan, models, folder, database, sync_ms, snapshot_events, progress, stopped
        )  # fmt: skip
    finally:
        lock.release()


def _run(
    plan: Plan, models: Scorers, folder: Path, database: Engine | None, sync_ms: int,
    snapshot_events: int, progress: Progress | None, stopped: Callable[[], bool],
) -> RunEnd:  # fmt: skip
    begun = time.perf_counter()
    prefetch = Prefetch(models, plan.feed)
    projector = None if database is None else Projector(database, plan.setup)
    state, resumed = plan.state, bool(segments(folder))
    unanswered: Entry | None = None
    if resumed:
        state, unanswered = _recover(plan, prefetch, folder, projector)
    else:
        save_snapshot(folder, 0, snapshot(state))
    journal = RunJournal(folder, sync_ms)
    venue = SimulatedVenue(state.rules, state.specs)
    watchers = () if projector is None else (projector.watch,)
    loop = Loop(state, journal, venue, prefetch.scorers, watchers)
    try:
        if unanswered is not None:
            loop.answer(unanswered)
        venue.adopt(open_orders(state))
        if not resumed:
            loop.process(RunStarted(plan.setup))
        elif state.now_ms < plan.setup.to_ms and state.now_ms < int(plan.feed.close_ms[-1]):
            loop.process(EngineStarted(code_hashes(), state.seq))
        done = _instants(plan, loop, prefetch, folder, snapshot_events, progress, stopped)
        save_snapshot(folder, state.seq, snapshot(state))
    finally:
        journal.close()
        if projector is not None:
            projector.flush()
    feed = plan.feed
    return RunEnd(
        plan.setup.environment,
        folder,
        state.now_ms >= int(feed.close_ms[-1]),
        resumed,
        done[1] - done[0],
        int(feed.present[done[0] : done[1]].sum()),
        time.perf_counter() - begun,
    )


def _instants(
    plan: Plan, loop: Loop, prefetch: Prefetch, folder: Path, snapshot_events: int,
    progress: Progress | None, stopped: Callable[[], bool],
) -> tuple[int, int]:  # fmt: skip
    """Feed every instant that the state has not seen; return the rows (first, end) fed now."""
    feed, state = plan.feed, loop.state
    first = t = int(feed.close_ms.searchsorted(state.now_ms, side="right"))
    warming_until = plan.setup.from_ms
    next_snapshot = state.seq + snapshot_events
    while t < len(feed) and not stopped():
        prefetch.reach(state, t)
        loop.instant(feed, t, warming=int(feed.close_ms[t]) <= warming_until)
        t += 1
        if state.seq >= next_snapshot:
            save_snapshot(folder, state.seq, snapshot(state))
            next_snapshot = state.seq + snapshot_events
        if progress is not None and t % PROGRESS_INSTANTS == 0:
            progress(t, len(feed))
    if progress is not None:
        progress(t, len(feed))
    return first, t


def _recover(
    plan: Plan, prefetch: Prefetch, folder: Path, projector: Projector | None
) -> tuple[State, Entry | None]:
    """Return the state at the journal's end: newest snapshot, tail stepped again and compared.

    The entry is the last event where a crash came before its effects were journaled.
    """
    setup = setup_of(folder)
    if setup is None:
        raise WorldTrouble(f"journal {folder} has no first event: start a new run (--run NAME)")
    check_same(setup, plan.setup, folder)
    found = load_snapshot(folder)
    state = plan.state if found is None else restore(setup, found[1])
    unanswered = None
    for entry in entries(folder):
        if projector is not None and entry.effects_raw is not None:
            projector.watch(entry.seq, entry.event, entry.effects)
        if entry.seq <= state.seq:
            continue
        if entry.effects_raw is None:
            unanswered = entry
            continue
        effects = step(state, entry.event, prefetch.scorers)
        if encode_effects(entry.seq, effects) != entry.effects_raw:
            raise WorldTrouble(
                f"journal {folder}: event {entry.seq} steps to other effects than were journaled:"
                " run `ares restep` to see them; nothing was changed"
            )
    return state, unanswered


def check_same(journaled: RunSetup, planned: RunSetup, folder: Path) -> None:
    """Raise WorldTrouble where a run cannot be taken up by this code with these models."""
    for name in ("kernel", "features", "engine"):
        if journaled.hashes.get(name) != planned.hashes.get(name):
            raise WorldTrouble(
                f"{folder.name} was begun by another version of Ares ({name} differs): finish it"
                " with that version, or start a new run with --run NAME"
            )
    if not same_run(journaled, planned):
        raise WorldTrouble(
            f"{folder.name} was begun with other candles, models or settings: start a new run"
            " with --run NAME"
        )
