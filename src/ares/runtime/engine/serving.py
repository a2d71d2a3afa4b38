"""The models that an engine serves at the moment, by the hash of their package."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from ares.core.models import Scorer, Scorers


class ModelServing(Protocol):
    """Scorers that are handed to the engine. History scores ahead (``prefetch.Prefetch``)."""

    scorers: Scorers

    def add(self, models: Scorers) -> None:
        """Serve these models as well."""

    def retain(self, names: Collection[str]) -> list[Scorer]:
        """Serve only these models from now on; return the others, whose release may wait."""
        ...


class ServedModels:
    """Models that score what is put to them, and nothing before it is."""

    def __init__(self, scorers: Scorers) -> None:
        self.scorers: Scorers = dict(scorers)

    def add(self, models: Scorers) -> None:
        """Serve these models as well."""
        for name, model in models.items():
            self.scorers.setdefault(name, model)

    def retain(self, names: Collection[str]) -> list[Scorer]:
        """Serve only these models from now on; return the others, whose release may wait."""
        unused = [name for name in self.scorers if name not in names]
        return [self.scorers.pop(name) for name in unused]
