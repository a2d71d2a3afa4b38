"""The workspace: one folder with settings, candles, models, journals and reports."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ares.domain.errors import UserError

if TYPE_CHECKING:
    from ares.config.settings import Settings

SETTINGS_FILE = "ares.yaml"
FOLDERS = ("journal", "models/packages", "models/ensembles", "logs", "reports", "cache")
EARLIER_EXPERIMENT = "ares"
"""What the experiment was called before ``mlflow.experiment_name``."""

IGNORED = ".env\nkeys.vault\n*.db\n*.db-*\njournal/\nmodels/\nlogs/\nreports/\ncache/\nops/\n"


@dataclass(frozen=True)
class Workspace:
    """A folder with an ``ares.yaml``.

    >>> Workspace(Path("w")).journal_dir.as_posix()
    'w/journal'
    """

    root: Path

    @classmethod
    def here(cls, environ: Mapping[str, str] | None = None) -> Workspace:
        """Return the workspace of the current folder, or of the variable ARES_WORKSPACE.

        Raises UserError where there is no ``ares.yaml``.
        """
        named = (os.environ if environ is None else environ).get("ARES_WORKSPACE")
        root = Path(named).expanduser() if named else Path.cwd()
        if not (root / SETTINGS_FILE).is_file():
            where = f"in {root} (ARES_WORKSPACE)" if named else "here"
            raise UserError(
                f"no workspace {where}: run `ares init`, or change to the folder of a workspace"
            )
        return cls(root)

    @classmethod
    def init(cls, root: Path) -> tuple[Workspace, tuple[str, ...]]:
        """Create a workspace in ``root``; return it and the names of what was created.

        Existing files are left unchanged, so a second ``init`` only adds what is missing.
        """
        from ares.config.template import env_example, settings_yaml

        if root.exists() and not root.is_dir():
            raise UserError(f"{root} is a file: choose another name for the workspace's folder")
        made = []
        for name in FOLDERS:
            folder = root / name
            if not folder.is_dir():
                if folder.exists():
                    raise UserError(
                        f"{folder} is a file, but a folder is needed there: move the file away"
                    )
                folder.mkdir(parents=True)
                made.append(f"{name}/")
        texts = {
            ".env.example": env_example(),
            ".gitignore": IGNORED,
            SETTINGS_FILE: settings_yaml(),
        }
        for name, text in texts.items():  # ares.yaml last: it makes the folder a workspace
            if _create(root / name, text):
                made.append(name)
        return cls(root), tuple(made)

    @cached_property
    def settings(self) -> Settings:
        """Return the settings, read once."""
        from ares.config.load import load_settings

        return load_settings(self.settings_path)

    @property
    def settings_path(self) -> Path:
        """Return the path of ``ares.yaml``."""
        return self.root / SETTINGS_FILE

    @property
    def db_path(self) -> Path:
        """Return the path of the SQLite database (used where ``database.url`` is null)."""
        return self.root / "ares.db"

    @property
    def db_url(self) -> str:
        """Return the SQLAlchemy URL of the database.

        ``database.url``, else what the variables TIMESCALE_HOST and so on name, else ``ares.db``
        here.
        """
        from ares.config.database_url import timescale_url

        named = self.settings.database.url or timescale_url(self.root / ".env", os.environ)
        return named or f"sqlite:///{self.db_path.resolve()}"

    @property
    def journal_dir(self) -> Path:
        """Return the folder of the journals, with one folder per environment."""
        return self.root / "journal"

    @property
    def keys_path(self) -> Path:
        """Return the path of the key file."""
        return self.root / "keys.vault"

    @property
    def models_dir(self) -> Path:
        """Return the folder of packages and ensembles."""
        return self.root / "models"

    @property
    def mlflow_path(self) -> Path:
        """Return the path of MLflow's SQLite database."""
        return self.root / "mlflow.db"

    @property
    def mlflow_uri(self) -> str:
        """Return MLflow's address.

        ``mlflow.tracking_uri`` (of ``ares.yaml``, ``.env`` or ARES_MLFLOW__TRACKING_URI), else the
        variable MLFLOW_TRACKING_URI, else ``mlflow.db`` here.
        """
        named = self.settings.mlflow.tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
        return named or f"sqlite:///{self.mlflow_path.resolve()}"

    @property
    def mlflow_experiments(self) -> tuple[str, ...]:
        """Return names of experiments: the first that exists is used, else the last is created."""
        settings = self.settings.mlflow
        if "experiment_name" in settings.model_fields_set:
            return (settings.experiment_name,)
        return (EARLIER_EXPERIMENT, settings.experiment_name)

    @property
    def logs_dir(self) -> Path:
        """Return the folder of logs."""
        return self.root / "logs"

    @property
    def reports_dir(self) -> Path:
        """Return the folder of reports."""
        return self.root / "reports"

    def ops_dir(self, environment: str) -> Path:
        """Return the folder of what supervises an environment: locks, heartbeats, status."""
        return self.root / "ops" / environment

    @property
    def cache_dir(self) -> Path:
        """Return the folder of files that can be recomputed."""
        return self.root / "cache"


def _create(path: Path, text: str) -> bool:
    """Write a new file whole or not at all; return False where one exists already."""
    if path.exists():
        return False
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return True
