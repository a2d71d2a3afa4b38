"""The hot swap: a published ensemble is loaded, verified, warmed up and tried, then served."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ares.core.models import Scorer, Scorers
from ares.core.state import State
from ares.domain.errors import AresError
from ares.domain.events import Effect, Event
from ares.domain.model import Ensemble
from ares.domain.model_events import ModelPublished, ModelRefused, SlotChanged, SlotChangeRefused
from ares.domain.timeframe import Timeframe
from ares.kernel.features import N_FEATURES
from ares.learn.series import with_missing
from ares.runtime.engine.serving import ModelServing
from ares.runtime.registry.model_check import OpenedModel, check_scores, synthetic_rows

ROWS_TRIED = 64
SLOT_FACTS = (SlotChanged, SlotChangeRefused)

Opener = Callable[[Ensemble], Scorers]
"""Loads every package of an ensemble from our own disk, verified byte by byte, and opens it."""

RecentRows = dict[Timeframe, NDArray[np.float32]]

KnownScores = dict[bytes, float]
"""Scores of single rows, by the bytes of the row."""


@dataclass(frozen=True, slots=True)
class PreparedEnsemble:
    """An ensemble's models, tried; or ``error``: why they cannot be served.

    known : the scores that ``scorers`` look up; cleared once the ensemble is in its lane.
    """

    scorers: Scorers
    error: str
    known: Sequence[KnownScores] = ()


class HotSwap:
    """The models that the engine serves: new ones are tried first, unused ones are released.

    Nothing here changes what the engine does: an ensemble is served from the event on with which
    ``step`` assigns it to a lane, and one that fails becomes an event that says so.
    """

    def __init__(self, serving: ModelServing, open_ensemble: Opener) -> None:
        self._serving = serving
        self._open = open_ensemble
        self._prepared: dict[str, Future[PreparedEnsemble]] = {}
        self._thread: ThreadPoolExecutor | None = None
        self._released: list[Scorer] = []
        self._known: list[KnownScores] = []

    def prepare(self, ensemble: Ensemble, state: State) -> Future[PreparedEnsemble]:
        """Load and try an ensemble in a thread, on the rows of now, while the engine goes on;
        ``admitted`` then only serves it.
        """
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "hot-swap")
        rows, newest = recent_rows(state), newest_rows(state, ensemble)
        future = self._thread.submit(prepare, self._open, ensemble, rows, newest)
        self._prepared[ensemble.hash] = future
        return future

    def prepared(self, ensemble: Ensemble) -> Future[PreparedEnsemble] | None:
        """Return what ``prepare`` has begun for an ensemble; None: nothing."""
        return self._prepared.get(ensemble.hash)

    def admitted(self, event: Event, state: State) -> Event:
        """Return the event to journal: ``ModelRefused`` for a model that cannot be served.

        Events of other kinds are returned as they are.
        """
        if not isinstance(event, ModelPublished):
            return event
        started = self._prepared.pop(event.ensemble.hash, None)
        if started is None:
            rows, newest = recent_rows(state), newest_rows(state, event.ensemble)
            prepared = prepare(self._open, event.ensemble, rows, newest)
        else:
            prepared = started.result()
        if prepared.error:
            return ModelRefused(event.ts_ms, event.instrument, event.ensemble.hash, prepared.error)
        self._serving.add(prepared.scorers)
        self._known += prepared.known
        return event

    def close(self) -> None:
        """End the thread."""
        if self._thread is not None:
            self._thread.shutdown()

    def load(self, ensemble: Ensemble) -> None:
        """Serve an ensemble that was tried before, according to a journal.

        Raises UserError or ExternalError where its files have changed.
        """
        needed = {member.package_hash for member in ensemble.members}
        if not needed <= self._serving.scorers.keys():
            self._serving.add(self._open(ensemble))

    def load_all(self, state: State) -> None:
        """Serve every ensemble in a lane of a state, and those that a rollback may restore."""
        for ensemble in _ensembles(state):
            self.load(ensemble)

    def release_unused(self, state: State, effects: Sequence[Effect]) -> None:
        """Release the models that no lane needs, after slots have changed.

        Ending a session takes some tenths of a millisecond: one a bar, not all at once.
        """
        for effect in effects:
            if type(effect) in SLOT_FACTS:
                self._released += self._serving.retain(packages_needed(state))
                for known in self._known:  # the lane has its first scores
                    known.clear()
                self._known.clear()
                return
        if self._released:
            self._released.pop()


def packages_needed(state: State) -> set[str]:
    """Return the packages of all ensembles in a lane, and of those a rollback may restore."""
    return {m.package_hash for ensemble in _ensembles(state) for m in ensemble.members}


def _ensembles(state: State) -> list[Ensemble]:
    ensembles = [*(slot.ensemble for slot in state.slots), *state.previous_champions]
    return [ensemble for ensemble in ensembles if ensemble is not None]


def prepare(
    open_ensemble: Opener, ensemble: Ensemble, rows: RecentRows, newest: RecentRows
) -> PreparedEnsemble:
    """Return the ensemble's models loaded, verified, warmed up and tried, or what is wrong.

    newest : rows whose scores ``step`` will ask for, if no bar closes until then.

    They score the newest complete bars of all instruments and rows drawn around them, so that a
    constant model is distinguished from one without a signal at the moment.
    """
    try:
        scorers = open_ensemble(ensemble)
        models, model_rows = [], []
        for member in ensemble.members:
            if member.timeframe not in rows:
                return PreparedEnsemble({}, f"the engine makes no {member.timeframe} bars")
            ref = f"{member.name}/{member.version}"
            models.append(OpenedModel(ref, scorers[member.package_hash]))
            model_rows.append(rows[member.timeframe])
        check_scores(models, model_rows, difference_max=0.0)
    except AresError as error:
        return PreparedEnsemble({}, str(error))
    known = [
        _scores_of(model.scorer, newest[member.timeframe])
        for model, member in zip(models, ensemble.members, strict=True)
    ]
    served = dict(scorers)
    for member, scores in zip(ensemble.members, known, strict=True):
        served[member.package_hash] = _known_first(scorers[member.package_hash], scores)
    return PreparedEnsemble(served, "", known)


def _scores_of(scorer: Scorer, rows: NDArray[np.float32]) -> KnownScores:
    """Return the scores of rows, each by itself as the engine scores it."""
    return {row.tobytes(): float(scorer(row[None])[0]) for row in rows}


def _known_first(scorer: Scorer, known: KnownScores) -> Scorer:
    """Return a scorer that looks a row up before it scores it.

    ``step`` scores the newest bars of a lane when it gets its ensemble. These rows were scored
    here, beside the engine, unless a bar has closed since; the scores are the same to the bit.
    """

    def score(rows: NDArray[np.float32]) -> NDArray[np.float64]:
        if known and len(rows) == 1:
            p = known.get(rows.tobytes())
            if p is not None:
                return np.array([p])
        return scorer(rows)

    return score


def recent_rows(state: State) -> RecentRows:
    """Return rows to try a model on, for each timeframe."""
    return {timeframe: _recent(state, j) for j, timeframe in enumerate(state.setup.timeframes)}


def newest_rows(state: State, ensemble: Ensemble) -> RecentRows:
    """Return the newest warm rows of an ensemble's instrument, for each timeframe."""
    keys = [lane.spec.instrument.key for lane in state.setup.instruments]
    lanes = [k for k, key in enumerate(keys) if key == ensemble.instrument]
    return {
        timeframe: state.features[lanes, j][state.last_warm[lanes, j]]
        for j, timeframe in enumerate(state.setup.timeframes)
    }


def _recent(state: State, j: int) -> NDArray[np.float32]:
    """Return the newest warm rows of a timeframe, then rows drawn around them; where the run has
    external series, all of them again without these.
    """
    n_price = N_FEATURES + len(state.setup.user_features)
    warm = state.last_warm[:, j] & np.isfinite(state.features[:, j, :n_price]).all(axis=1)
    rows = state.features[warm, j]
    rows = np.concatenate((rows, synthetic_rows(rows, ROWS_TRIED)))
    return with_missing(rows, state.setup.series)
