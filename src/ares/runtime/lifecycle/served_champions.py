"""Where a run serves another champion than the registry has: the run's journal says which.

A promotion in the registry is a person's. What an engine changes by itself (a challenger promoted,
a champion withdrawn) is in its own journal, with the models that its learner made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ares.domain.errors import ExternalError
from ares.domain.model_life import slots_of
from ares.runtime.engine.journaled_champions import journaled_champions
from ares.runtime.registry.registry_state import RegistryState


def run_environments(journals: Path) -> list[str]:
    """Return the environments whose engine goes on for months; a history run has its own report."""
    rehearsals = sorted(path.name for path in (journals / "rehearsal").glob("*") if path.is_dir())
    return ["paper", "live", *(f"rehearsal/{name}" for name in rehearsals)]


@dataclass(frozen=True, slots=True)
class ServedChampion:
    """The champion of an instrument in the run of an environment, where the registry has another.

    ensemble_hash, registry_hash : of the two; empty: none.
    is_pending  : the registry has changed since; the next start of the engine takes it over.
    since_ms    : when the run's became champion, or was taken out; 0: it is not known.
    who, reason : of that change; empty: it is older than the newest snapshot.
    """

    environment: str
    instrument: str
    ensemble_hash: str
    registry_hash: str
    is_pending: bool
    since_ms: int = 0
    who: str = ""
    reason: str = ""


def served_champions(
    journals: Path, registry: RegistryState, environments: Sequence[str] | None = None
) -> tuple[tuple[ServedChampion, ...], tuple[str, ...]]:
    """Return where runs and registry differ, and a line for each run that cannot be read.

    environments : default: all but history.
    """
    found: list[ServedChampion] = []
    problems: list[str] = []
    for environment in run_environments(journals) if environments is None else environments:
        if slots_of(environment) == "history":
            continue
        champions = registry.champions(environment)
        try:
            served = journaled_champions(journals / environment)
        except ExternalError as error:
            problems.append(f"which champions {environment} serves is not known: {error}")
            continue
        for own in served:
            wanted = champions.get(own.instrument, "")
            if own.ensemble_hash == wanted:
                continue
            pending = own.taken_hash != wanted
            found.append(
                ServedChampion(
                    environment, own.instrument, own.ensemble_hash, wanted, pending, own.since_ms,
                    own.who, own.reason,
                )
            )  # fmt: skip
    return tuple(found), tuple(problems)
