"""The catalogue: names, columns, warmups, sources, and the numbers of this version."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ares.domain.series import SentimentSpec
from ares.domain.timeframe import HOUR_MS, Timeframe
from ares.kernel.bars import Bars
from ares.kernel.features import (
    FEATURE_NAMES,
    FEATURES,
    N_FEATURES,
    VOLATILITY_20,
    WARMUP_BARS,
    catalogue,
    features_of,
)
from ares.kernel.features.catalogue import FEATURES_VERSION
from ares.kernel.features.observations import ALL_INSTRUMENTS, Observations
from ares.kernel.features.sentiment import SENTIMENT_NAMES, SENTIMENT_VERSION
from ares.kernel.features.series import series_columns


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


GOLDEN = Path(__file__).parent / "golden.json"


MIDNIGHT = 1_700_006_400_000


Walk = Callable[..., Bars]


Columns = dict[str, list[float | None]]


def features(walk: Walk, bad_bars: Walk) -> Columns:
    """Return a few rows of each feature: of a usual market and of one with every trouble."""
    usual = features_of(walk(3, 900), Timeframe("1m"), walk(4, 900)).values
    broken = features_of(bad_bars(5, 1200), Timeframe("1m"), None).values
    return _named(FEATURE_NAMES, np.vstack([usual[300::150], broken[310::110]]))


def sentiment() -> Columns:
    """Return a few rows of each column of sentiment: news every 5 hours, then none."""
    rows = []
    for hour in range(0, 200, 5):
        published_ms = MIDNIGHT + hour * HOUR_MS
        score = hour * 7919 % 2_000_001 - 1_000_000
        rows.append((published_ms + 60_000, published_ms, score / 1e6, ALL_INSTRUMENTS))
    news = Observations.of(rows)
    instants = MIDNIGHT + HOUR_MS * np.array([1, 30, 99, 200, 220])
    return _named(SENTIMENT_NAMES, series_columns(news.about(0), SentimentSpec(), instants))


def _named(names: tuple[str, ...], values: NDArray[np.float32]) -> Columns:
    rounded = [[None if np.isnan(x) else float(f"{x:.7g}") for x in column] for column in values.T]
    return dict(zip(names, rounded, strict=True))


@pytest.mark.parametrize("what", ["features", "sentiment"])
def test_the_numbers_of_this_version_equal_the_stored_ones(
    what: str, walk: Walk, bad_bars: Walk
) -> None:
    """Where this fails on purpose: raise the version, and write the new numbers into the file."""
    version = {"features": FEATURES_VERSION, "sentiment": SENTIMENT_VERSION}[what]
    found = features(walk, bad_bars) if what == "features" else sentiment()
    kept: dict[str, Any] = json.loads(GOLDEN.read_text())[what]
    assert kept["version"] == version
    assert list(kept["columns"]) == list(found)
    for name, column in found.items():
        np.testing.assert_allclose(
            np.array(column, float), np.array(kept["columns"][name], float),
            rtol=1e-4, atol=1e-7, err_msg=f"{name} has other numbers: raise the version",
        )  # fmt: skip
