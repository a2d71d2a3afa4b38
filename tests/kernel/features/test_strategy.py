from __future__ import annotations

import numpy as np
import pytest

from ares.kernel.features import FEATURE_NAMES
from ares.kernel.features.strategy import FeatureRow


def test_a_row_has_every_feature_by_name_and_no_other() -> None:
    values = np.arange(len(FEATURE_NAMES) + 2, dtype=np.float32)
    row = FeatureRow(values)
    assert [row[name] for name in row] == list(range(len(row))) == values[: len(row)].tolist()
    assert tuple(row) == FEATURE_NAMES
    with pytest.raises(KeyError, match="no feature is called rsi"):
        row["rsi"]
    assert "rsi" not in dict(row)
