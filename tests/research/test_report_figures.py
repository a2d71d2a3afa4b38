"""The histogram, the month table and the cost shares add up."""

from __future__ import annotations

import numpy as np
import pytest

from ares.research import BacktestResult
from ares.research.report_figures import confidence_bins, cost_shares, years


def test_figures_add_up(baseline: BacktestResult, modelled: BacktestResult) -> None:
    bins = confidence_bins(modelled)
    assert sum(each.all for each in bins) == 5_000
    assert sum(each.taken for each in bins) == modelled.metrics.trades > 0
    assert max(each.height for each in bins) == 1.0
    assert confidence_bins(baseline) == []
    assert sum(share for _, _, share in cost_shares(baseline)) == pytest.approx(1.0)
    total = np.prod([1 + year.total for year in years(baseline)]) - 1
    assert total == pytest.approx(baseline.metrics.net_return)
