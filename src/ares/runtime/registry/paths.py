"""Where a workspace keeps its models and its data, as values for those who may not see it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ModelPaths:
    """Packages and ensembles, and the journals of what happened to them.

    root     : the workspace's folder, for messages and for locks on the whole of it.
    models   : packages and ensembles, see ``adapters.model_store``.
    journals : one folder for each environment; the models' journal lies beside them.
    """

    root: Path
    models: Path
    journals: Path

    @property
    def verdicts(self) -> Path:
        """Return the folder of verdicts: a file and a picture of each."""
        return self.models / "verdicts"


@dataclass(frozen=True, slots=True)
class DataPaths:
    """The database with candles and news, and the folder of columns cached from it.

    database_url : SQLAlchemy URL.
    """

    database_url: str
    cache: Path
