"""What no promotion by force waives: results above the limits of plausibility need a person's word.

The newest verdict decides where it was given under today's limits; else the packages' own results
out of sample, so that a model is not forced before anybody has looked.
"""

from __future__ import annotations

from collections.abc import Sequence

from ares.domain.model import Ensemble
from ares.domain.model_life import VerdictRecorded, hash_of
from ares.domain.package import Package, PackageCard
from ares.learn.gate.verdict import PLAUSIBLE, GateLimits
from ares.runtime.registry.registry_state import RegistryState


def implausible(
    registry: RegistryState, ensemble: Ensemble, packages: Sequence[Package], limits: GateLimits
) -> str | None:
    """Return why an ensemble of these packages may not even be forced; None: it may."""
    short = ensemble.hash[:12]
    ask = (
        f"`ares models validate {short}` shows it; if it is true, validate with "
        "--plausible-by NAME --reason TEXT"
    )
    verdict = registry.last_verdict(ensemble.hash)
    if verdict is not None and _decides(verdict, limits):
        if PLAUSIBLE not in verdict.failed:
            return None
        return (
            f"--force does not waive the line {PLAUSIBLE}, which refused it at {verdict.at}: {ask}"
        )
    most = limits.plausible_brier_skill_max
    cards = [package.card for package in packages]
    above = [card for card in cards if most is not None and (_skill(card) or 0.0) > most]
    if not above:
        return None
    return (
        f"--force does not waive the line {PLAUSIBLE}: the Brier skill of {above[0].ref} is "
        f"{_skill(above[0]):.1%}, of at most {most:.0%}: {ask}"
    )


def _decides(verdict: VerdictRecorded, limits: GateLimits) -> bool:
    """Return whether a verdict had today's line of plausibility."""
    return PLAUSIBLE in verdict.failed or verdict.basis.limits == hash_of(limits)


def _skill(card: PackageCard) -> float | None:
    """Return the Brier skill score out of sample; None: not known to be out of sample."""
    if card.origin != "trained" and card.trained_to_ms is None:
        return None
    skill = card.metrics.get("brier_skill")
    return float(skill) if isinstance(skill, int | float) else None
