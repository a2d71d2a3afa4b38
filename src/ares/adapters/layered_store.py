"""Models of a run: its own, made while it runs, before those of the workspace."""

from __future__ import annotations

from pathlib import Path

from ares.adapters.model_store import ModelStore
from ares.domain.errors import UserError
from ares.domain.model import Member
from ares.domain.package import Package

FOLDER = "models"
"""Of a run's own models, in its folder."""


class LayeredModelStore(ModelStore):
    """Writes to a run's own store, and reads the workspace's behind it."""

    def __init__(self, own: Path, workspace: Path) -> None:
        """Stand on a run's folder of models, and on the workspace's."""
        super().__init__(own)
        self._behind = ModelStore(workspace)

    def member(self, member: Member) -> Package:
        """Return an ensemble's package, from where the one that was judged lies.

        Raises UserMistake where it is nowhere, WorldTrouble where it is damaged.
        """
        try:
            package = self.load(member.name, member.version)
        except UserError:
            return self._behind.member(member)
        if package.hash != member.package_hash:  # another one of this name and second
            return self._behind.member(member)
        return package
