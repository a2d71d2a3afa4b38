"""Labels: the return of the trade that the engine would enter at a bar's close.

Triple barrier, net of costs (López de Prado 2018, Advances in Financial Machine Learning, ch. 3):
long at the next bar's open; out at a stop one width below, checked on each bar's low and filled
at the worse of the stop and the open; out at the next open once a close stands one width above;
out at the next open after the horizon. The forward return is the same trade without barriers.
Where finer bars than the decision's are stored, the trade follows those, as in the engine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ares.kernel.bars import F64, I64, Bars, Bools
from ares.kernel.jit import allocating
from ares.learn.recipe import LabelRecipe


@dataclass(frozen=True, slots=True)
class Labels:
    """Outcomes of the trades decided at each bar's close, all arrays ``(n_bars,)``.

    net     : exit / entry - 1 - costs; NaN where the outcome is not known (yet), or where a gap
              in the bars lies inside the trade.
    barrier_width : distance of the barriers as a fraction of the entry price; NaN where unknown.
    ends_ms : instant at which the label is known: the close of the last bar that it uses.
    """

    net: F64
    barrier_width: F64
    ends_ms: I64

    @property
    def known(self) -> Bools:
        """Return True where the outcome is known, ``(n_bars,)``."""
        return np.isfinite(self.net)


def label_decisions(
    decided_ms: I64,
    width: F64,
    path_bars: Bars,
    path_interval_ms: int,
    recipe: LabelRecipe,
    horizon_ms: int,
) -> Labels:
    """Return the outcomes of decisions at any instants, on bars of another length.

    decided_ms, width : (n,) instants, and the barriers' distance there.
    path_bars  : bars on which the trades are entered, followed and left, ``path_interval_ms``
                 long; a decision at whose instant none of them closes has no label.
    horizon_ms : longest holding time.
    returns    : labels of the decisions, ``(n,)`` each.
    """
    closed_ms = path_bars.ts_ms + path_interval_ms
    bar = np.searchsorted(closed_ms, decided_ms)
    found = np.flatnonzero(bar < len(closed_ms))
    found = found[closed_ms[bar[found]] == decided_ms[found]]
    spread = np.full(len(path_bars), np.nan)
    spread[bar[found]] = width[found]
    outcomes = label_bars(
        path_bars, spread, recipe, path_interval_ms, horizon_ms // path_interval_ms
    )
    net, ends_ms = np.full(len(decided_ms), np.nan), np.zeros(len(decided_ms), np.int64)
    net[found], ends_ms[found] = outcomes.net[bar[found]], outcomes.ends_ms[bar[found]]
    return Labels(net, width, ends_ms)


def label_bars(
    bars: Bars, width: F64, recipe: LabelRecipe, interval_ms: int, horizon_bars: int | None = None
) -> Labels:
    """Return the outcome of the recipe's trade for a decision at every bar's close.

    width        : (n_bars,) barrier distance at each decision, see ``barrier_width``.
    horizon_bars : in bars of ``bars``, where these are finer than the recipe's timeframe.
    """
    net, ends_ms = _outcomes(
        bars.ts_ms,
        bars.open,
        bars.low,
        bars.close,
        np.ascontiguousarray(width, np.float64),
        horizon_bars or recipe.horizon_bars,
        interval_ms,
        recipe.cost_bps / 1e4,
        recipe.kind == "triple_barrier",
    )
    return Labels(net, width, ends_ms)


def barrier_width(
    volatility: NDArray[np.float32] | F64,
    horizon_bars: int,
    width_sigmas: float,
    width_min_bps: float,
) -> F64:
    """Return the barriers' distance as a fraction of the entry price, ``(n_bars,)``.

    volatility : (n_bars,) standard deviation of one bar's return at each decision; NaN stays NaN.

    >>> barrier_width(np.array([0.01, 0.0001, np.nan]), 4, width_sigmas=1.0, width_min_bps=33.0)
    array([0.02  , 0.0033,    nan])
    """
    reach = width_sigmas * volatility.astype(np.float64) * np.sqrt(float(horizon_bars))
    width: F64 = np.maximum(reach, width_min_bps / 1e4)
    return width


@allocating
def _outcomes(
    ts_ms: I64,
    open: F64,
    low: F64,
    close: F64,
    width: F64,
    horizon_bars: int,
    interval_ms: int,
    cost: float,
    barriers: bool,
) -> tuple[F64, I64]:
    n = len(ts_ms)
    net = np.full(n, np.nan)
    ends_ms = np.zeros(n, np.int64)
    for decision in range(n):
        if not width[decision] > 0.0:
            continue
        first = decision + 1  # the bar at whose open the trade is entered
        if first >= n or ts_ms[first] - ts_ms[decision] != interval_ms:
            continue
        entry = open[first]
        stop = entry * (1.0 - width[decision])
        target = entry * (1.0 + width[decision])
        for bar in range(first, min(first + horizon_bars, n)):
            if bar > first and ts_ms[bar] - ts_ms[bar - 1] != interval_ms:
                break
            if barriers and low[bar] <= stop:
                net[decision] = min(open[bar], stop) / entry - 1.0 - cost
                ends_ms[decision] = ts_ms[bar] + interval_ms
                break
            last = bar == first + horizon_bars - 1
            if last or (barriers and close[bar] >= target):
                out = bar + 1
                if out < n and ts_ms[out] - ts_ms[bar] == interval_ms:
                    net[decision] = open[out] / entry - 1.0 - cost
                    ends_ms[decision] = ts_ms[out] + interval_ms
                break
    return net, ends_ms
