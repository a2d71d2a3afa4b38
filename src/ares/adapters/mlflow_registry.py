"""MLflow at one address: runs with their files, registered versions, tags and aliases.

MLflow is an export. ``models/`` and the models' journal are authoritative, so whatever goes
wrong here is one exception with one line, ``MlflowUnavailable``.
"""

from __future__ import annotations

import logging
import os
import socket
import sqlite3
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ares.config.telemetry import switch_off
from ares.domain.errors import AresError, ExternalError

EXPERIMENT = "Ares_Trading"
LOCKED_WAIT_S = 2.0
ANSWER_S = 3.0
"""A server that has not accepted a connection by then is treated as absent."""

DATABASE_TRIES = 2
PARAM_CHARS_MAX = 500
PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}


class MlflowUnavailable(ExternalError):
    """MLflow could not be reached, or could not take what it was given."""


@dataclass(frozen=True, slots=True)
class RegistryEntry:
    """A package or an ensemble to register.

    model     : registered model's name.       title : the run's name, e.g. ``name/version``.
    artefacts : a file or a folder of files that the run keeps.
    key       : name and value of the tag that identifies it, e.g. ``package_hash``.
    """

    model: str
    title: str
    artefacts: Path
    key: tuple[str, str]
    params: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """A version of a registered model, and the run that it came from."""

    model: str
    version: str
    run_id: str
    tags: Mapping[str, str]


class MlflowRegistry:
    """A tracking store and model registry at one address."""

    def __init__(
        self, uri: str, artefacts_dir: Path, experiments: Sequence[str] = (EXPERIMENT,)
    ) -> None:
        """Take an address, ``sqlite:////path`` or a server's; nothing is opened yet.

        artefacts_dir : where runs keep their files, if the store is a database.
        experiments   : the first of these names that exists is used, else the last is created.
        """
        self.uri, self.artefacts_dir, self.experiments = uri, artefacts_dir, tuple(experiments)

    @property
    def shown_uri(self) -> str:
        """Return the address without its password."""
        return _without_password(self.uri)

    @contextmanager
    def session(self) -> Iterator[MlflowSession]:
        """Open MLflow; raise MlflowUnavailable where it fails, here or inside the block."""
        try:
            _check_database(self.uri)
            _check_server(self.uri)
            with _quiet():
                yield self._open()
        except AresError:
            raise
        except Exception as error:  # whatever MLflow raises, the journal and models/ stand
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise MlflowUnavailable(self._failed(reason)) from None

    def _failed(self, reason: str) -> str:
        if not self.uri.startswith("sqlite:"):
            advice = "check that the server runs"
        elif "locked" in reason:
            advice = "find the process that holds the file"
        else:
            advice = "move the broken file away, a new one is made"
        return (
            f"MLflow at {self.shown_uri} was not brought up to date ({reason}): the "
            "models' journal and models/ hold everything, and trading goes on by those; "
            f"{advice}; the next change of a model brings it up to date, and so does "
            "`ares models sync`"
        )

    def _open(self) -> MlflowSession:
        switch_off()
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
        from mlflow.store.db import utils as mlflow_database
        from mlflow.tracking import MlflowClient

        mlflow_database.MAX_RETRY_COUNT = DATABASE_TRIES  # its ten take a minute and a half
        for name in ("mlflow", "alembic"):  # no tracebacks: one line says what is wrong
            logging.getLogger(name).setLevel(logging.CRITICAL)
        client = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
        for name in self.experiments:
            found = client.get_experiment_by_name(name)
            if found is not None:
                return MlflowSession(client, name, found.experiment_id)
        location = None if _is_server(self.uri) else self.artefacts_dir.resolve().as_uri()
        name = self.experiments[-1]
        made = client.create_experiment(name, artifact_location=location)
        return MlflowSession(client, name, made)


