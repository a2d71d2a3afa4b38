"""A model as the engine trades it: packages, and the ensemble that is judged and promoted."""

from __future__ import annotations

import hashlib

import msgspec

from ares.domain.timeframe import Timeframe


class Member(msgspec.Struct, frozen=True):
    """One package inside an ensemble.

    name, version : the package's folder under ``models/packages/<name>/<version>``.
    package_hash  : SHA-256 over the package's files (its ``model.json`` lists them).
    weight        : share of the vote; the members of an ensemble sum to 1.
    """

    timeframe: Timeframe
    name: str
    version: str
    package_hash: str
    weight: float


class Validation(msgspec.Struct, frozen=True):
    """Net results per trade out of sample: what the mode confidence starts from (before discount).

    trades   : number of trades.
    mean_bps : mean net return of a trade in bps of its notional.
    sd_bps   : standard deviation of the same.
    """

    trades: int = 0
    mean_bps: float = 0.0
    sd_bps: float = 0.0


class Ensemble(msgspec.Struct, frozen=True, omit_defaults=True):
    """The packages of one instrument, their weights and the calibration after aggregation.

    instrument     : key ``venue:SYMBOL``.
    anchor         : the timeframe whose volatility and horizon give a trade its width and its end.
    platt_a, platt_b : p = sigmoid(a * logit(weighted mean of the members' p) + b).
    horizon_bars   : longest holding time, in bars of the anchor.
    width_sigmas   : the barrier's distance in standard deviations of the horizon's return.
    width_min_bps  : the barrier is never nearer than this.
    gain, loss     : mean net result of a winning / losing trade out of sample as a multiple of
                     the width, both positive: edge = width * (p * gain - (1 - p) * loss).
    cost_bps       : round-trip cost that labels and edge were made with.
    recipe_hash    : hash over the members' recipes and the aggregation's.
    """

    instrument: str
    members: tuple[Member, ...]
    anchor: Timeframe
    platt_a: float
    platt_b: float
    horizon_bars: int
    width_sigmas: float
    width_min_bps: float
    gain: float
    loss: float
    cost_bps: float
    recipe_hash: str
    features_hash: str
    validation: Validation = Validation()
    created_at: str = ""

    @property
    def hash(self) -> str:
        """Return the SHA-256 of the canonical JSON: the identity of what is judged and promoted."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()

    @property
    def aggregated(self) -> bool:
        """Return whether it has a calibration after aggregation; False: one package by itself."""
        return len(self.members) > 1 or (self.platt_a, self.platt_b) != (1.0, 0.0)

    @property
    def horizon_ms(self) -> int:
        """Return the longest holding time in milliseconds."""
        return self.horizon_bars * self.anchor.ms
