"""Equity out of sample: of non-overlapping trades, and of holding over the same time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ares.kernel.bars import F64, I64, Bars
from ares.learn.rows import Rows

POINTS_MAX = 1500
"""Most points of a path that is drawn or stored; a picture has no more columns."""


@dataclass(frozen=True, slots=True)
class EquityPath:
    """A value over time, ``(n,)`` each, oldest first."""

    ts_ms: I64
    value: F64


def equity_of_trades(rows: Rows, entered: I64, from_ms: int, to_ms: int) -> EquityPath:
    """Return the equity of the trades entered, starting at 1; each of several instruments gets an
    equal share of the money.

    entered : row numbers of trades that do not overlap within an instrument.
    """
    lanes = max(1, len(np.unique(rows.lane)))
    order = entered[np.argsort(rows.ends_ms[entered], kind="stable")]
    grown = np.cumprod(1.0 + rows.net[order] / lanes)
    return EquityPath(
        np.concatenate([[from_ms], rows.ends_ms[order], [to_ms]]).astype(np.int64),
        np.concatenate([[1.0], grown, [grown[-1] if len(grown) else 1.0]]),
    )


def equity_of_holding(
    bars: Sequence[Bars], from_ms: int, to_ms: int, cost_bps: float
) -> EquityPath | None:
    """Return the value of buying equal amounts of all instruments and holding them.

    Costs are paid once. None where an instrument has no bars in the window.
    """
    parts = [series.between(from_ms, to_ms) for series in bars]
    if not parts or any(len(part) < 2 for part in parts):
        return None
    longest = max(parts, key=len).ts_ms
    at = longest[np.linspace(0, len(longest) - 1, min(len(longest), POINTS_MAX)).astype(np.int64)]
    value = np.zeros(len(at))
    for part in parts:
        last = np.clip(np.searchsorted(part.ts_ms, at, side="right") - 1, 0, None)
        value += part.close[last] / part.open[0] / len(parts)
    return EquityPath(at, value * (1.0 - cost_bps / 1e4))
