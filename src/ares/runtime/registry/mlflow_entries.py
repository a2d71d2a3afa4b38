"""What MLflow keeps of a model: a run for each package and each ensemble, with its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ares.adapters.mlflow_registry import RegistryEntry
from ares.adapters.model_store import ModelStore
from ares.domain.instrument import Instrument
from ares.domain.model import Ensemble
from ares.domain.package import PackageCard
from ares.domain.trial import Trial


def package_entry(store: ModelStore, card: PackageCard, package_hash: str) -> RegistryEntry:
    """Return the entry of a package: recipe, evidence, origin, and all its files."""
    recipe = {name: value for name, value in card.recipe.items() if name != "features"}
    return RegistryEntry(
        model=card.name,
        title=card.ref,
        artefacts=store.folder(card),
        key=("package_hash", package_hash),
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
            "recipe_hash": card.recipe_hash,
            "data_hash": card.data_hash,
            "features_hash": card.features_hash,
            "git_commit": card.git_commit,
            "instruments": ",".join(card.instruments),
            "timeframe": card.timeframe.value,
        },
    )


def ensemble_entry(
    store: ModelStore, ensemble: Ensemble, trial: Trial | None, git_commit: str
) -> RegistryEntry:
    """Return the entry of an ensemble: members, weights, calibration and evidence.

    trial : as the models' journal has it, with the out-of-sample metrics; where it has none, the
            ensemble's validation trades are its metrics.
    """
    members = {f"weight.{member.timeframe}": member.weight for member in ensemble.members}
    calibration = ("anchor", "platt_a", "platt_b", "gain", "loss", "cost_bps", "horizon_bars")
    validation = ensemble.validation
    metrics = {name: getattr(validation, name) for name in validation.__struct_fields__}
    if trial is not None and trial.metrics:
        metrics = dict(trial.metrics)
    return RegistryEntry(
        model=ensemble_model(ensemble.instrument),
        title=f"{ensemble.instrument} {ensemble.hash[:12]}",
        artefacts=store.ensemble_path(ensemble),
        key=("ensemble_hash", ensemble.hash),
        params={**members, **{name: getattr(ensemble, name) for name in calibration}},
        metrics=_numbers(metrics),
        tags={
            "kind": "ensemble",
            "recipe_hash": ensemble.recipe_hash,
            "data_hash": ",".join(member.package_hash[:16] for member in ensemble.members),
            "features_hash": ensemble.features_hash,
            "git_commit": git_commit,
            "instruments": ensemble.instrument,
        },
    )


def ensemble_model(instrument: str) -> str:
    """Return the name under which an instrument's ensembles are registered.

    >>> ensemble_model("binance:BTC/USDT")
    'ensemble_binance_BTC-USDT'
    """
    return f"ensemble_{Instrument.parse(instrument).slug}"


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return the metrics that are numbers; MLflow takes nothing else."""
    return {n: float(v) for n, v in metrics.items() if isinstance(v, int | float)}


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
