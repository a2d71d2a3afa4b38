"""Export of models: with their verdicts, the recipes tried, and a manifest to check them by."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ares.adapters.model_bundle import Bundle
from ares.adapters.model_bundle import export as export_bundle
from ares.adapters.model_choice import choose_by_symbol
from ares.adapters.model_store import ModelStore
from ares.adapters.onnx_model import F32, open_model
from ares.domain.errors import ExternalError, UserError
from ares.domain.manifest import (
    HISTORY_FILE,
    MANIFEST_FILE,
    VERDICTS,
    EnsembleHistory,
    Manifest,
    json_bytes,
)
from ares.domain.model_life import ENVIRONMENTS
from ares.domain.package import Package, sha256
from ares.kernel.jit import kernel_hash
from ares.runtime.registry.model_journal import read_registry
from ares.runtime.registry.paths import ModelPaths
from ares.runtime.registry.registry_state import RegistryState
from ares.runtime.validation.verdict_file import require_unchanged

PROBE_ROWS = 32


def export_model(paths: ModelPaths, ref: str, target: Path) -> Bundle:
    """Write a package, or an ensemble with everything it needs elsewhere, to ``target``.

    The same models with the same history give the same bytes. Raises UserError where the target
    exists, ExternalError where a package or a verdict is damaged.
    """
    registry = read_registry(paths.journals)

    def companions(bundle: Bundle, files: Mapping[str, bytes]) -> Mapping[str, bytes]:
        more = _history(paths, registry, bundle)
        sums = {name: sha256(content) for name, content in sorted({**files, **more}.items())}
        ensemble, first = bundle.ensemble, bundle.packages[0].card
        manifest = Manifest(
            ensemble="" if ensemble is None else ensemble.hash,
            instrument="" if ensemble is None else ensemble.instrument,
            features_hash=first.features_hash if ensemble is None else ensemble.features_hash,
            kernel_hash=kernel_hash(),
            opsets={p.card.ref: opsets(p) for p in bundle.packages},
            outputs={p.card.ref: probe_outputs(p) for p in bundle.packages},
            files=sums,
        )
        return {**more, MANIFEST_FILE: json_bytes(manifest)}

    store = ModelStore(paths.models)
    choice = choose_by_symbol(store.listed(), ref, registry.judged, registry.archived)
    named = ref if choice is None else choice.ensemble.hash
    return export_bundle(store, named, target, companions)


def opsets(package: Package) -> dict[str, int]:
    """Return the opset of each ONNX domain that a package's graph uses; a strategy has none."""
    import onnx

    if package.card.strategy is not None:
        return {}

    try:
        model = onnx.load_model_from_string(package.graph)
    except Exception as error:  # whatever protobuf raises
        raise UserError(f"{package.card.ref}: is not an ONNX model ({error})") from None
    return {opset.domain or "ai.onnx": opset.version for opset in model.opset_import}


def probe_outputs(package: Package) -> list[float]:
    """Return a package's probabilities on the probe's rows."""
    card = package.card
    found = open_model(package.graph, len(card.features), card.ref)(probe(len(card.features)))
    return [float(p) for p in found]


def probe(n_features: int) -> F32:
    """Return (PROBE_ROWS, n_features) values between -4 and 4, the same on every machine."""
    index = np.arange(PROBE_ROWS * n_features, dtype=np.int64).reshape(PROBE_ROWS, n_features)
    return ((index * 7919 % 2001 - 1000) / 250.0).astype(np.float32)


def _history(paths: ModelPaths, registry: RegistryState, bundle: Bundle) -> dict[str, bytes]:
    """Return the newest verdict for each environment with its files, and the trials."""
    ensemble = bundle.ensemble
    if ensemble is None:
        scopes = {key for package in bundle.packages for key in package.card.instruments}
        trials = tuple(t for t in registry.trials if t.scope in {*scopes, "universe"})
        return {HISTORY_FILE: json_bytes(EnsembleHistory((), trials))}
    found = (registry.verdict_on(ensemble.hash, environment) for environment in ENVIRONMENTS)
    verdicts = tuple(verdict for verdict in found if verdict is not None)
    trials = tuple(t for t in registry.trials if t.scope in (ensemble.instrument, "universe"))
    files = {HISTORY_FILE: json_bytes(EnsembleHistory(verdicts, trials))}
    for verdict in verdicts:
        require_unchanged(paths, verdict)
        path = paths.verdicts / verdict.file
        for part in (path, path.with_suffix(".png")):
            try:
                files[f"{VERDICTS}/{part.name}"] = part.read_bytes()
            except FileNotFoundError:
                if part == path:
                    raise ExternalError(f"{path}: the verdict is missing: validate again") from None
    return files
