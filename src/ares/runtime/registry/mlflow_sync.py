"""Brings MLflow up to date with the models' journal and the packages: nothing else writes it.

How far a sync has come is a note in MLflow itself (a tag of the experiment: the number of records,
and the chain's hash there), written last. A sync that is killed is therefore done again from the
same record, a database that was deleted is filled again, and a sync after one change looks only at
the instruments that the new records are about.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

from ares.adapters.mlflow_registry import (
    MlflowRegistry,
    MlflowSession,
    RegisteredVersion,
    RegistryEntry,
)
from ares.adapters.model_store import ModelStore, StoredModels
from ares.domain.model import Ensemble
from ares.domain.model_life import (
    ENVIRONMENTS,
    EnsembleArchived,
    EnsemblePromoted,
    ModelsImported,
    Record,
    VerdictRecorded,
)
from ares.domain.trial import Trial
from ares.journal.log import chain, genesis
from ares.learn.gate.verdict import Verdict
from ares.runtime.registry.journal_head import read_whole
from ares.runtime.registry.mlflow_entries import ensemble_entry, ensemble_model, package_entry
from ares.runtime.registry.model_journal import holding, models_journal, registry_of
from ares.runtime.registry.paths import ModelPaths
from ares.runtime.registry.registry_state import RegistryState

MIRRORED = ("paper", "live")
"""A run over history moves no alias in MLflow."""

NOTE_FORMAT = 3
"""Of the journal whose hashes the notes in MLflow began with; a newer one changes no note."""

LOCK_WAIT_S = 5.0

SYNCING = (
    "another sync of MLflow",
    "nothing is lost: the next change of a model, or `ares models sync`, brings MLflow up to date",
)
"""Who holds the lock, and the advice to the process that finds it taken."""


class SyncReport(msgspec.Struct, frozen=True):
    """What a sync did.

    records     : of the models' journal, that MLflow holds now; new_records: of these, since the
                  last sync.
    registered  : ``name/version`` of packages, and hashes of ensembles, that MLflow did not have.
    changed     : tags, aliases and verdicts that were set.
    corrected   : what MLflow had wrong, one line for each instrument.
    """

    uri: str
    experiment: str
    records: int
    new_records: int
    registered: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    corrected: tuple[str, ...] = ()


def sync(paths: ModelPaths, mlflow: MlflowRegistry, *, everything: bool = False) -> SyncReport:
    """Bring MLflow up to date with the models' journal; what is right already is not changed.

    everything : compare every model, and not only those of records since the last sync.

    Raises MlflowUnavailable where MLflow cannot be reached or does not take it, ExternalError where
    the journal is damaged or another sync holds the lock.
    """
    with holding(mlflow.artefacts_dir, LOCK_WAIT_S, *SYNCING):
        payloads = read_whole(models_journal(paths.journals))
        hashes = _chained(payloads)
        registry = registry_of(paths.journals, payloads)
        with mlflow.session() as session:
            note = f"ares.synced.{hashes[0]}" if hashes else ""
            known = _synced(session.note(note), hashes) if note else 0
            work = _Sync(
                session,
                ModelStore(paths.models),
                paths.verdicts,
                before=RegistryState(registry.records[:known]),
                after=registry,
            )
            if everything:
                work.bring(registry.records, everything=True)
            elif known < len(hashes):
                work.bring(registry.records[known:])
            if note and known < len(hashes):
                session.set_note(note, f"{len(hashes)} {hashes[-1]}")
            return SyncReport(
                mlflow.shown_uri,
                session.experiment,
                len(hashes),
                len(hashes) - known,
                tuple(work.registered),
                tuple(work.changed),
                tuple(work.corrected),
            )


class _VerdictLines(msgspec.Struct):
    """The part of a verdict's file that MLflow keeps as metrics."""

    verdict: Verdict


