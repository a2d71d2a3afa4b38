"""Which champions a run serves, read from its journal: whether an engine runs or not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from ares.core.slot import Slot, first_champion
from ares.core.slot_history import SlotHistory, taken_by
from ares.domain.errors import ExternalError
from ares.domain.model import Ensemble
from ares.domain.run import RunSetup
from ares.domain.stretch import BarsStretch
from ares.journal.log import START
from ares.journal.run import setup_of
from ares.journal.snapshots import anchored_snapshot
from ares.journal.tail import JournalTail

ENTRIES_MAX = 10_000


@dataclass(frozen=True, slots=True)
class JournaledChampion:
    """The champion of an instrument after the newest entry of a run's journal.

    ensemble_hash : empty: none.
    taken_hash    : the registry's champion when the run last took it over; empty: it had none.
    since_ms      : when it became champion, or the one before it was taken out; 0: it began so.
    who, reason   : of that change; empty: it is older than the newest snapshot.
    """

    instrument: str
    ensemble_hash: str
    taken_hash: str
    since_ms: int = 0
    who: str = ""
    reason: str = ""


class _Slots(msgspec.Struct, frozen=True):
    """What is read of a snapshot, see ``core.snapshot``; the rest is not decoded."""

    slots: list[Slot]
    previous_champions: list[Ensemble | None]
    taken_champions: dict[str, str] = {}


def journaled_champions(folder: Path) -> tuple[JournaledChampion, ...]:
    """Return the champion of each instrument of the run whose journal lies in ``folder``; nothing
    where there is no run.

    The newest snapshot and the journal after it are read. Raises ExternalError where the journal is
    damaged, or was written by a version whose snapshots cannot be read.
    """
    setup = setup_of(folder)
    if setup is None:
        return ()
    history, taken = SlotHistory(setup), dict[str, str]()
    stored, position = anchored_snapshot(folder), START
    if stored is not None:
        setup, position = stored.setup or setup, stored.anchor
        try:
            known = msgspec.msgpack.decode(stored.state, type=_Slots)
        except msgspec.DecodeError as error:
            raise ExternalError(
                f"the newest snapshot of {folder} cannot be read ({error}): start the engine once"
                " with this version"
            ) from None
        history = SlotHistory(setup)
        history.resume(known.slots, known.previous_champions)
        taken |= known.taken_champions
    tail, causes = JournalTail(folder, position), dict[int, tuple[str, str]]()
    while parts := tail.read(ENTRIES_MAX):
        for part in parts:
            if isinstance(part, BarsStretch):
                continue  # it ends before anything of this changes
            effects = part.effects
            taken |= taken_by(part.event, effects, setup)
            for change in history.add(part.event, effects):
                i = change.fact.instrument
                if _champion(change.before) != _champion(change.after):
                    causes[i] = change.fact.who, change.fact.reason
    return tuple(
        _journaled(setup, history, taken, i, *causes.get(i, ("", "")))
        for i in range(setup.n_instruments)
    )


def _champion(slots: dict[int, Slot]) -> str:
    return next((slot.hash for slot in slots.values() if slot.stage == "champion"), "")


def _journaled(
    setup: RunSetup, history: SlotHistory, taken: dict[str, str], i: int, who: str, reason: str
) -> JournaledChampion:
    key, lane = setup.keys[i], history.lane(i, "champion", "withdrawn")
    slot = Slot() if lane is None else history.slots[lane]
    own = slot.hash if slot.stage == "champion" else ""
    before = taken.get(key, first_champion(setup, i))
    return JournaledChampion(key, own, before, slot.since_ms, who, reason)
