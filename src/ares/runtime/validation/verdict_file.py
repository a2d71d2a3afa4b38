"""A saved verdict: a file and a picture next to the models, and a record in the models' journal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ares.adapters.durable import write_file
from ares.adapters.model_store import ModelStore
from ares.domain.errors import ExternalError, UserError
from ares.domain.formats import VERDICT_FORMAT
from ares.domain.model_life import VerdictBasis, VerdictRecorded
from ares.domain.package import sha256
from ares.learn.gate.evidence import Evidence
from ares.learn.gate.plausible import Attestation
from ares.learn.gate.series_ablation import AblationResult
from ares.learn.gate.verdict import GateLimits, Verdict
from ares.runtime.registry.model_journal import record
from ares.runtime.registry.paths import ModelPaths
from ares.runtime.registry.registry_state import RegistryState
from ares.runtime.validation.pipeline import ValidationResult

FOLDER = "verdicts"
PLAUSIBLE_LIMITS = ("plausible_brier_skill_max", "plausible_sharpe_max")


class VerdictFile(msgspec.Struct, frozen=True):
    """The content of a verdict's file.

    attestation : a person's word that the verdict rests on; None: it needs none.
    """

    format: int
    ensemble: str
    instrument: str
    environment: str
    verdict: Verdict
    verdict_hash: str
    evidence: Evidence
    limits: GateLimits
    basis: VerdictBasis
    notes: tuple[str, ...]
    at: str
    who: str
    ablations: tuple[AblationResult, ...] = ()
    attestation: Attestation | None = None


class _Header(msgspec.Struct):
    format: int = 1
    limits: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class SavedVerdict:
    """The path of a verdict's file, and its picture."""

    record: VerdictRecorded
    path: Path
    picture: Path
    png: bytes


def verdict_file(result: ValidationResult, at: str, who: str) -> VerdictFile:
    """Return the content of the file of a verdict that ``who`` requested."""
    return VerdictFile(
        VERDICT_FORMAT,
        result.ensemble.hash,
        result.ensemble.instrument,
        result.environment,
        result.verdict,
        result.verdict.hash,
        result.evidence,
        result.limits,
        result.basis,
        result.notes,
        at,
        who,
        result.ablations,
        result.attestation,
    )


def verdict_bytes(content: VerdictFile) -> bytes:
    """Return the bytes of a verdict's file; the same verdict gives the same bytes."""
    return msgspec.json.format(msgspec.json.encode(content, order="sorted"), indent=2) + b"\n"


def read_verdict(content: bytes, name: str) -> VerdictFile:
    """Return the content of a verdict's file.

    name : how a message names the file.

    Raises UserError where it is no verdict, or one of another format.
    """
    try:
        header = msgspec.json.decode(content, type=_Header)
        if header.format == VERDICT_FORMAT:
            return _with_limits_of_its_time(
                msgspec.json.decode(content, type=VerdictFile), header.limits
            )
    except msgspec.DecodeError as error:
        raise UserError(f"{name}: is no verdict of this version of Ares ({error})") from None
    raise UserError(
        f"{name}: is a verdict of format {header.format}, and this version of Ares reads format "
        f"{VERDICT_FORMAT}: validate the ensemble again (`ares models validate`)"
    )


def _with_limits_of_its_time(content: VerdictFile, limits: dict[str, Any]) -> VerdictFile:
    """Return a verdict of before there were limits of plausibility with none, not with today's.

    limits : as they are in the file.
    """
    missing = {name: None for name in PLAUSIBLE_LIMITS if name not in limits}
    return msgspec.structs.replace(
        content, limits=msgspec.structs.replace(content.limits, **missing)
    )


def save_verdict(
    paths: ModelPaths, result: ValidationResult, png: bytes, at: str, who: str
) -> SavedVerdict:
    """Write a verdict's file and picture, then its record into the models' journal.

    png : the picture, see ``verdict_picture``.     at : time of the verdict, ISO 8601.
    """
    ensemble, verdict = result.ensemble, result.verdict
    content = verdict_bytes(verdict_file(result, at, who))
    ModelStore(paths.models).save_ensemble(ensemble)
    path = _free(verdict_path(paths.models, ensemble.hash, at))
    write_file(path, content)
    write_file(path.with_suffix(".png"), png)
    recorded = VerdictRecorded(
        result.environment,
        ensemble.instrument,
        ensemble.hash,
        verdict.passed,
        tuple(line.name for line in verdict.failed),
        verdict.hash,
        verdict.evidence_hash,
        result.basis,
        path.name,
        sha256(content),
        at,
        who,
        "" if result.attestation is None else result.attestation.by,
        "" if result.attestation is None else result.attestation.reason,
    )
    record(paths.journals, [recorded])
    return SavedVerdict(recorded, path, path.with_suffix(".png"), png)


def verdict_path(folder: Path, ensemble_hash: str, at: str) -> Path:
    """Return where a verdict of an instant is saved, below a folder of models or of a run."""
    stamp = at.replace("-", "").replace(":", "")
    return folder / FOLDER / f"{ensemble_hash}_{stamp}.json"


def require_unchanged(paths: ModelPaths, recorded: VerdictRecorded) -> None:
    """Raise ExternalError where a verdict's file is missing, or is not what was written."""
    path = paths.models / FOLDER / recorded.file
    again = f"validate again (`ares models validate {recorded.ensemble_hash[:12]}`)"
    try:
        content = path.read_bytes()
    except OSError:
        raise ExternalError(f"{path}: the verdict is missing: {again}") from None
    if sha256(content) != recorded.file_hash:
        raise ExternalError(f"{path}: has changed since it was written: {again}")


def unknown_verdicts(paths: ModelPaths, book: RegistryState) -> str | None:
    """Return a warning where there are verdicts that the journal does not have; None: none.

    A models' journal that was deleted as a whole can only be noticed by such files.
    """
    known = {recorded.file for recorded in book.verdicts}
    folder = paths.models / FOLDER
    unknown = [
        path.name
        for path in sorted(folder.glob("*.json"))
        if path.name not in known and not path.name.startswith(".")
    ]
    if not unknown:
        return None
    return (
        f"{len(unknown)} of the verdicts in {folder} are not in the models' journal "
        f"({unknown[0]}): if {paths.journals} was deleted, champions and trials are lost: restore "
        "it from a backup; otherwise move these files away"
    )


def verdict_json(saved: SavedVerdict) -> dict[str, Any]:
    """Return the content of a verdict's file, whether it passed, and the file's path."""
    content: dict[str, Any] = msgspec.json.decode(saved.path.read_bytes())
    return {**content, "passed": saved.record.passed, "file": str(saved.path)}


def _free(path: Path) -> Path:
    """Return the path, with a number where two verdicts fall into one second."""
    attempt, found = 1, path
    while found.exists():
        attempt += 1
        found = path.with_name(f"{path.stem}_{attempt}.json")
    return found