@dataclass(slots=True)
class _Sync:
    """A sync under way: the state of the last one, the state now, and what was done so far."""

    session: MlflowSession
    store: ModelStore
    verdicts: Path
    before: RegistryState
    after: RegistryState
    registered: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    corrected: list[str] = field(default_factory=list)

    def bring(self, records: Sequence[Record], everything: bool = False) -> None:
        """Bring MLflow up to date with what these records are about."""
        listed = self.store.listed()
        instruments, packages = touched(records, listed)
        if everything:
            instruments |= {ensemble.instrument for ensemble in listed.ensembles}
            packages |= set(listed.hashes)
        self._bring_packages(listed, packages)
        for instrument in sorted(instruments):
            ensembles = listed.of(instrument)
            if ensembles:
                self._bring_ensembles(instrument, ensembles, listed)

    def _bring_packages(self, listed: StoredModels, wanted: set[str]) -> None:
        entries: dict[str, dict[str, RegistryEntry]] = {}
        for card, package_hash in zip(listed.packages, listed.hashes, strict=True):
            if package_hash in wanted:
                entry = package_entry(self.store, card, package_hash)
                entries.setdefault(entry.model, {})[package_hash] = entry
        for model, of_model in entries.items():
            held = self._held(model, "package_hash")
            for package_hash, entry in reversed(of_model.items()):  # the oldest first
                status = self.after.best_status(listed.containing(package_hash))
                self._bring_version(held, package_hash, entry, {"model_status": status})

    def _bring_ensembles(
        self, instrument: str, ensembles: Sequence[Ensemble], listed: StoredModels
    ) -> None:
        model, wrong = ensemble_model(instrument), []
        commits = {(card.name, card.version): card.git_commit for card in listed.packages}
        trials = {trial.subject: trial for trial in self.after.trials if trial.kind == "ensemble"}
        held = self._held(model, "ensemble_hash")
        aliases = aliases_of(self.store, self.after, instrument)
        champions = self._champions_since(instrument, ENVIRONMENTS)
        stored = {ensemble.hash: ensemble for ensemble in ensembles}
        for ensemble_hash in [*held, *(h for h in reversed(stored) if h not in held)]:
            version = held.get(ensemble_hash)
            called_production = version is not None and (
                version.tags.get("model_status") == "production"
            )
            tags: dict[str, str | None] = {
                "challenger_stage": "shadow" if aliases["challenger"] == ensemble_hash else None
            }
            if ensemble_hash in stored or called_production:
                tags["model_status"] = self.after.status(ensemble_hash)
            is_wrong = called_production and tags["model_status"] != "production"
            if is_wrong and ensemble_hash not in champions:
                wrong.append(f"called {ensemble_hash[:12]} production too")
            entry = None
            if ensemble_hash in stored:
                ensemble = stored[ensemble_hash]
                commit = next((commits.get((m.name, m.version), "") for m in ensemble.members), "")
                entry = ensemble_entry(self.store, ensemble, trials.get(ensemble_hash), commit)
            self._bring_version(held, ensemble_hash, entry, tags)
            self._bring_verdict(held[ensemble_hash], ensemble_hash)
        if held:
            wrong += self._bring_aliases(instrument, aliases, held)
        if wrong:
            self.corrected.append(
                f"MLflow differed for {model}, it {'; it '.join(wrong)}: corrected there, the "
                "models' journal decides"
            )

    def _bring_version(
        self,
        held: dict[str, RegisteredVersion],
        key: str,
        entry: RegistryEntry | None,
        tags: Mapping[str, str | None],
    ) -> None:
        """Register a version where MLflow has none, else set those of its tags that differ."""
        if key not in held:
            assert entry is not None  # what is not held is stored
            present = {name: value for name, value in tags.items() if value is not None}
            held[key] = self.session.register(entry, present)
            self.registered.append(entry.title)
            return
        version = held[key]
        differing = {n: v for n, v in tags.items() if version.tags.get(n) != v}
        if differing:
            self.session.set_tags(version, differing)
            self.changed += [f"{version.model} {key[:12]}: {n} {v}" for n, v in differing.items()]

    def _bring_verdict(self, version: RegisteredVersion, ensemble_hash: str) -> None:
        """Add the newest verdict on an ensemble to its run, where MLflow has another or none."""
        verdicts = [v for v in self.after.verdicts if v.ensemble_hash == ensemble_hash]
        if not verdicts:
            return
        verdict = verdicts[-1]
        tags = {
            "verdict": "passed" if verdict.passed else "refused",
            "verdict_hash": verdict.verdict_hash,
            "verdict_environment": verdict.environment,
        }
        if all(version.tags.get(name) == value for name, value in tags.items()):
            return
        path = self.verdicts / verdict.file
        files = [each for each in (path, path.with_suffix(".png")) if each.is_file()]
        self.session.add_results(version.run_id, _metrics(path), len(verdicts) - 1, files)
        self.session.set_tags(version, tags)  # last: a sync that is killed adds the rest again
        self.changed.append(f"{version.model} {ensemble_hash[:12]}: verdict {tags['verdict']}")

    def _bring_aliases(
        self,
        instrument: str,
        aliases: Mapping[str, str | None],
        held: Mapping[str, RegisteredVersion],
    ) -> list[str]:
        """Set the aliases; return what was wrong with those of champions."""
        model, wrong = ensemble_model(instrument), []
        present = self.session.aliases(model)
        hashes = {version.version: ensemble_hash for ensemble_hash, version in held.items()}
        for alias, holder in aliases.items():
            seen = hashes.get(present[alias], "another") if alias in present else None
            wanted = holder if holder in held else None
            if seen == wanted:
                continue
            environment = alias.removesuffix("-champion")
            known = self._champions_since(instrument, [environment])
            if seen is not None and seen not in known and environment in MIRRORED:
                wrong.append(f"had {seen[:12]} as {alias}")
            self.session.set_alias(model, alias, None if wanted is None else held[wanted].version)
            self.changed.append(f"{model}: {alias} {wanted[:12] if wanted else 'nobody'}")
        return wrong

    def _held(
        self, model: str, key: Literal["package_hash", "ensemble_hash"]
    ) -> dict[str, RegisteredVersion]:
        """Return the newest version of each package or ensemble that MLflow has."""
        held: dict[str, RegisteredVersion] = {}
        for version in self.session.versions(model):
            if key in version.tags:
                held.setdefault(version.tags[key], version)
        return held

    def _champions_since(self, instrument: str, environments: Iterable[str]) -> set[str]:
        """Return the hashes of an instrument's champions at the last sync, and since: MLflow may
        still call these so.
        """
        found = {self.before.champion(environment, instrument) for environment in environments}
        return found | {
            promotion.ensemble_hash
            for promotion in self.after.promotions[len(self.before.promotions) :]
            if promotion.instrument == instrument and promotion.environment in environments
        }


