"""Settings of learning: thresholds with room between them, rows within their bounds."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from ares.config.learning import ConfidenceSettings, LearningSettings


def test_learning_begins_below_the_threshold_of_trading() -> None:
    with pytest.raises(ValidationError, match="trading_threshold"):
        ConfidenceSettings(trading_threshold=0.5, hysteresis=0.5)
    assert ConfidenceSettings(trading_threshold=0.5, hysteresis=0.4).hysteresis == 0.4


def test_the_fewest_rows_are_not_above_the_most() -> None:
    with pytest.raises(ValidationError, match="rows_max"):
        LearningSettings(rows_min=1_000, rows_max=500)
