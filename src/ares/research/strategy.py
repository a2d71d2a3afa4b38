"""A strategy: signals on the closing instants, and the models they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ares.kernel.bars import F64
from ares.kernel.trade import Signals
from ares.learn.gate.baselines import CERTAIN_EDGE_BPS
from ares.research.market import Candles, market_of, several


@dataclass(frozen=True, slots=True)
class Strategy:
    """Signals for the candles of one backtest, ``(n_bars, n_instruments)`` on their common grid.

    name       : for titles and tables.
    kind       : ``baseline``, ``package`` or ``ensemble``; a baseline trades without stops, limits
                 and breakers unless they are requested.
    horizon_ms : longest holding time of each instrument; 0: none.
    validation : (trades, mean_bps, sd_bps) of each instrument, discounted: the prior of the
                 mode confidence.
    collar_bps : of a baseline: an entry waits while the next open is further than this above the
                 close that decided it. Orders are sized so that cash is not overdrawn at that
                 price; this share of cash stays unused.
    models     : the models of the signals, for the provenance of the report.
    warnings   : limitations of the result that a reader must know.
    """

    name: str
    kind: str
    signals: Signals
    horizon_ms: tuple[int, ...]
    validation: tuple[tuple[float, float, float], ...]
    collar_bps: float = 100.0
    models: tuple[dict[str, Any], ...] = ()
    warnings: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class SignalSummary:
    """A summary of signals over all closing instants and instruments.

    instants : number of signals; above: those with the edge that an entry needs.
    p_*      : calibrated probability; None without any. edge_max_bps: the largest edge.
    """

    instants: int
    above: int
    p_min: float | None
    p_mean: float | None
    p_max: float | None
    edge_max_bps: float | None


def summarize(signals: Signals, edge_bps_min: float) -> SignalSummary:
    """Return the summary of the signals, for a run that enters at ``edge_bps_min``."""
    edge = signals.edge_bps[np.isfinite(signals.edge_bps)]
    p = signals.p[np.isfinite(signals.p)]
    return SignalSummary(
        instants=len(edge),
        above=int((edge >= edge_bps_min).sum()),
        p_min=float(p.min()) if len(p) else None,
        p_mean=float(p.mean()) if len(p) else None,
        p_max=float(p.max()) if len(p) else None,
        edge_max_bps=float(edge.max()) if len(edge) else None,
    )


def long_flat(
    candles: Candles | Sequence[Candles],
    wanted: F64 | Sequence[F64],
    name: str = "long or flat",
    collar_bps: float = 100.0,
) -> Strategy:
    """Return the strategy that is long where ``wanted`` is 1 and flat where it is 0.

    wanted : per instrument, ``(n_bars,)`` on its own bars, known at their closes; NaN: no signal
             (the position is kept). One array for one instrument.
    """
    wanted = [wanted] if isinstance(wanted, np.ndarray) else wanted
    candles = several(candles)
    close_ms = market_of(candles).close_ms
    edge = np.full((len(close_ms), len(candles)), np.nan)
    for i, (each, level) in enumerate(zip(candles, wanted, strict=True)):
        if len(level) != len(each.bars):
            raise ValueError(f"{each.key}: {len(level)} levels for {len(each.bars)} bars")
        rows = np.searchsorted(close_ms, each.close_ms)
        edge[rows, i] = np.where(np.isnan(level), np.nan, np.where(level > 0, 1.0, -1.0))
    nothing = np.full_like(edge, np.nan)
    return Strategy(
        name=name,
        kind="baseline",
        signals=Signals(nothing, edge * CERTAIN_EDGE_BPS, nothing),
        horizon_ms=(0,) * len(candles),
        validation=((0.0, 0.0, 0.0),) * len(candles),
        collar_bps=collar_bps,
    )
