"""The rehearsal of an install: a package is installed into a copy, and checked there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ares.adapters.model_bundle import Bundle, read_bundle
from ares.domain.errors import UserError
from ares.domain.manifest import VERDICTS, Manifest
from ares.domain.model import Ensemble
from ares.domain.model_life import VerdictRecorded, hash_of
from ares.domain.package import Package, sha256
from ares.kernel.jit import kernel_hash
from ares.learn.gate.verdict import judge
from ares.runtime.deploy.policy import DeployContext
from ares.runtime.deploy.staging import staged_paths
from ares.runtime.lifecycle.bundle_import import import_models
from ares.runtime.lifecycle.model_export import opsets, probe_outputs
from ares.runtime.lifecycle.promotion import promotion_problem
from ares.runtime.validation.request import ValidationConfig
from ares.runtime.validation.verdict_file import VerdictFile, read_verdict


@dataclass(frozen=True, slots=True)
class RehearsedInstall:
    """A package that may be installed: its models and its verdict (None: forced)."""

    bundle: Bundle
    ensemble: Ensemble
    verdict: VerdictRecorded | None


def rehearse(
    context: DeployContext,
    package: Path,
    environment: str,
    folder: Path,
    *,
    force: bool,
    champions: Mapping[str, str],
) -> RehearsedInstall:
    """Install a package into a staged copy of the workspace and check everything there.

    folder    : of the copy; empty.
    force     : without a verdict (never in live); everything else is checked all the same.
    champions : by instrument. A champion's verdict is not checked again, so that an install that
                was interrupted after the promotion can be completed.

    Raises UserError or ExternalError, one line, with the first problem: the archive, its hashes,
    the instrument, features, opset, outputs, the verdict.
    """
    bundle = read_bundle(package)
    ensemble, manifest = _complete(bundle)
    _require_traded_here(context, ensemble)
    for each in bundle.packages:
        _require_same_graph(each, manifest, context.policy.parity_difference_max)
    if manifest.kernel_hash != kernel_hash() and not force:
        raise UserError(
            f"{ensemble.hash[:12]} was exported by another version of Ares (its kernel is "
            f"{manifest.kernel_hash[:12]}, here it is {kernel_hash()[:12]}): bring both to one "
            "version, validate and export again"
        )
    for recorded in bundle.history.verdicts:
        _require_consistent(bundle, recorded)
    staged = staged_paths(context.paths, folder)

    def config() -> ValidationConfig:
        return replace(context.validation(), models=staged.models)

    import_models(staged, config(), bundle, package.name, verdicts=True)
    if champions.get(ensemble.instrument) != ensemble.hash:
        problem = promotion_problem(staged, config, ensemble, environment, force)
        if problem is not None:
            raise UserError(f"{ensemble.instrument} {ensemble.hash[:12]}: {problem}")
    verdicts = (v for v in bundle.history.verdicts if v.environment == environment)
    return RehearsedInstall(bundle, ensemble, next(verdicts, None))


def _complete(bundle: Bundle) -> tuple[Ensemble, Manifest]:
    """Return the bundle's ensemble and manifest, which must agree."""
    ensemble, manifest = bundle.ensemble, bundle.manifest
    if ensemble is None:
        raise UserError(
            "it holds a single package, and only ensembles are deployed: export the ensemble "
            "(`ares models export HASH FILE.zip`)"
        )
    if manifest is None:
        raise UserError("it has no manifest.json: export it with this version of Ares")
    listed = (manifest.ensemble, manifest.instrument, manifest.features_hash)
    if listed != (ensemble.hash, ensemble.instrument, ensemble.features_hash):
        raise UserError("its manifest.json is of another ensemble: export it again")
    members = {member.package_hash for member in ensemble.members}
    if members != {package.hash for package in bundle.packages} or not members:
        raise UserError("it holds other packages than its ensemble's: export it again")
    return ensemble, manifest


