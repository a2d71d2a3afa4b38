"""A strategy as a backtest reads it: signals on the closing instants, and where they come from."""

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

    name       : what it is called on a screen.
    kind       : ``baseline``, ``package`` or ``ensemble``; a baseline trades without stops, limits
                 and breakers unless they are asked for.
    horizon_ms : longest holding time of each instrument; 0: none.
    validation : (trades, mean_bps, sd_bps) of each instrument, already discounted: where the mode
                 confidence starts.
    collar_bps : of a baseline: an entry waits while the next open is further than this above the
                 close that decided it. Orders are sized by the cash at hand, and cash must never
                 be overdrawn; so much of it stays idle.
    models     : what made the signals, for the report's provenance.
    warnings   : what a reader must know before believing the result.
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
    """What a strategy's signals were, over all closing instants and instruments.

    instants : how many had a signal; above: those with the edge that an entry needs.
    p_*      : calibrated probability; None where there is none. edge_max_bps: the best edge.
    """

    instants: int
    above: int
    p_min: float | None
    p_mean: float | None
    p_max: float | None
    edge_max_bps: float | None


def said(signals: Signals, edge_bps_min: float) -> SignalSummary:
    """Return the summary of the signals, for a run that enters at ``edge_bps_min``."""
    edge = signals.edge[np.isfinite(signals.edge)]
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

    wanted : for each instrument, ``(n_bars,)`` beside its own bars, known at their closes; NaN: no
             opinion (what is held is kept). One array for one instrument.
    """
    wanted = [wanted] if isinstance(wanted, np.ndarray) else wanted
    candles = several(candles)
    close_ms = market_of(candles).close_ms
    edge = np.full((len(close_ms), len(candles)), np.nan)
    for i, (one, level) in enumerate(zip(candles, wanted, strict=True)):
        if len(level) != len(one.bars):
            raise ValueError(f"{one.key}: {len(level)} levels for {len(one.bars)} bars")
        rows = np.searchsorted(close_ms, one.close_ms)
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
