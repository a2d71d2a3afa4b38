"""MLflow as a mirror: each package a run with its evidence, and a registered version with its tags.

The truth lies in ``models/`` and the journal. When MLflow cannot be reached, nothing that was
trained is lost: the caller gets one line that says so.
"""

from __future__ import annotations

import logging
import os
import socket
import sqlite3
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ares.config.telemetry import switch_off

EXPERIMENT = "ares"
LOCKED_WAIT_S = 2.0
ANSWER_S = 3.0
"""A server that has not taken a connection by then is not there."""

NEXT_MOVE = "the next promotion, rollback or verdict tells it all"
JUDGE_AGAIN = "judging again brings a verdict there"
LATER = "ensembles are told of once they are judged or promoted"
"""How MLflow learns of what it missed."""

DATABASE_TRIES = 2
PARAM_CHARS_MAX = 500
PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}


@dataclass(frozen=True, slots=True)
class RegistryEntry:
    """One thing to register: a package or an ensemble.

    model     : registered model's name.       title : the run's name, e.g. ``name/version``.
    artefacts : a file or a folder of files that the run keeps.
    """

    model: str
    title: str
    artefacts: Path
    params: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RegistryStages:
    """What the journal says of one instrument's models.

    model    : the registered model of its ensembles.
    statuses : ``model_status`` by ensemble hash; what is not named is not in production.
    aliases  : alias -> ensemble hash; None: nobody has it.
    leaving  : hashes of those that have just ceased to be champion: MLflow may still say so.
    packages : (registered model, package hash) -> ``model_status``.
    entries  : by ensemble hash: those that MLflow must know, to be registered where it does not.
    """

    model: str
    statuses: Mapping[str, str]
    aliases: Mapping[str, str | None]
    leaving: frozenset[str] = frozenset()
    packages: Mapping[tuple[str, str], str] = field(default_factory=dict)
    entries: Mapping[str, RegistryEntry] = field(default_factory=dict)


class MlflowRegistry:
    """A tracking store and registry at one address."""

    def __init__(self, uri: str, artefacts_dir: Path) -> None:
        """Stand on an address, ``sqlite:////path`` or a server's; nothing is opened yet.

        artefacts_dir : where runs keep their files, if the store is a database.
        """
        self.uri, self.artefacts_dir = uri, artefacts_dir

    def register(self, entries: Sequence[RegistryEntry]) -> str | None:
        """Log each entry as a run and register its version as a candidate.

        returns : None, or one line that says why MLflow could not take (all of) it.
        """
        if not entries:
            return None
        done = 0

        def log_all(client: Any, experiment: str) -> None:
            nonlocal done
            for entry in entries:
                _log(client, experiment, entry)
                done += 1

        reason = self._try(log_all)
        if reason is None:
            return None
        return (
            f"MLflow at {self.uri} took {done} of {len(entries)} models ({reason}): "
            f"they are all kept in models/ and can be used; {self._advice(reason, LATER)}"
        )

    def note_verdict(
        self,
        model: str,
        ensemble_hash: str,
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        files: Sequence[Path],
    ) -> str | None:
        """Add a verdict to the run of an ensemble; an ensemble that MLflow does not know is left.

        returns : None, or one line that says why MLflow could not take it.
        """

        def note(client: Any, _experiment: str) -> None:
            from mlflow.entities import Metric

            for version in _versions(client, model, ensemble_hash):
                now_ms = int(client.get_run(version.run_id).info.start_time)
                numbers = [Metric(name, value, now_ms, 0) for name, value in metrics.items()]
                client.log_batch(version.run_id, metrics=numbers)
                for path in files:
                    client.log_artifact(version.run_id, str(path))
                for name, value in tags.items():
                    client.set_model_version_tag(model, version.version, name, value)

        reason = self._try(note)
        return None if reason is None else self._missed("the verdict", reason, JUDGE_AGAIN)

    def set_stations(self, stations: RegistryStages) -> str | None:
        """Make MLflow say of an instrument's models what the journal says.

        returns : None, or one line: what MLflow had wrong, or why it could not be told.
        """
        wrong: list[str] = []

        def set_all(client: Any, experiment: str) -> None:
            model = stations.model
            held = _held(client, model)
            for ensemble_hash, entry in stations.entries.items():
                if ensemble_hash not in held:  # trained while MLflow was away, or a new database
                    _log(client, experiment, entry)
            held = _held(client, model)
            for ensemble_hash, version in held.items():
                before = version.tags.get("model_status")
                fallback = "candidate" if before == "production" else before
                status = stations.statuses.get(ensemble_hash, fallback)
                if before == "production" != status and ensemble_hash not in stations.leaving:
                    wrong.append(f"called {ensemble_hash[:12]} production too")
                if status is not None and status != before:
                    client.set_model_version_tag(model, version.version, "model_status", status)
            wrong.extend(_set_aliases(client, stations, held) if held else ())
            _set_packages(client, stations.packages)

        reason = self._try(set_all)
        if reason is not None:
            return self._missed("the models' stations", reason, NEXT_MOVE)
        if wrong:
            said = "; it ".join(dict.fromkeys(wrong))
            return (
                f"MLflow was wrong about {stations.model}, it {said}: corrected there, the journal "
                "decides"
            )
        return None

    def _missed(self, what: str, reason: str, then: str) -> str:
        return (
            f"MLflow at {self.uri} was not told of {what} ({reason}): the journal has it, and "
            f"trading goes on by that; {self._advice(reason, then)}"
        )

    def _advice(self, reason: str, then: str) -> str:
        """Return what to do; ``then``: how MLflow learns of what it missed, once it is there."""
        if not self.uri.startswith("sqlite:"):
            return f"see that the server runs; {then}"
        if "locked" in reason:
            return f"see who holds the file; {then}"
        return f"move the broken file away, a new one is made; {then}"

    def _try(self, work: Callable[[Any, str], None]) -> str | None:
        """Do something with MLflow; return why it could not be done."""
        try:
            _check_database(self.uri)
            _check_server(self.uri)
            with _quiet():
                work(*self._open())
        except Exception as error:  # whatever MLflow raises, what we have stands
            return " ".join(str(error).split())[:200] or type(error).__name__
        return None

    def _open(self) -> tuple[Any, str]:
        switch_off()
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
        from mlflow.store.db import utils as mlflow_database
        from mlflow.tracking import MlflowClient

        mlflow_database.MAX_RETRY_COUNT = DATABASE_TRIES  # its ten take a minute and a half
        for name in ("mlflow", "alembic"):  # its tracebacks: one line of ours says what is wrong
            logging.getLogger(name).setLevel(logging.CRITICAL)
        client = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
        found = client.get_experiment_by_name(EXPERIMENT)
        if found is not None:
            return client, found.experiment_id
        place = None if _is_server(self.uri) else self.artefacts_dir.resolve().as_uri()
        return client, client.create_experiment(EXPERIMENT, artifact_location=place)