def _require_traded_here(context: DeployContext, ensemble: Ensemble) -> None:
    traded = context.policy.instruments
    if ensemble.instrument not in traded:
        raise UserError(
            f"{ensemble.hash[:12]} is for {ensemble.instrument}, which is not traded here "
            f"({', '.join(traded)}): add it to symbols, or take another package"
        )


def _require_same_graph(package: Package, manifest: Manifest, difference_max: float) -> None:
    """Raise UserError where a graph has another opset or other outputs than where it was
    exported.
    """
    ref = package.card.ref
    expected, found = manifest.opsets.get(ref), opsets(package)
    if expected != found:
        raise UserError(f"{ref}: has opset {_named(found)}, its manifest lists {_named(expected)}")
    _require_known_opset(ref, found)
    here, there = probe_outputs(package), manifest.outputs.get(ref, [])
    if len(here) != len(there):
        raise UserError(f"{ref}: its manifest does not list its outputs: export it again")
    pairs = zip(here, there, strict=True)
    worst = max((abs(a - b) for a, b in pairs), default=0.0)
    if not worst <= difference_max:  # NaN differs too
        raise UserError(
            f"{ref}: outputs differ by {worst:.2g} from those where it was exported (at most "
            f"{difference_max:g}): install the same version of onnxruntime on both machines"
        )


def _require_known_opset(ref: str, found: dict[str, int]) -> None:
    """Raise UserError for an opset newer than the installed one: it may be read wrongly."""
    from onnx import defs

    newest = {"ai.onnx": defs.onnx_opset_version(), "ai.onnx.ml": defs.onnx_ml_opset_version()}
    for domain, version in found.items():
        if domain not in newest:
            raise UserError(f"{ref}: uses operators of '{domain}', which Ares does not know")
        if version > newest[domain]:
            raise UserError(
                f"{ref}: was made for opset {version} of {domain}, here {newest[domain]} is the "
                "newest: bring onnx and onnxruntime up to date"
            )


def _named(found: dict[str, int] | None) -> str:
    return ", ".join(f"{name} {number}" for name, number in (found or {}).items()) or "none"


def _require_consistent(bundle: Bundle, recorded: VerdictRecorded) -> None:
    """Raise UserError where a verdict's file is not the recorded one, or does not follow from its
    evidence.
    """
    name = f"{VERDICTS}/{recorded.file}"
    content = bundle.others.get(name)
    if content is None or Path(recorded.file).name != recorded.file:
        raise UserError(f"{name} is missing: export it again")
    file = read_verdict(content, name)
    if any(found != expected for found, expected in _compared(bundle, recorded, file, content)):
        raise UserError(
            f"{name}: does not follow from its evidence, or is not the journaled verdict: judge "
            "again where it was trained (`ares models validate`), and export"
        )


def _compared(
    bundle: Bundle, recorded: VerdictRecorded, file: VerdictFile, content: bytes
) -> Sequence[tuple[object, object]]:
    """Return pairs that are equal in a consistent verdict."""
    judged_again = judge(file.evidence, file.limits, file.verdict.rule, file.attestation)
    return (
        (sha256(content), recorded.file_hash),
        (file.ensemble, recorded.ensemble_hash),
        (file.ensemble, "" if bundle.ensemble is None else bundle.ensemble.hash),
        (file.evidence.subject, recorded.ensemble_hash),
        (file.instrument, recorded.instrument),
        (file.environment, recorded.environment),
        (file.verdict.hash, recorded.verdict_hash),
        (file.evidence.hash, recorded.evidence_hash),
        (file.verdict.passed, recorded.passed),
        (judged_again.passed, recorded.passed),
        ("" if file.attestation is None else file.attestation.by, recorded.plausible_by),
        (file.basis, recorded.basis),
        (file.verdict.rule, recorded.basis.rule),
        (hash_of(file.limits), recorded.basis.limits),
    )
