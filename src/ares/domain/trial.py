"""A trial: one recipe tried on one scope. Every trial counts in every later verdict."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ares.domain.model import Ensemble, Validation
from ares.domain.package import PackageCard


class Trial(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """A recipe that was fitted and evaluated; the same recipe on newer data is not a new trial.

    kind        : ``package`` or ``ensemble``.
    scope       : instrument key ``venue:SYMBOL``, or ``universe``.
    timeframe   : of the package; the anchor of an ensemble.
    recipe_hash : what is counted: distinct hashes within a scope.
    subject     : ``name/version`` of the package, or the hash of the ensemble.
    validation  : its net result per trade out of sample.
    first_day, daily : of an ensemble: its daily returns out of sample from that UTC day (days since
                  the epoch) on, little-endian float64; empty: not known. Their spread over the
                  trials enters every later verdict.
    metrics     : of an ensemble: name and value of its other results out of sample. A package has
                  its own on its card.
    """

    kind: str
    scope: str
    timeframe: str
    recipe_hash: str
    subject: str
    data_hash: str
    data_from_ms: int
    data_to_ms: int
    validation: Validation
    created_at: str
    first_day: int = 0
    daily: bytes = b""
    metrics: tuple[tuple[str, float], ...] = ()


def ensemble_trial(
    ensemble: Ensemble,
    cards: Sequence[PackageCard],
    first_day: int = 0,
    daily: bytes = b"",
    metrics: tuple[tuple[str, float], ...] = (),
) -> Trial:
    """Return the trial that an ensemble of these packages is."""
    return Trial(
        kind="ensemble",
        scope=ensemble.instrument,
        timeframe=ensemble.anchor.value,
        recipe_hash=ensemble.recipe_hash,
        subject=ensemble.hash,
        data_hash=",".join(card.data_hash[:16] for card in cards),
        data_from_ms=min(card.data_from_ms for card in cards),
        data_to_ms=max(card.data_to_ms for card in cards),
        validation=ensemble.validation,
        created_at=ensemble.created_at,
        first_day=first_day,
        daily=daily,
        metrics=metrics,
    )
