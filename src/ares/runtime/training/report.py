"""What a training says of itself: what it made, with its evidence, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ares.domain.model import Ensemble
from ares.domain.package import Package
from ares.domain.timeframe import Timeframe
from ares.learn.evaluate import OosMetrics, sentence


class PackageReport(msgspec.Struct, frozen=True):
    """One package that was made, with its evidence."""

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
    """One ensemble that was made; ``left_out`` names the timeframes that are not in it."""

    instrument: str
    hash: str
    anchor: Timeframe
    weights: dict[Timeframe, float]
    left_out: tuple[Timeframe, ...]
    platt_a: float
    platt_b: float
    metrics: OosMetrics
    sentence: str


class MissingPackage(msgspec.Struct, frozen=True):
    """Something that was asked for and not made; ``failed``: by a fault, not for want of rows."""

    subject: str
    reason: str
    failed: bool


class TrainingReport(msgspec.Struct, frozen=True):
    """Everything a training made, left out, and has to say."""

    pairs: tuple[PackageReport, ...]
    ensembles: tuple[EnsembleReport, ...]
    missing: tuple[MissingPackage, ...]
    warnings: tuple[str, ...]


def pair_of(package: Package, metrics: OosMetrics) -> PackageReport:
    """Return what the report says of a package."""
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


def joined_of(
    ensemble: Ensemble, metrics: OosMetrics, asked: Sequence[Timeframe]
) -> EnsembleReport:
    """Return what the report says of an ensemble; ``asked``: the timeframes that were wanted."""
    weights = {member.timeframe: member.weight for member in ensemble.members}
    return EnsembleReport(
        ensemble.instrument,
        ensemble.hash,
        ensemble.anchor,
        weights,
        tuple(timeframe for timeframe in asked if timeframe not in weights),
        ensemble.platt_a,
        ensemble.platt_b,
        metrics,
        sentence(metrics),
    )
