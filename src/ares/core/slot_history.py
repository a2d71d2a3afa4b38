"""Which ensemble was champion, challenger or canary, and when: a fold of a run's journal.

Everything that needs this and has only a journal uses this fold: certify, reports, tables, alerts,
the learner.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import msgspec

from ares.core.slot import EMPTY, Slot, first_slots, lane_at, lanes_of
from ares.domain.events import Effect, Event, RunStarted
from ares.domain.model import Ensemble
from ares.domain.model_events import (
    ModelPublished,
    SlotChanged,
    SlotChangeRefused,
    SlotChangeRequested,
    Stage,
)
from ares.domain.run import RunSetup


@dataclass(frozen=True, slots=True)
class SlotsApplied:
    """A change of an instrument's slots: before and after, by lane.

    previous : the champion that a rollback restores after it.
    """

    fact: SlotChanged
    before: dict[int, Slot]
    after: dict[int, Slot]
    previous: Ensemble | None


class KnownSlots(msgspec.Struct, frozen=True):
    """Everything that a ``SlotHistory`` knows."""

    setup: RunSetup
    slots: list[Slot]
    ensembles: list[Ensemble]
    published: list[ModelPublished]


class SlotHistory:
    """Folds a run's events and effects; ``slots`` are those of all lanes after the last entry.

    An ensemble that no event of the fold has published is known by its hash alone.
    """

    def __init__(self, setup: RunSetup | None = None) -> None:
        self.slots: list[Slot] = []
        self._setup: RunSetup | None = None
        self._ensembles: dict[str, Ensemble] = {}
        self._published: dict[str, ModelPublished] = {}
        if setup is not None:
            self._start(setup)

    @property
    def setup(self) -> RunSetup:
        """Return the run's setup; ValueError before ``RunStarted``."""
        if self._setup is None:
            raise ValueError("the journal does not begin with RunStarted")
        return self._setup

    def resume(self, slots: Sequence[Slot], others: Iterable[Ensemble | None]) -> None:
        """Continue from these slots; others: further ensembles that may be assigned again."""
        self.slots = list(slots)
        for ensemble in (*(slot.ensemble for slot in slots), *others):
            if ensemble is not None:
                self._ensembles[ensemble.hash] = ensemble

    def known(self) -> KnownSlots:
        """Return everything that is known, for ``of``."""
        ensembles, published = self._ensembles.values(), self._published.values()
        return KnownSlots(self.setup, list(self.slots), list(ensembles), list(published))

    @classmethod
    def of(cls, known: KnownSlots) -> SlotHistory:
        """Return the history that knew this."""
        made = cls()
        made._setup = known.setup
        made.resume(known.slots, known.ensembles)
        made._published = {event.ensemble.hash: event for event in known.published}
        return made

    def forget(self, kept: Collection[str]) -> None:
        """Forget the ensembles that are in no slot and not among ``kept``, by their hashes."""
        used = {slot.hash for slot in self.slots}.union(kept)
        self._ensembles = {h: e for h, e in self._ensembles.items() if h in used}
        self._published = {h: e for h, e in self._published.items() if h in used}

    def add(self, event: Event, effects: Sequence[Effect]) -> list[SlotsApplied]:
        """Take the next entry; return its changes of slots, in order."""
        self.on_event(event)
        return [self.apply(effect) for effect in effects if isinstance(effect, SlotChanged)]

    def on_event(self, event: Event) -> None:
        """Take the next event, whose ``SlotChanged`` effects are applied one by one."""
        if isinstance(event, RunStarted):
            self._start(event.setup)
        elif isinstance(event, ModelPublished):
            self._ensembles[event.ensemble.hash] = event.ensemble
            self._published[event.ensemble.hash] = event

    def ensemble(self, ensemble_hash: str) -> Ensemble | None:
        """Return an ensemble of the run by its hash."""
        return self._ensembles.get(ensemble_hash)

    def champion(self, i: int) -> int | None:
        """Return the lane of the champion of instrument ``i``; None: it has no champion."""
        return self.lane(i, "champion")

    def lane(self, i: int, *stages: Stage) -> int | None:
        """Return the lane of instrument ``i`` with the first of these stages; None: none has."""
        return lane_at(self.slots, lanes_of(self.setup, i), *stages)

    def challenges_champion(self, lane: int) -> bool:
        """Return whether the instrument of a lane has a champion in its other lane."""
        champion = self.champion(lane % self.setup.n_instruments)
        return champion is not None and champion != lane

    def apply(self, fact: SlotChanged) -> SlotsApplied:
        """Apply one change."""
        lanes = lanes_of(self.setup, fact.instrument)
        before = {lane: self.slots[lane] for lane in lanes}
        for lane, name, stage in zip(lanes, fact.lane_hashes, fact.stages, strict=True):
            self.slots[lane] = self._slot(self.slots[lane], fact, name, stage)
        previous = self._ensembles.get(fact.previous_hash)
        return SlotsApplied(fact, before, {lane: self.slots[lane] for lane in lanes}, previous)

    def _start(self, setup: RunSetup) -> None:
        self._setup = setup
        self.slots = first_slots(setup)
        for lane in setup.instruments:
            for ensemble in (lane.ensemble, lane.previous):
                if ensemble is not None:
                    self._ensembles[ensemble.hash] = ensemble

    def _slot(self, before: Slot, fact: SlotChanged, name: str, stage: Stage) -> Slot:
        """Return the slot of a lane after a change."""
        if fact.move == "rolled_back" and stage == "champion":  # restored: by no verdict, no refit
            return Slot(self._ensembles.get(name), stage, fact.ts_ms, hash=name)
        if name == before.hash:
            since_ms = before.since_ms if stage == before.stage else fact.ts_ms
            return msgspec.structs.replace(before, stage=stage, since_ms=since_ms)
        if not name:
            return msgspec.structs.replace(EMPTY, stage=stage, since_ms=fact.ts_ms)
        published = self._published.get(name) if fact.move == "published" else None
        if published is None:
            return Slot(self._ensembles.get(name), stage, fact.ts_ms, hash=name)
        refit, verdict_hash = published.refit, published.verdict_hash
        return Slot(published.ensemble, stage, fact.ts_ms, refit, verdict_hash, name)


def taken_by(event: Event, effects: Sequence[Effect], setup: RunSetup) -> dict[str, str]:
    """Return the champion that a journaled event took over from the registry, by instrument key;
    nothing where it took over none.
    """
    match event:
        case ModelPublished(from_registry=True):
            if not any(isinstance(effect, SlotChangeRefused) for effect in effects):
                return {event.ensemble.instrument: event.ensemble.hash}
        case SlotChangeRequested(action="withdraw"):
            if 0 <= event.instrument < setup.n_instruments:
                return {setup.keys[event.instrument]: ""}
        case _:
            pass
    return {}
