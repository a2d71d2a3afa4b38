"""The rehearsal of an install: a package is put into a copy, and all is asked of it there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ares.adapters.model_bundle import Bundle, read_bundle
from ares.config.workspace import Workspace
from ares.domain.errors import UserError
from ares.domain.manifest import VERDICTS, Manifest
from ares.domain.model import Ensemble
from ares.domain.model_life import VerdictRecorded, hash_of
from ares.domain.package import Package, sha256
from ares.kernel.jit import kernel_hash
from ares.learn.gate.verdict import judge
from ares.runtime.deploy.staging import StagedWorkspace
from ares.runtime.lifecycle.bundle_import import import_models
from ares.runtime.lifecycle.model_export import answers, opsets
from ares.runtime.lifecycle.promotion import doubt_about
from ares.runtime.validation.verdict_file import VerdictFile, read_verdict


@dataclass(frozen=True, slots=True)
class RehearsedInstall:
    """A package that would go in: its models, and the verdict that lets it (None: forced)."""

    bundle: Bundle
    ensemble: Ensemble
    judged: VerdictRecorded | None
    said: VerdictFile | None


def rehearse(
    workspace: StagedWorkspace,
    package: Path,
    environment: str,
    *,
    force: bool,
    champions: Mapping[str, str],
) -> RehearsedInstall:
    """Install a package into the staged workspace and ask everything of it.

    force     : without a verdict (never in live); what the package is must be right all the same.
    champions : by instrument; one of them is not asked for its verdict again, so that an install
                that was interrupted after the promotion can be gone on with.

    Raises UserMistake or WorldTrouble, one line, with the first thing that is wrong: the archive,
    its hashes, the instrument, features, opset, answers, the verdict.
    """
    bundle = read_bundle(package)
    ensemble, manifest = _whole(bundle)
    _require_traded_here(workspace, ensemble)
    for one in bundle.packages:
        _require_same_graph(one, manifest, workspace.settings.promotion.parity_difference_max)
    if manifest.kernel_hash != kernel_hash() and not force:
        raise UserError(
            f"{ensemble.hash[:12]} was exported by another version of Ares (its kernel is "
            f"{manifest.kernel_hash[:12]}, here it is {kernel_hash()[:12]}): bring both to one "
            "version, judge and export again"
        )
    said = {one: _verdict(bundle, one) for one in bundle.history.verdicts}
    import_models(workspace, bundle, package.name, verdicts=True)
    if champions.get(ensemble.instrument) != ensemble.hash:
        doubt = doubt_about(workspace, ensemble, environment, force)
        if doubt is not None:
            raise UserError(f"{ensemble.instrument} {ensemble.hash[:12]}: {doubt}")
    judged = next((one for one in said if one.environment == environment), None)
    return RehearsedInstall(bundle, ensemble, judged, None if judged is None else said[judged])


def _whole(bundle: Bundle) -> tuple[Ensemble, Manifest]:
    """Return the bundle's ensemble and manifest, which must say the same."""
    ensemble, manifest = bundle.ensemble, bundle.manifest
    if ensemble is None:
        raise UserError(
            "it holds a single package, and ensembles trade: export the ensemble "
            "(`ares models export HASH FILE.zip`)"
        )
    if manifest is None:
        raise UserError("it has no manifest.json: export it with this version of Ares")
    told = (manifest.ensemble, manifest.instrument, manifest.features_hash)
    if told != (ensemble.hash, ensemble.instrument, ensemble.features_hash):
        raise UserError("its manifest.json is of another ensemble: export it again")
    members = {member.package_hash for member in ensemble.members}
    if members != {package.hash for package in bundle.packages} or not members:
        raise UserError("it holds other packages than its ensemble's: export it again")
    return ensemble, manifest


def _require_traded_here(workspace: Workspace, ensemble: Ensemble) -> None:
    settings = workspace.settings
    traded = [f"{settings.venue}:{symbol}" for symbol in settings.symbols]
    if ensemble.instrument not in traded:
        raise UserError(
            f"{ensemble.hash[:12]} is for {ensemble.instrument}, which is not traded here "
            f"({', '.join(traded)}): add it to symbols, or take another package"
        )


def _require_same_graph(package: Package, manifest: Manifest, difference_max: float) -> None:
    """Raise UserMistake where a graph has another opset, or answers otherwise than at home."""
    ref = package.card.ref
    expected, mine = manifest.opsets.get(ref), opsets(package)
    if expected != mine:
        raise UserError(f"{ref}: has opset {_named(mine)}, its manifest says {_named(expected)}")
    _require_readable(ref, mine)
    here, there = answers(package), manifest.outputs.get(ref, [])
    if len(here) != len(there):
        raise UserError(f"{ref}: its manifest does not say what it answers: export it again")
    pairs = zip(here, there, strict=True)
    worst = max((abs(a - b) for a, b in pairs), default=0.0)
    if not worst <= difference_max:  # NaN is no answer either
        raise UserError(
            f"{ref}: answers differ by {worst:.2g} from those where it was exported (at most "
            f"{difference_max:g}): install the same version of onnxruntime on both machines"
        )


def _require_readable(ref: str, found: dict[str, int]) -> None:
    """Raise UserMistake for an opset newer than what is known here: it may be read wrongly."""
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


def _verdict(bundle: Bundle, judged: VerdictRecorded) -> VerdictFile:
    """Return a verdict's file, which must be what the record says, and follow from its evidence."""
    name = f"{VERDICTS}/{judged.file}"
    content = bundle.others.get(name)
    if content is None or Path(judged.file).name != judged.file:
        raise UserError(f"{name} is missing: export it again")
    said = read_verdict(content, name)
    rejudged = judge(said.evidence, said.limits, said.verdict.rule)
    agree: Sequence[tuple[object, object]] = (
        (sha256(content), judged.file_hash),
        (said.ensemble, judged.ensemble_hash),
        (said.ensemble, "" if bundle.ensemble is None else bundle.ensemble.hash),
        (said.evidence.subject, judged.ensemble_hash),
        (said.instrument, judged.instrument),
        (said.environment, judged.environment),
        (said.verdict.hash, judged.verdict_hash),
        (said.evidence.hash, judged.evidence_hash),
        (said.verdict.passed, judged.passed),
        (rejudged.passed, judged.passed),
        (said.basis, judged.basis),
        (said.verdict.rule, judged.basis.rule),
        (hash_of(said.limits), judged.basis.limits),
    )
    if any(one != other for one, other in agree):
        raise UserError(
            f"{name}: does not follow from its evidence, or is not the one that was journaled: "
            "judge again where it was trained (`ares models validate`), and export"
        )
    return said