def _log(client: Any, experiment: str, entry: RegistryEntry) -> None:
    from mlflow.entities import Metric, Param
    from mlflow.exceptions import MlflowException

    run = client.create_run(experiment, run_name=entry.title, tags=dict(entry.tags))
    run_id = run.info.run_id
    try:
        now_ms = int(run.info.start_time)
        client.log_batch(
            run_id,
            metrics=[Metric(name, value, now_ms, 0) for name, value in entry.metrics.items()],
            params=[Param(n, str(v)[:PARAM_CHARS_MAX]) for n, v in entry.params.items()],
        )
        if entry.artefacts.is_dir():
            client.log_artifacts(run_id, str(entry.artefacts))
        else:
            client.log_artifact(run_id, str(entry.artefacts))
        try:
            client.get_registered_model(entry.model)
        except MlflowException:
            client.create_registered_model(entry.model)
        client.create_model_version(
            entry.model,
            source=run.info.artifact_uri,
            run_id=run_id,
            tags={"model_status": "candidate", **entry.tags},
        )
    except BaseException:
        client.set_terminated(run_id, "FAILED")
        raise
    client.set_terminated(run_id)


def _held(client: Any, model: str) -> dict[str, Any]:
    """Return the newest version of each ensemble that MLflow knows."""
    held: dict[str, Any] = {}
    for version in _versions(client, model):
        held.setdefault(version.tags.get("ensemble_hash", ""), version)
    return held


def _set_aliases(client: Any, stations: RegistryStages, held: Mapping[str, Any]) -> list[str]:
    """Set the aliases; return what was wrong with those of champions."""
    wrong = []
    present = client.get_registered_model(stations.model).aliases
    names = {version.version: ensemble_hash for ensemble_hash, version in held.items()}
    for alias, ensemble_hash in stations.aliases.items():
        seen = names.get(present[alias], "another") if alias in present else None
        if seen == ensemble_hash:
            continue
        if seen is not None and seen not in stations.leaving and "champion" in alias:
            wrong.append(f"had {seen[:12]} as {alias}")
        if ensemble_hash is not None and ensemble_hash in held:
            client.set_registered_model_alias(stations.model, alias, held[ensemble_hash].version)
        elif alias in present:
            client.delete_registered_model_alias(stations.model, alias)
    return wrong


def _set_packages(client: Any, packages: Mapping[tuple[str, str], str]) -> None:
    for model in dict.fromkeys(name for name, _ in packages):
        for version in _versions(client, model):
            status = packages.get((model, version.tags.get("package_hash", "")))
            if status is not None and status != version.tags.get("model_status"):
                client.set_model_version_tag(model, version.version, "model_status", status)


def _versions(client: Any, model: str, ensemble_hash: str | None = None) -> list[Any]:
    """Return the versions of a registered model, newest first; of one ensemble, its newest."""
    found = sorted(
        client.search_model_versions(f"name = '{model}'"),
        key=lambda version: int(version.version),
        reverse=True,
    )
    if ensemble_hash is None:
        return found
    return [one for one in found if one.tags.get("ensemble_hash") == ensemble_hash][:1]


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
    """Raise OSError where nothing listens at a server's address: MLflow itself asks for minutes."""
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


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the deprecations inside MLflow from being shown as if they were the user's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
