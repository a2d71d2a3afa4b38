"""Rows: decisions with the features known at them and the outcomes of their trades."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ares.kernel.bars import F64, I64, Bars, Bools
from ares.kernel.features.catalogue import N_FEATURES
from ares.kernel.features.columns import past_warmup
from ares.kernel.features.user import UserFeatures
from ares.learn.labels import barrier_width, label_decisions
from ares.learn.recipe import Recipe

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Rows:
    """Training rows, by decision time ascending; one row is one bar's close.

    x          : (n, n_features) float32, all columns of the kernel's table, then a user's own.
    decided_ms : (n,) closing instant of the decision's bar.
    ends_ms    : (n,) instant at which the outcome is known.
    net, barrier_width : (n,) net return of the trade and the barriers' distance, as fractions.
    lane       : (n,) number of the instrument that the row is of.
    """

    x: F32
    decided_ms: I64
    ends_ms: I64
    net: F64
    barrier_width: F64
    lane: I32

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.decided_ms)

    def __getitem__(self, rows: slice | I64 | Bools) -> Rows:
        """Return the rows of a slice, an index array or a mask."""
        return Rows(
            self.x[rows],
            self.decided_ms[rows],
            self.ends_ms[rows],
            self.net[rows],
            self.barrier_width[rows],
            self.lane[rows],
        )

    @property
    def won(self) -> Bools:
        """Return y, ``(n,)``: True where the trade returned more than it cost."""
        return self.net > 0.0

    @property
    def hash(self) -> str:
        """Return the SHA-256 of all training data."""
        digest = hashlib.sha256()
        for name in ("x", "decided_ms", "ends_ms", "net", "barrier_width", "lane"):
            digest.update(np.ascontiguousarray(getattr(self, name)).tobytes())
        return digest.hexdigest()

    def overlap(self, interval_ms: int) -> int:
        """Return how many rows have correlated outcomes on average.

        Those are the rows decided while a trade lasts, of all instruments: markets fall together,
        so four instruments are counted as one (which is conservative). A long trade overlaps with
        more rows than a short one, so each counts by its length.
        """
        if len(self) == 0:
            return 1
        lengths = (self.ends_ms - self.decided_ms).astype(np.float64) / interval_ms
        lasting = float(lengths @ lengths) / max(float(lengths.sum()), 1e-9)
        at_once = len(self) / len(np.unique(self.decided_ms))
        return max(1, round(lasting * at_once))

    def newest(self, rows_max: int) -> Rows:
        """Return the newest ``rows_max`` rows; those of one instant stay together."""
        if len(self) <= rows_max:
            return self
        first_ms = self.decided_ms[len(self) - rows_max]
        return self[slice(int(np.searchsorted(self.decided_ms, first_ms)), None)]


def rows_of(
    bars: Bars,
    values: F32,
    warm: Bools,
    volatility: F32 | F64,
    recipe: Recipe,
    from_ms: int | None = None,
    to_ms: int | None = None,
    lane: int = 0,
    path_bars: Bars | None = None,
    path_interval_ms: int = 0,
) -> Rows:
    """Return the rows of one instrument: warm, with a known outcome, inside the window.

    values     : (n_bars, n_features) the kernel's features at each bar's close.
    warm       : (n_bars,) True where every feature has had its warm-up.
    volatility : (n_bars,) standard deviation of one bar's return at each close.
    from_ms, to_ms : window of the bars' opening times; no bar outside is used for outcomes.
    path_bars  : finer bars, ``path_interval_ms`` long, that trades follow; default: the bars.
    """
    label, interval_ms = recipe.label, recipe.timeframe.ms
    if path_bars is None:
        path_bars, path_interval_ms = bars, interval_ms
    inside = slice(
        0 if from_ms is None else int(np.searchsorted(bars.ts_ms, from_ms)),
        len(bars) if to_ms is None else int(np.searchsorted(bars.ts_ms, to_ms)),
    )
    window = bars[inside]
    width = barrier_width(
        volatility[inside], label.horizon_bars, label.width_sigmas, label.width_min_bps
    )
    labels = label_decisions(
        window.ts_ms + interval_ms,
        width,
        path_bars.between(from_ms, to_ms),
        path_interval_ms,
        label,
        label.horizon_bars * interval_ms,
    )
    keep = np.flatnonzero(warm[inside] & labels.known)
    return Rows(
        np.ascontiguousarray(values[inside][keep], np.float32),
        window.ts_ms[keep] + interval_ms,
        labels.ends_ms[keep],
        labels.net[keep],
        labels.barrier_width[keep],
        np.full(len(keep), lane, np.int32),
    )


def pooled(parts: Sequence[Rows]) -> Rows:
    """Return the rows of several instruments as one table by time; equal times keep their order."""
    whole = Rows(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("x", "decided_ms", "ends_ms", "net", "barrier_width", "lane")
        )
    )
    return whole[np.argsort(whole.decided_ms, kind="stable")]


def with_user(
    rows: Rows, bars: Sequence[Bars], interval_ms: int, user: UserFeatures | None
) -> Rows:
    """Return the rows with a user's columns behind the kernel's, without those where one of these
    features is still in its warmup.

    bars : of each lane, those that the rows were made of.
    """
    if user is None:
        return rows
    own = np.empty((len(rows), len(user.names)), np.float32)
    for lane, lane_bars in enumerate(bars):
        in_lane = rows.lane == lane
        bar = np.searchsorted(lane_bars.ts_ms, rows.decided_ms[in_lane] - interval_ms)
        needed = np.zeros(len(lane_bars), np.bool_)
        needed[bar] = True
        values: F32 | None = None
        if user.takes_rows:
            values = np.zeros((len(lane_bars), N_FEATURES), np.float32)
            values[bar] = rows.x[in_lane][:, :N_FEATURES]
        own[in_lane] = user.of(lane_bars, interval_ms, needed, values)[bar]
    return replace(rows, x=np.hstack([rows.x, own]))[past_warmup(own)]


def blanked(x: F32, names: Sequence[str], learned: Sequence[str]) -> F32:
    """Return the table with every column that may not be fitted on set to zero.

    The model's input keeps all columns, so that an engine with one feature table serves it; no
    tree can split on a column that never varies.
    """
    unused = [column for column, name in enumerate(names) if name not in set(learned)]
    if not unused:
        return x
    x = x.copy()
    x[:, unused] = 0.0
    return x
