"""The catalogue keeps its word: names, columns, warmups, sources."""

from __future__ import annotations

import numpy as np

from ares.kernel.features import (
    FEATURE_NAMES,
    FEATURES,
    N_FEATURES,
    STATE,
    VOLATILITY_20,
    WARMUP_BARS,
    catalogue,
    feature_state,
)


def test_there_are_enough_features_and_none_needs_too_long() -> None:
    assert 44 <= N_FEATURES <= 56
    assert len(set(FEATURE_NAMES)) == N_FEATURES
    assert all(1 <= spec.warmup_bars <= WARMUP_BARS <= 256 for spec in FEATURES)
    assert all(spec.formula and spec.source and spec.group for spec in FEATURES)


def test_every_column_constant_is_its_features_place() -> None:
    assert [getattr(catalogue, name.upper()) for name in FEATURE_NAMES] == list(range(N_FEATURES))
    assert FEATURE_NAMES[VOLATILITY_20] == "volatility_20"


def test_the_groups_are_the_families() -> None:
    assert {spec.group for spec in FEATURES} == {
        "returns", "volatility", "trend", "momentum", "volume", "range", "session", "cross",
    }  # fmt: skip


def test_the_state_has_no_padding() -> None:
    assert STATE.itemsize == sum(STATE[name].itemsize for name in STATE.names or ())
    one, other = feature_state(3, 60_000), feature_state(3, np.full(3, 60_000))
    assert one.tobytes() == other.tobytes()
