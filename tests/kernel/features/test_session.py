"""The time of day and of week against pandas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ares.kernel.bars import F64, Bars

Agree = Callable[..., None]


def formulas(b: Bars, _ref: F64, _plain: Any) -> dict[str, F64]:
    """Return each feature by its formula."""
    time = pd.DatetimeIndex(b.ts_ms.astype("datetime64[ms]"))
    minute = np.asarray(time.hour * 60 + time.minute, np.float64) * 2 * np.pi / 1440
    hour = np.asarray(time.day_of_week * 24 + time.hour, np.float64) * 2 * np.pi / 168
    return {
        "day_sin": np.sin(minute),
        "day_cos": np.cos(minute),
        "week_sin": np.sin(hour),
        "week_cos": np.cos(hour),
    }


def test_formulas_on_a_walk(agree_on_a_walk: Agree) -> None:
    agree_on_a_walk(formulas, "session")


@pytest.mark.data
def test_formulas_on_real_hours(agree_on_real_hours: Agree) -> None:
    agree_on_real_hours(formulas, "session")