def aliases_of(
    store: ModelStore, registry: RegistryState, instrument: str
) -> dict[str, str | None]:
    """Return who has which alias: ``paper-champion``, ``live-champion``, ``challenger``.

    The challenger is the newest ensemble while it is a candidate: every run takes it beside the
    champion, with virtual trades only (``challenger_stage`` shadow).
    """
    aliases: dict[str, str | None] = {
        f"{environment}-champion": registry.champion(environment, instrument) or None
        for environment in MIRRORED
    }
    newest = store.newest_candidate(instrument, without=registry.archived)
    waiting = newest is not None and registry.status(newest.hash) == "candidate"
    aliases["challenger"] = newest.hash if newest is not None and waiting else None
    return aliases


def touched(records: Iterable[Record], listed: StoredModels) -> tuple[set[str], set[str]]:
    """Return the instruments, and the hashes of packages, that records are about."""
    instruments: set[str] = set()
    refs: set[str] = set()
    ensembles: set[str] = set()
    for record in records:
        if isinstance(record, Trial):
            (refs if record.kind == "package" else ensembles).add(record.subject)
        elif isinstance(record, VerdictRecorded | EnsemblePromoted):
            instruments.add(record.instrument)
        elif isinstance(record, EnsembleArchived):
            ensembles.add(record.ensemble_hash)
        elif isinstance(record, ModelsImported):
            refs.update(record.packages)
            ensembles.add(record.ensemble_hash)
    instruments |= {e.instrument for e in listed.ensembles if e.hash in ensembles}
    pairs = zip(listed.packages, listed.hashes, strict=True)
    packages = {package_hash for card, package_hash in pairs if card.ref in refs}
    for ensemble in listed.ensembles:
        if ensemble.instrument in instruments:
            packages |= {member.package_hash for member in ensemble.members}
    return instruments, packages


def _metrics(path: Path) -> dict[str, float]:
    """Return the numbers of a verdict's lines; none where its file cannot be read."""
    try:
        lines = msgspec.json.decode(path.read_bytes(), type=_VerdictLines).verdict.lines
    except (OSError, msgspec.DecodeError):
        return {}
    return {f"gate.{line.name}": float(line.value) for line in lines if line.value is not None}


def _chained(payloads: Iterable[bytes]) -> list[str]:
    """Return the chain's hash at each record."""
    hashes, before = [], genesis(NOTE_FORMAT)
    for payload in payloads:
        before = chain(before, payload)
        hashes.append(before.hex())
    return hashes


def _synced(note: str | None, hashes: Sequence[str]) -> int:
    """Return how many records MLflow holds by its note; 0 where it is of another journal."""
    count, _, newest = (note or "").partition(" ")
    known = int(count) if count.isdigit() else 0
    return known if 0 < known <= len(hashes) and hashes[known - 1] == newest else 0
