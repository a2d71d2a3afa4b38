"""The report of a training: packages and ensembles with their evidence, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ares.domain.model import Ensemble
from ares.domain.package import Package
from ares.domain.timeframe import Timeframe
from ares.learn.evaluate import OosMetrics, sentence


class PackageReport(msgspec.Struct, frozen=True):
    """One trained package, with its evidence."""

    name: str
    version: str
    package_hash: str
    recipe_hash: str
    instruments: tuple[str, ...]
    timeframe: Timeframe
    rows: int
    metrics: OosMetrics
    sentence: str


class EnsembleReport(msgspec.Struct, frozen=True):
    """One ensemble; ``skipped`` names the requested timeframes that are not in it."""

    instrument: str
    hash: str
    anchor: Timeframe
    weights: dict[Timeframe, float]
    skipped: tuple[Timeframe, ...]
    platt_a: float
    platt_b: float
    metrics: OosMetrics
    sentence: str


class MissingPackage(msgspec.Struct, frozen=True):
    """Something requested that was not made; ``failed``: by a fault, not for lack of rows."""

    subject: str
    reason: str
    failed: bool


class TrainingReport(msgspec.Struct, frozen=True):
    """Everything that a training made and skipped, and its remarks."""

    packages: tuple[PackageReport, ...]
    ensembles: tuple[EnsembleReport, ...]
    missing: tuple[MissingPackage, ...]
    warnings: tuple[str, ...]


def package_report(package: Package, metrics: OosMetrics) -> PackageReport:
    """Return the report of a package."""
    card = package.card
    return PackageReport(
        card.name,
        card.version,
        package.hash,
        card.recipe_hash,
        card.instruments,
        card.timeframe,
        card.data_rows,
        metrics,
        sentence(metrics),
    )


def ensemble_report(
    ensemble: Ensemble, metrics: OosMetrics, requested: Sequence[Timeframe]
) -> EnsembleReport:
    """Return the report of an ensemble; ``requested``: the timeframes of the training."""
    weights = {member.timeframe: member.weight for member in ensemble.members}
    return EnsembleReport(
        ensemble.instrument,
        ensemble.hash,
        ensemble.anchor,
        weights,
        tuple(timeframe for timeframe in requested if timeframe not in weights),
        ensemble.platt_a,
        ensemble.platt_b,
        metrics,
        sentence(metrics),
    )
