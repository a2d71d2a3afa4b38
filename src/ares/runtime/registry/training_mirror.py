"""What MLflow is told of a training: a run for each package and each ensemble."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ares.adapters.mlflow_registry import RegistryEntry
from ares.adapters.model_store import ModelStore
from ares.domain.instrument import Instrument
from ares.domain.model import Ensemble, Validation
from ares.domain.package import Package
from ares.learn.evaluate import OosMetrics


def package_entry(store: ModelStore, package: Package) -> RegistryEntry:
    """Return the run of a package: recipe, evidence, origin, and all its files."""
    card = package.card
    recipe = {name: value for name, value in card.recipe.items() if name != "features"}
    return RegistryEntry(
        model=card.name,
        title=card.ref,
        artefacts=store.folder(card),
        params={
            **_flat(recipe),
            "rows": card.data_rows,
            "data_from_ms": card.data_from_ms,
            "data_to_ms": card.data_to_ms,
        },
        metrics=_numbers(card.metrics),
        tags={
            "kind": "package",
            "version": card.version,
            "package_hash": package.hash,
            "recipe_hash": card.recipe_hash,
            "data_hash": card.data_hash,
            "features_hash": card.features_hash,
            "git_commit": card.git_commit,
            "instruments": ",".join(card.instruments),
            "timeframe": card.timeframe.value,
        },
    )


def ensemble_entry(
    store: ModelStore, ensemble: Ensemble, metrics: OosMetrics | None, git_commit: str
) -> RegistryEntry:
    """Return the run of an ensemble: members, weights, calibration and evidence.

    metrics : None where they are not at hand: its validation trades stand for them.
    """
    evidence: OosMetrics | Validation = ensemble.validation if metrics is None else metrics
    members = {f"weight.{member.timeframe}": member.weight for member in ensemble.members}
    calibration = ("anchor", "platt_a", "platt_b", "gain", "loss", "cost_bps", "horizon_bars")
    return RegistryEntry(
        model=ensemble_model(ensemble),
        title=f"{ensemble.instrument} {ensemble.hash[:12]}",
        artefacts=store.ensemble_path(ensemble),
        params={**members, **{name: getattr(ensemble, name) for name in calibration}},
        metrics=_numbers({name: getattr(evidence, name) for name in evidence.__struct_fields__}),
        tags={
            "kind": "ensemble",
            "ensemble_hash": ensemble.hash,
            "recipe_hash": ensemble.recipe_hash,
            "data_hash": ",".join(member.package_hash[:16] for member in ensemble.members),
            "features_hash": ensemble.features_hash,
            "git_commit": git_commit,
            "instruments": ensemble.instrument,
        },
    )


def ensemble_model(ensemble: Ensemble) -> str:
    """Return the name under which an instrument's ensembles are registered."""
    return f"ensemble_{Instrument.parse(ensemble.instrument).slug}"


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return what is a number; MLflow takes nothing else."""
    kept = {n: v for n, v in metrics.items() if isinstance(v, int | float) and v is not None}
    return {name: float(value) for name, value in kept.items()}


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested names as one name with points.

    >>> _flat({"label": {"horizon_bars": 12}, "folds": 5})
    {'label.horizon_bars': 12, 'folds': 5}
    """
    out: dict[str, Any] = {}
    for name, value in content.items():
        if isinstance(value, Mapping):
            out |= _flat(value, f"{prefix}{name}.")
        else:
            out[f"{prefix}{name}"] = value
    return out
