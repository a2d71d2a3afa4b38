"""Re-step: a journal's events through ``step`` again; the effects must be the same bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ares.core.models import Models, Scorers
from ares.core.snapshot import restore, snapshot
from ares.core.state import State
from ares.core.step import step
from ares.domain.errors import ExternalError, UserError
from ares.domain.events import SeriesPublished
from ares.domain.model_events import ModelPublished
from ares.domain.run import RunSetup
from ares.journal.run import (
    JournalEntry,
    JournalReader,
    decode_effects,
    encode_effects,
    setup_of,
)
from ares.journal.snapshots import load_snapshot
from ares.kernel.features.user import UserFeatures
from ares.runtime.engine.bar_panel import ClosedBars
from ares.runtime.engine.hot_swap import HotSwap, Opener
from ares.runtime.engine.prefetch import Prefetch
from ares.runtime.engine.series import history_of_events
from ares.runtime.replay.epochs import RecordedEpoch, recorded_epochs


@dataclass(frozen=True, slots=True)
class RestepResult:
    """The result of re-stepping the epochs of this code; ``first`` is the first mismatch in full.

    epochs : all of the run's. events: in those that were stepped.
    """

    environment: str
    events: int
    compared: int
    mismatches: int
    first: dict[str, Any] | None
    epochs: tuple[RecordedEpoch, ...]


def open_run(folder: Path) -> RunSetup:
    """Return the setup of a run; raise UserError where there is no such run."""
    setup = setup_of(folder) if folder.is_dir() else None
    if setup is None:
        raise UserError(f"no run '{folder.name}': `ares run --env history` makes one")
    return setup


def first_state(folder: Path, setup: RunSetup) -> State:
    """Return the state before the run's first event, from its first snapshot."""
    found = load_snapshot(folder, seq_max=0)
    if found is None or hashlib.sha256(found.state).hexdigest() != setup.first_state:
        raise ExternalError(
            f"{folder}: the first snapshot is missing or damaged: restore it from a backup"
        )
    return _restored(folder, setup, found.state)


def state_before(folder: Path, setup: RunSetup, first_seq: int) -> State:
    """Return the state from which the epoch that begins with ``first_seq`` is computed."""
    return (
        first_state(folder, setup)
        if first_seq == 1
        else nearest_state(folder, setup, first_seq - 1)
    )


def stepped_states(
    state: State,
    setup: RunSetup,
    journal: JournalReader,
    seqs: Sequence[int],
    scorers: Scorers,
    user: UserFeatures | None = None,
    open_ensemble: Opener | None = None,
) -> Iterator[State]:
    """Yield a state after each of these events, oldest first; the journal is stepped once.

    state : where it begins, at or before the first of them; it is stepped itself.
    """
    wanted = iter(seqs)
    seq = next(wanted, None)
    stepped = stepping(state, setup, journal, scorers, user, open_ensemble)
    while seq is not None:
        while state.seq < seq:
            next(stepped)
        yield restore(setup, snapshot(state))
        seq = next(wanted, None)


def nearest_state(folder: Path, setup: RunSetup, seq_max: int) -> State:
    """Return the newest snapshot's state at or before ``seq_max``."""
    found = load_snapshot(folder, seq_max)
    if found is None:
        raise ExternalError(
            f"{folder}: no whole snapshot at or before event {seq_max}: restore it from a backup"
        )
    return _restored(folder, setup, found.state)


def _restored(folder: Path, setup: RunSetup, raw: bytes) -> State:
    try:
        return restore(setup, raw)
    except ValueError as error:
        raise ExternalError(f"{folder.name}: {error}: use that version") from error


def restep(
    folder: Path,
    scorers: Scorers,
    user: UserFeatures | None = None,
    open_ensemble: Opener | None = None,
) -> RestepResult:
    """Step every event of the epochs of this code again and compare the effects byte by byte.

    A run may still go on: its journal is taken as it is now. Raises UserError where no epoch is of
    this code.

    user          : the user's own features, where the run has any.
    open_ensemble : opens the ensembles that were published during the run.
    """
    setup = open_run(folder)
    recorded = recorded_epochs(folder)
    events = compared = mismatches = 0
    first: dict[str, Any] | None = None
    for first_seq, last_seq in recorded.comparable():
        state, journal = state_before(folder, setup, first_seq), JournalReader(folder, last_seq)
        for entry, raw in stepping(state, setup, journal, scorers, user, open_ensemble):
            if entry.seq < first_seq:
                continue
            events += 1
            if entry.effects_raw is None:
                continue
            compared += 1
            if raw != entry.effects_raw:
                mismatches += 1
                first = first or _mismatch(entry, raw)
    return RestepResult(setup.environment, events, compared, mismatches, first, recorded.epochs)


def _mismatch(entry: JournalEntry, raw: bytes) -> dict[str, Any]:
    return {
        "seq": entry.seq,
        "event": msgspec.to_builtins(entry.event),
        "journaled": msgspec.to_builtins(entry.effects),
        "stepped": msgspec.to_builtins(decode_effects(raw)),
    }


def stepping(
    state: State,
    setup: RunSetup,
    journaled: JournalReader,
    scorers: Scorers,
    user: UserFeatures | None = None,
    open_ensemble: Opener | None = None,
) -> Iterator[tuple[JournalEntry, bytes]]:
    """Step the entries after the state's seq; yield each with its encoded effects."""
    from_seq, closings, published = state.seq, ClosedBars(), list[SeriesPublished]()
    rows = set[int]()
    for entry in journaled:
        if entry.seq > from_seq and closings.add(entry):
            rows.add(entry.seq)
        elif isinstance(entry.event, SeriesPublished) and entry.seq > from_seq:
            published.append(entry.event)
    history = history_of_events(published, len(setup.series))
    prefetch = Prefetch(scorers, closings.feed(setup), history=history)
    models = Models(prefetch.scorers, None if user is None else user.step)
    swap = None if open_ensemble is None else HotSwap(prefetch, open_ensemble)
    if swap is not None:
        swap.load_all(state)
    t = 0
    for entry in journaled:
        if entry.seq <= from_seq:
            continue
        if entry.seq in rows:
            prefetch.advance(state, t)
            t += 1
        elif isinstance(entry.event, ModelPublished) and swap is not None:
            swap.load(entry.event.ensemble)
        effects = step(state, entry.event, models, entry.at_ms)
        if swap is not None:
            swap.release_unused(state, effects)
        yield entry, encode_effects(entry.seq, effects)
