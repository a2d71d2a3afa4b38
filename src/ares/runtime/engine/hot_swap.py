"""The hot swap: a published ensemble is loaded, verified, warmed and tried before it is served."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ares.core.state import Scorer, Scorers, State
from ares.domain.errors import AresError
from ares.domain.events import DecisionMade, Effect, Event
from ares.domain.model import Ensemble
from ares.domain.model_events import ModelPublished, ModelRefused, SlotChanged, SlotChangeRefused
from ares.domain.timeframe import Timeframe
from ares.kernel.features import N_FEATURES
from ares.learn.series import with_missing
from ares.runtime.engine.prefetch import Prefetch

ROWS_TRIED = 64

Opener = Callable[[Ensemble], Scorers]
"""Loads every package of an ensemble from our own disk, byte by byte verified, and opens it."""


RecentRows = dict[Timeframe, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class PreparedEnsemble:
    """An ensemble's models, tried; or in ``doubt`` why they cannot be served."""

    opened: Scorers
    doubt: str


class HotSwap:
    """The models that the engine serves: who comes is tried first, who has gone is let go.

    Nothing here changes what the engine does: an ensemble is served from the event on with which
    ``step`` seats it, and one that fails becomes an event that says so.
    """

    def __init__(self, prefetch: Prefetch, open_ensemble: Opener) -> None:
        self._prefetch = prefetch
        self._open = open_ensemble
        self._beside: dict[str, Future[PreparedEnsemble]] = {}
        self._thread: ThreadPoolExecutor | None = None
        self._gone: list[Scorer] = []

    def begin(self, ensemble: Ensemble, state: State) -> Future[PreparedEnsemble]:
        """Load and try an ensemble beside the loop, on rows as they are now; ``ready`` then only
        seats it. The engine goes on serving whom it serves.
        """
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "hot-swap")
        rows = recent_rows(state)
        future = self._thread.submit(prepare, self._open, ensemble, rows)
        self._beside[ensemble.hash] = future
        return future

    def ready(self, event: Event, state: State) -> Event:
        """Return the event as it may be journaled: a model that cannot be served is refused.

        Events of other kinds pass.
        """
        if not isinstance(event, ModelPublished):
            return event
        begun = self._beside.pop(event.ensemble.hash, None)
        if begun is None:
            found = prepare(self._open, event.ensemble, recent_rows(state))
        else:
            found = begun.result()
        if found.doubt:
            return ModelRefused(event.ts_ms, event.instrument, event.ensemble.hash, found.doubt)
        self._prefetch.take(found.opened)
        return event

    def close(self) -> None:
        """End the thread beside the loop."""
        if self._thread is not None:
            self._thread.shutdown()

    def load(self, ensemble: Ensemble) -> None:
        """Serve an ensemble that was tried before, as a journal says.

        Raises UserError or ExternalError where it is not what it was.
        """
        wanted = {member.package_hash for member in ensemble.members}
        if not wanted <= self._prefetch.scorers.keys():
            self._prefetch.take(self._open(ensemble))

    def load_all(self, state: State) -> None:
        """Serve everything that sits in a lane of a state, or may come back to one."""
        for ensemble in (*(slot.ensemble for slot in state.lanes), *state.previous):
            if ensemble is not None:
                self.load(ensemble)

    def settle(self, state: State, effects: Sequence[Effect]) -> None:
        """Let go of the models that no lane needs any more, after slots have moved.

        To end a session takes some tenths of a millisecond: one a bar, not all at once.
        """
        if len(effects) == 1 and not self._gone and type(effects[0]) is DecisionMade:
            return  # a bar on which nothing happened: nearly all
        if any(isinstance(effect, SlotChanged | SlotChangeRefused) for effect in effects):
            self._gone += self._prefetch.keep(needed(state))
        elif self._gone:
            self._gone.pop()


def needed(state: State) -> set[str]:
    """Return the packages of everybody in a lane, and of those who may come back."""
    ensembles = [*(slot.ensemble for slot in state.lanes), *state.previous]
    return {member.package_hash for one in ensembles if one is not None for member in one.members}


def prepare(open_ensemble: Opener, ensemble: Ensemble, rows: RecentRows) -> PreparedEnsemble:
    """Return the ensemble's models loaded, verified, warmed and tried, or what is wrong with it.

    Asked are the newest complete bars of all instruments, and the same a little off, so that a
    constant is told from a model that has nothing to say just now.
    """
    try:
        opened = open_ensemble(ensemble)
    except AresError as error:
        return PreparedEnsemble({}, str(error))
    constant = []
    for member in ensemble.members:
        if member.timeframe not in rows:
            return PreparedEnsemble({}, f"the engine makes no {member.timeframe} bars")
        scorer = opened[member.package_hash]
        doubt = _doubt_of(scorer, rows[member.timeframe])
        if doubt:
            return PreparedEnsemble({}, f"{member.name}/{member.version} {doubt}")
        constant.append(_is_constant(scorer(rows[member.timeframe])))
    if all(constant):
        return PreparedEnsemble(
            {}, "every member says one and the same of every row: constants, no models"
        )
    return PreparedEnsemble(opened, "")


def recent_rows(state: State) -> RecentRows:
    """Return rows to try a model on, for each timeframe."""
    return {timeframe: _recent(state, j) for j, timeframe in enumerate(state.setup.timeframes)}


def _recent(state: State, j: int) -> NDArray[np.float32]:
    """Return the newest warm rows of a timeframe, then rows drawn around them; where the run has
    external series, all of them again as they are without.
    """
    priced = N_FEATURES + len(state.setup.user_features)
    warm = state.last_warm[:, j] & np.isfinite(state.features[:, j, :priced]).all(axis=1)
    rows = state.features[warm, j]
    draw = np.random.default_rng(0).standard_normal((ROWS_TRIED, state.features.shape[2]))
    if len(rows):
        near = rows[np.arange(ROWS_TRIED) % len(rows)]
        draw = near + draw * (np.abs(near) + 0.1)
    rows = np.concatenate((rows, draw)).astype(np.float32)
    return with_missing(rows, state.setup.series)


def _doubt_of(scorer: Scorer, rows: NDArray[np.float32]) -> str:
    try:
        p = scorer(rows)
    except Exception as error:  # whatever a runtime raises on a graph that it cannot run
        return f"cannot score rows ({str(error).splitlines()[0] if str(error) else error!r})"
    if p.shape != (len(rows),):
        return f"gives {p.size} numbers for {len(rows)} rows"
    if not np.isfinite(p).all():
        return f"gives {int((~np.isfinite(p)).sum())} of {len(rows)} answers that are no number"
    if p.min() < 0.0 or p.max() > 1.0:
        return f"gives values from {p.min():.4g} to {p.max():.4g}: no probabilities"
    if scorer(rows[:1])[0] != p[0]:
        return "answers a row otherwise when it is asked alone"
    return ""


def _is_constant(p: NDArray[np.float64]) -> bool:
    return math.isclose(float(p.min()), float(p.max()), abs_tol=1e-9)
