"""The models of a run: those made during the run first, then those of the workspace."""

from __future__ import annotations

from pathlib import Path

from ares.adapters.model_store import ModelStore
from ares.domain.errors import UserError
from ares.domain.model import Member
from ares.domain.package import Package

FOLDER = "models"
"""Name of the folder, in a run's folder, of the models made during the run."""


class LayeredModelStore(ModelStore):
    """Writes to the run's store; reads the run's store first, then the workspace's."""

    def __init__(self, own: Path, workspace: Path) -> None:
        """Take a run's folder of models (``own``) and the workspace's; neither need exist yet."""
        super().__init__(own)
        self._workspace = ModelStore(workspace)

    def member(self, member: Member) -> Package:
        """Return an ensemble's package, from the store that holds the judged one.

        Raises UserError where neither store has it, ExternalError where it is damaged.
        """
        try:
            package = self.load(member.name, member.version)
        except UserError:
            return self._workspace.member(member)
        if package.hash != member.package_hash:  # a different package of the same name and second
            return self._workspace.member(member)
        return package
