"""A verdict kept: a file and a picture beside the models, a record in the models' journal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ares.adapters.durable import write_file
from ares.adapters.model_store import ModelStore
from ares.config.workspace import Workspace
from ares.domain.errors import ExternalError
from ares.domain.model import Ensemble
from ares.domain.model_life import VerdictBasis, VerdictRecorded
from ares.domain.package import sha256
from ares.learn.gate.evidence import Evidence
from ares.learn.gate.picture import draw_verdict
from ares.learn.gate.sentiment_ablation import AblationResult
from ares.learn.gate.verdict import GateLimits, Verdict
from ares.runtime.registry.model_journal import record, who
from ares.runtime.registry.registry_state import RegistryState
from ares.runtime.validation.validate import ValidationResult

FOLDER = "verdicts"


class VerdictFile(msgspec.Struct, frozen=True):
    """What the file of a verdict says."""

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
    sentiment: AblationResult | None = None


@dataclass(frozen=True, slots=True)
class SavedVerdict:
    """Where a verdict lies."""

    judged: VerdictRecorded
    path: Path
    picture: Path
    png: bytes


def keep(workspace: Workspace, judgement: ValidationResult) -> SavedVerdict:
    """Write a verdict's file and picture, then its record into the models' journal."""
    ensemble, verdict = judgement.ensemble, judgement.verdict
    evidence = judgement.examined.evidence
    said = VerdictFile(
        ensemble.hash,
        ensemble.instrument,
        judgement.environment,
        verdict,
        verdict.hash,
        evidence,
        judgement.limits,
        judgement.basis,
        judgement.notes,
        judgement.at,
        who(),
        judgement.sentiment,
    )
    content = msgspec.json.format(msgspec.json.encode(said, order="sorted"), indent=2) + b"\n"
    png = draw_verdict(verdict, evidence, judgement.examined.exhibit, title_of(ensemble))
    ModelStore(workspace.models_dir).save_ensemble(ensemble)
    folder = workspace.models_dir / FOLDER
    stamp = judgement.at.replace("-", "").replace(":", "")
    path = _free(folder / f"{ensemble.hash}_{stamp}.json")
    write_file(path, content)
    write_file(path.with_suffix(".png"), png)
    judged = VerdictRecorded(
        judgement.environment,
        ensemble.instrument,
        ensemble.hash,
        verdict.passed,
        tuple(line.name for line in verdict.failed),
        verdict.hash,
        verdict.evidence_hash,
        judgement.basis,
        path.name,
        sha256(content),
        judgement.at,
        said.who,
    )
    record(workspace.journal_dir, [judged])
    return SavedVerdict(judged, path, path.with_suffix(".png"), png)


def require_unchanged(workspace: Workspace, judged: VerdictRecorded) -> None:
    """Raise WorldTrouble where a verdict's file is missing, or is not what was written."""
    path = workspace.models_dir / FOLDER / judged.file
    again = f"`ares models validate {judged.ensemble_hash[:12]}`"
    try:
        content = path.read_bytes()
    except OSError:
        raise ExternalError(f"{path}: the verdict is missing: {again} judges again") from None
    if sha256(content) != judged.file_hash:
        raise ExternalError(f"{path}: was changed since it was written: {again} judges again")


def strangers(workspace: Workspace, book: RegistryState) -> str | None:
    """Return a line where verdicts lie here that the journal does not know; None: it knows all.

    A journal that was deleted as a whole is only missed by what lies elsewhere.
    """
    known = {judged.file for judged in book.verdicts}
    unknown = [
        path.name
        for path in sorted((workspace.models_dir / FOLDER).glob("*.json"))
        if path.name not in known and not path.name.startswith(".")
    ]
    if not unknown:
        return None
    return (
        f"{len(unknown)} of the verdicts in {workspace.models_dir / FOLDER} are not in the models' "
        f"journal ({unknown[0]}): if {workspace.journal_dir} was deleted, champions and trials are "
        "forgotten: restore it from a backup; else move these files away"
    )


def title_of(ensemble: Ensemble) -> str:
    """Return how a picture calls an ensemble: ``binance:BTC/USDT  1h 4h``."""
    return f"{ensemble.instrument}  {' '.join(member.timeframe for member in ensemble.members)}"


def verdict_json(judgement: ValidationResult, kept: SavedVerdict) -> dict[str, Any]:
    """Return everything that the file says, with where it lies."""
    content: dict[str, Any] = msgspec.json.decode(kept.path.read_bytes())
    return {**content, "passed": judgement.verdict.passed, "file": str(kept.path)}


def _free(path: Path) -> Path:
    """Return the path, with a number where two verdicts fell into one second."""
    attempt, found = 1, path
    while found.exists():
        attempt += 1
        found = path.with_name(f"{path.stem}_{attempt}.json")
    return found