class MlflowSession:
    """An open MLflow. Every method may raise whatever MLflow raises; the session translates it."""

    def __init__(self, client: Any, experiment: str, experiment_id: str) -> None:
        self.experiment = experiment
        self._client = client
        self._experiment_id = experiment_id

    def note(self, name: str) -> str | None:
        """Return a tag of the experiment."""
        tags: Mapping[str, str] = self._client.get_experiment(self._experiment_id).tags
        return tags.get(name)

    def set_note(self, name: str, value: str) -> None:
        """Set a tag of the experiment."""
        self._client.set_experiment_tag(self._experiment_id, name, value)

    def versions(self, model: str) -> list[RegisteredVersion]:
        """Return the versions of a registered model, newest first; none where it is unknown."""
        found = self._client.search_model_versions(f"name = '{model}'")
        return [
            RegisteredVersion(model, str(version.version), version.run_id, version.tags)
            for version in sorted(found, key=lambda version: int(version.version), reverse=True)
        ]

    def register(self, entry: RegistryEntry, tags: Mapping[str, str]) -> RegisteredVersion:
        """Make the run of an entry, and a version of its model with ``tags``.

        The version comes last: an interrupted call is made again, and completes the run that it
        left behind.
        """
        from mlflow.entities import Metric, Param
        from mlflow.exceptions import MlflowException

        client = self._client
        run = self._run_of(entry)
        run_id = run.info.run_id
        try:
            start_ms = int(run.info.start_time)
            client.log_batch(
                run_id,
                metrics=[Metric(name, value, start_ms, 0) for name, value in entry.metrics.items()],
                params=[Param(n, str(v)[:PARAM_CHARS_MAX]) for n, v in entry.params.items()],
            )
            if entry.artefacts.is_dir():
                client.log_artifacts(run_id, str(entry.artefacts))
            else:
                client.log_artifact(run_id, str(entry.artefacts))
        except BaseException:
            client.set_terminated(run_id, "FAILED")
            raise
        client.set_terminated(run_id)
        try:
            client.get_registered_model(entry.model)
        except MlflowException:
            client.create_registered_model(entry.model)
        all_tags = {**entry.tags, **dict([entry.key]), **tags}
        made = client.create_model_version(
            entry.model, source=run.info.artifact_uri, run_id=run_id, tags=all_tags
        )
        return RegisteredVersion(entry.model, str(made.version), run_id, all_tags)

    def set_tags(self, version: RegisteredVersion, tags: Mapping[str, str | None]) -> None:
        """Set tags of a version; None takes one away."""
        for name, value in tags.items():
            if value is None:
                self._client.delete_model_version_tag(version.model, version.version, name)
            else:
                self._client.set_model_version_tag(version.model, version.version, name, value)

    def add_results(
        self, run_id: str, metrics: Mapping[str, float], step: int, files: Sequence[Path]
    ) -> None:
        """Add metrics at a step, and files, to a run."""
        from mlflow.entities import Metric

        start_ms = int(self._client.get_run(run_id).info.start_time)
        numbers = [Metric(name, value, start_ms, step) for name, value in metrics.items()]
        self._client.log_batch(run_id, metrics=numbers)
        for path in files:
            self._client.log_artifact(run_id, str(path))

    def aliases(self, model: str) -> dict[str, str]:
        """Return alias -> version of a registered model."""
        found = self._client.get_registered_model(model).aliases
        return {alias: str(version) for alias, version in found.items()}

    def set_alias(self, model: str, alias: str, version: str | None) -> None:
        """Give an alias to a version; None takes it away."""
        if version is None:
            self._client.delete_registered_model_alias(model, alias)
        else:
            self._client.set_registered_model_alias(model, alias, version)

    def _run_of(self, entry: RegistryEntry) -> Any:
        name, value = entry.key
        found = self._client.search_runs(
            [self._experiment_id], filter_string=f"tags.{name} = '{value}'", max_results=1
        )
        if found:
            return found[0]
        tags = {**entry.tags, **dict([entry.key])}
        return self._client.create_run(self._experiment_id, run_name=entry.title, tags=tags)


def _check_database(uri: str) -> None:
    """Raise sqlite3's error at once where MLflow would try again for minutes."""
    if not uri.startswith("sqlite:///"):
        return
    path = Path(uri.removeprefix("sqlite:///"))
    if not path.exists():
        return
    with closing(sqlite3.connect(path, timeout=LOCKED_WAIT_S)) as connection:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        connection.execute("BEGIN IMMEDIATE")
        connection.rollback()


def _check_server(uri: str) -> None:
    """Raise OSError where nothing listens at a server's address: MLflow itself waits minutes."""
    parts = urlsplit(uri)
    port = parts.port or PORTS.get(parts.scheme.partition("+")[0])
    if parts.hostname is None or port is None:
        return
    try:
        socket.create_connection((parts.hostname, port), timeout=ANSWER_S).close()
    except OSError as error:
        raise OSError(f"{parts.hostname}:{port} does not answer: {error}") from None


def _is_server(uri: str) -> bool:
    return uri.startswith(("http://", "https://"))


def _without_password(uri: str) -> str:
    """Return an address as it may be shown.

    >>> _without_password("https://me:secret@mlflow.example:5000/x")
    'https://mlflow.example:5000/x'
    """
    scheme, separator, rest = uri.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep MLflow's own deprecation warnings from being shown as if they were the user's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
