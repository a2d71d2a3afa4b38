"""Features: the numbers of a bar, the same in training, backtest and live."""

from ares.kernel.features.catalogue import (
    FEATURE_NAMES,
    FEATURES,
    FEATURES_HASH,
    N_FEATURES,
    VOLATILITY_20,
    WARMUP_BARS,
    FeatureSpec,
)
from ares.kernel.features.scan import FeatureTable, feature_scan, features_of
from ares.kernel.features.state import STATE, feature_state
from ares.kernel.features.step import feature_step

__all__ = [
    "FEATURES",
    "FEATURES_HASH",
    "FEATURE_NAMES",
    "N_FEATURES",
    "STATE",
    "VOLATILITY_20",
    "WARMUP_BARS",
    "FeatureSpec",
    "FeatureTable",
    "feature_scan",
    "feature_state",
    "feature_step",
    "features_of",
]
