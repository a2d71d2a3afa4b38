"""MLflow as a mirror: each package a run with its evidence, and a registered version with its tags.

The truth lies in ``models/`` and the journal. When MLflow cannot be reached, nothing that was
trained is lost: the caller gets one line that says so.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ares.config.telemetry import switch_off

EXPERIMENT = "ares"
LOCKED_WAIT_S = 2.0
PARAM_CHARS_MAX = 500


@dataclass(frozen=True, slots=True)
class Entry:
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


class MlflowRegistry:
    """A tracking store and registry at one address."""

    def __init__(self, uri: str, artefacts_dir: Path) -> None:
        """Stand on an address, ``sqlite:////path`` or a server's; nothing is opened yet.

        artefacts_dir : where runs keep their files, if the store is a database.
        """
        self.uri, self.artefacts_dir = uri, artefacts_dir

    def register(self, entries: Sequence[Entry]) -> str | None:
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
            "they are all kept in models/ and can be used; move a broken mlflow.db away"
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
        return None if reason is None else self._missed("the verdict", reason)

    def set_stations(
        self,
        model: str,
        statuses: Mapping[str, str],
        aliases: Mapping[str, str | None],
        leaving: str = "",
    ) -> str | None:
        """Give each ensemble of a registered model its ``model_status``, and set the aliases.

        statuses : by ensemble hash; what is not named is not in production.
        aliases  : alias -> ensemble hash, None takes it away.
        leaving  : hash of the one that has just ceased to be champion.
        returns  : None, or one line: what MLflow had wrong, or why it could not be told.
        """
        wrong: list[str] = []

        def set_all(client: Any, _experiment: str) -> None:
            held: dict[str, str] = {}
            for version in _versions(client, model):
                mine = version.tags.get("ensemble_hash", "")
                held.setdefault(mine, version.version)
                before = version.tags.get("model_status")
                fallback = "candidate" if before == "production" else before
                status = statuses.get(mine, fallback)
                if before == "production" != status and mine != leaving:
                    wrong.append(mine[:12])
                if status is not None and status != before:
                    client.set_model_version_tag(model, version.version, "model_status", status)
            for alias, ensemble_hash in aliases.items() if held else ():
                if ensemble_hash is None:
                    client.delete_registered_model_alias(model, alias)
                elif ensemble_hash in held:
                    client.set_registered_model_alias(model, alias, held[ensemble_hash])

        reason = self._try(set_all)
        if reason is not None:
            return self._missed("the promotion", reason)
        if wrong:
            return (
                f"MLflow called {', '.join(wrong)} of {model} production too, which the journal "
                "does not: corrected there"
            )
        return None

    def _missed(self, what: str, reason: str) -> str:
        return (
            f"MLflow at {self.uri} was not told of {what} ({reason}): the journal has it, and "
            "trading goes on by that; move a broken mlflow.db away"
        )

    def _try(self, work: Callable[[Any, str], None]) -> str | None:
        """Do something with MLflow; return why it could not be done."""
        try:
            _check_database(self.uri)
            with _quiet():
                work(*self._open())
        except Exception as error:  # whatever MLflow raises, what we have stands
            return " ".join(str(error).split())[:200] or type(error).__name__
        return None

    def _open(self) -> tuple[Any, str]:
        switch_off()
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
        from mlflow.tracking import MlflowClient

        logging.getLogger("mlflow").setLevel(logging.ERROR)
        logging.getLogger("alembic").setLevel(logging.ERROR)
        client = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
        found = client.get_experiment_by_name(EXPERIMENT)
        if found is not None:
            return client, found.experiment_id
        place = None if _is_server(self.uri) else self.artefacts_dir.resolve().as_uri()
        return client, client.create_experiment(EXPERIMENT, artifact_location=place)


def _log(client: Any, experiment: str, entry: Entry) -> None:
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


def _is_server(uri: str) -> bool:
    return uri.startswith(("http://", "https://"))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the deprecations inside MLflow from being shown as if they were the user's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
