"""Fixed thresholds on the results of a running model: they raise alerts, they train nothing."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from ares.domain.timeframe import DAY_MS

WINDOW_MS = 30 * DAY_MS
TRADES_MIN = 20
DAYS_MIN = 7
DAYS_PER_YEAR = 365.0

LiveTrade = tuple[int, float]
"""(instant at which it closed, net return in bps of its notional)"""


class Thresholds(msgspec.Struct, frozen=True):
    """Limits; None switches one off.

    accuracy_min : share of won trades.    sharpe_min : annualised, of daily net returns.
    drawdown_min : deepest fall of the summed net returns, a negative fraction of the notional.
    """

    accuracy_min: float | None = 0.60
    sharpe_min: float | None = 1.0
    drawdown_min: float | None = -0.10


class ThresholdExceeded(msgspec.Struct, frozen=True):
    """A threshold that a model's results are below."""

    code: str
    value: float
    limit: float
    message: str


def exceeded(
    trades: Sequence[LiveTrade], now_ms: int, limits: Thresholds
) -> list[ThresholdExceeded]:
    """Return the thresholds that the trades of the last 30 days are below.

    trades : real and virtual ones of one model in one slot, oldest first; each counts as a unit of
             notional. Fewer than 20, or a Sharpe ratio over fewer than 7 days, are not checked.
    """
    recent = [trade for trade in trades if trade[0] > now_ms - WINDOW_MS]
    if len(recent) < TRADES_MIN:
        return []
    exit_ms = np.array([trade[0] for trade in recent], np.int64)
    net = np.array([trade[1] for trade in recent]) / 1e4
    equity = np.concatenate([[0.0], np.cumsum(net)])
    drawdown = float((equity - np.maximum.accumulate(equity)).min())
    found = [
        _below("accuracy", float(np.mean(net > 0.0)), limits.accuracy_min, len(net)),
        _below("drawdown", drawdown, limits.drawdown_min, len(net)),
    ]
    daily = np.bincount((exit_ms - exit_ms[0]) // DAY_MS, weights=net)
    if len(daily) >= DAYS_MIN and daily.std(ddof=1) > 0.0:
        sharpe = float(daily.mean() / daily.std(ddof=1) * DAYS_PER_YEAR**0.5)
        found.append(_below("sharpe", sharpe, limits.sharpe_min, len(net)))
    return [threshold for threshold in found if threshold is not None]


def _below(code: str, value: float, limit: float | None, trades: int) -> ThresholdExceeded | None:
    if limit is None or value >= limit:
        return None
    message = f"{code} {value:.2f} of the last {trades} trades is below {limit:g}"
    return ThresholdExceeded(f"{code}_low", value, limit, message)
