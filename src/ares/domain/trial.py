"""A trial: one recipe tried on one scope, counted for ever so that luck cannot hide among many."""

from __future__ import annotations

import msgspec

from ares.domain.model import Validation


class Trial(msgspec.Struct, frozen=True):
    """A recipe that was fitted and looked at; the same recipe on newer data is no new trial.

    kind        : ``package`` or ``ensemble``.
    scope       : instrument key ``venue:SYMBOL``, or ``universe``.
    timeframe   : of the package; the anchor of an ensemble.
    recipe_hash : what is counted: distinct hashes within a scope.
    subject     : ``name/version`` of the package, or the hash of the ensemble.
    validation  : its net result per trade out of sample (the trials' spread enters the verdict).
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
