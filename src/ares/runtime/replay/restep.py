"""Re-step: a journal's events through ``step`` again; the effects must be the same bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ares.core.models import Models, Scorers
from ares.core.orders import IllegalTransition
from ares.core.snapshot import restore
from ares.core.state import State
from ares.core.step import step
from ares.domain.errors import ExternalError, UserError
from ares.domain.events import BarsClosed, SeriesPublished
from ares.domain.model_events import ModelPublished
from ares.domain.run import RunSetup
from ares.journal.run import (
    JournalEntry,
    JournalReader,
    decode_effects,
    encode_effects,
    journaled_now,
    load_snapshot,
    setup_of,
)
from ares.kernel.features.user import UserFeatures
from ares.runtime.engine.code_version import changed_code, named_changes
from ares.runtime.engine.feed import ClosedBars
from ares.runtime.engine.hot_swap import HotSwap, Opener
from ares.runtime.engine.prefetch import Prefetch
from ares.runtime.engine.series import history_of_events


@dataclass(frozen=True, slots=True)
class RestepResult:
    """The result of re-stepping a journal; ``first`` is the first mismatch in full."""

    environment: str
    events: int
    compared: int
    mismatches: int
    first: dict[str, Any] | None


def open_run(folder: Path) -> RunSetup:
    """Return the setup of a run; raise UserError where there is no such run."""
    setup = setup_of(folder) if folder.is_dir() else None
    if setup is None:
        raise UserError(f"no run '{folder.name}': `ares run --env history` makes one")
    return setup


def require_same_code(setup: RunSetup) -> None:
    """Raise UserError, in one line, where a run was made by other code: what this code computes
    cannot be compared with its journal.
    """
    changed = changed_code(setup.hashes)
    if changed:
        raise UserError(
            f"{setup.environment} was made by another version of Ares "
            f"({named_changes(changed)}): certify and re-step it with that version; "
            "`ares why` and `ares models ab` read its journal"
        )


def first_state(folder: Path, setup: RunSetup) -> State:
    """Return the state before the run's first event, from its first snapshot."""
    found = load_snapshot(folder, seq_max=0)
    if found is None or hashlib.sha256(found[1]).hexdigest() != setup.first_state:
        raise ExternalError(
            f"{folder}: the first snapshot is missing or damaged: restore it from a backup"
        )
    return _restored(folder, setup, found[1])


def nearest_state(folder: Path, setup: RunSetup, seq_max: int) -> State:
    """Return the newest snapshot's state at or before ``seq_max``."""
    found = load_snapshot(folder, seq_max)
    if found is None:
        raise ExternalError(
            f"{folder}: no whole snapshot at or before event {seq_max}: restore it from a backup"
        )
    return _restored(folder, setup, found[1])


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
    """Step every event of a run again and compare the effects byte by byte.

    user          : the user's own features, where the run has any.
    open_ensemble : opens the ensembles that were published during the run.
    An event that cannot follow (its order was never sent) is a mismatch, and the last one.
    """
    setup = open_run(folder)
    state = first_state(folder, setup)
    journaled = journaled_now(folder)
    events = compared = mismatches = 0
    first: dict[str, Any] | None = None
    for entry, raw in stepping(state, setup, journaled, scorers, user, open_ensemble):
        events = sum(1 for _ in journaled) if isinstance(raw, IllegalTransition) else events + 1
        if entry.effects_raw is None:
            continue
        compared += 1
        if raw != entry.effects_raw:
            mismatches += 1
            first = first or {
                "seq": entry.seq,
                "event": msgspec.to_builtins(entry.event),
                "journaled": msgspec.to_builtins(entry.effects),
                "stepped": str(raw)
                if isinstance(raw, IllegalTransition)
                else msgspec.to_builtins(decode_effects(raw)),
            }
    return RestepResult(setup.environment, events, compared, mismatches, first)


def stepping(
    state: State,
    setup: RunSetup,
    journaled: JournalReader,
    scorers: Scorers,
    user: UserFeatures | None = None,
    open_ensemble: Opener | None = None,
) -> Iterator[tuple[JournalEntry, bytes | IllegalTransition]]:
    """Step the entries after the state's seq; yield each with its encoded effects. An event that
    cannot follow is the last, with the error.
    """
    from_seq, closings, published = state.seq, ClosedBars(), list[SeriesPublished]()
    for entry in journaled:
        if isinstance(entry.event, BarsClosed) and entry.seq > from_seq:
            closings.add(entry.event)
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
        if isinstance(entry.event, BarsClosed):
            prefetch.advance(state, t)
            t += 1
        elif isinstance(entry.event, ModelPublished) and swap is not None:
            swap.load(entry.event.ensemble)
        try:
            effects = step(state, entry.event, models)
        except IllegalTransition as error:
            yield entry, error
            return
        if swap is not None:
            swap.release_unused(state, effects)
        yield entry, encode_effects(entry.seq, effects)
