"""Rows of ``market_volatility``: one for each instrument and quarter of an hour, from its bars."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from ares.domain.instrument import InstrumentSpec
from ares.domain.timeframe import DAY_MS, HOUR_MS, MINUTE_MS
from ares.kernel.bars import F64, I64, Bools
from ares.store.confidence_rows import Row, sql_times

QUARTER_MS = 15 * MINUTE_MS
DAY, HOUR = DAY_MS // QUARTER_MS, HOUR_MS // QUARTER_MS
RETURN_UNITS = 10**8
"""Returns are counted in units of 1e-8, volumes in lots, so that their sums are exact: a row does
not depend on where one batch ends and the next begins.
"""
MISSING_SHARE_MAX = 0.05

SQUARES, LOTS, BARS = range(3)


class MarketRows:
    """Sums the bars of each instrument by quarters of an hour.

    sums   : (n, 3, 96) squared returns, volume and number of bars of the quarters of the newest
             24 hours of each instrument; the last one is that of its newest bar.
    closes : (n, 96) the last close within or before each of these quarters; NaN: none yet.
    newest : (n,) number of the quarter of the newest bar; -1: no bar yet.

    The bars of an instrument come in the order of time, late ones too. Those of more than a day
    before the newest are left out.
    """

    def __init__(
        self, environment: str, specs: Sequence[InstrumentSpec], base_ms: Sequence[int]
    ) -> None:
        self._environment, self._specs = environment, specs
        self._wanted = np.array([[DAY_MS // ms, max(1, HOUR_MS // ms)] for ms in base_ms])
        self._within_hour = [ms <= HOUR_MS for ms in base_ms]
        n = len(specs)
        self.sums: I64 = np.zeros((n, 3, DAY), np.int64)
        self.closes: F64 = np.full((n, DAY), np.nan)
        self.newest: I64 = np.full(n, -1, np.int64)

    @property
    def state(self) -> bytes:
        """Return what rows of later bars need."""
        return self.sums.tobytes() + self.closes.tobytes() + self.newest.tobytes()

    def restore(self, state: bytes) -> None:
        """Continue after earlier bars."""
        of_sums, of_closes = self.sums.nbytes, self.closes.nbytes
        self.sums = np.frombuffer(state[:of_sums], np.int64).reshape(self.sums.shape).copy()
        closes = np.frombuffer(state[of_sums : of_sums + of_closes])
        self.closes = closes.reshape(self.closes.shape).copy()
        self.newest = np.frombuffer(state[of_sums + of_closes :], np.int64).copy()

    def rows(
        self, seqs: I64, close_ms: I64, ohlcv: F64, present: Bools, in_window: Bools
    ) -> list[Row]:
        """Return the rows of consecutive closing instants.

        seqs, close_ms : (n,). ohlcv: (n, n_instruments, 5). present: (n, n_instruments).
        in_window      : (n,) whether the bars are neither late nor before the run.
        """
        marked = in_window & (close_ms % QUARTER_MS == 0)
        rows: list[Row] = []
        quarters = (close_ms - 1) // QUARTER_MS  # the bar that closes at 12:15 is of 12:00
        for i in range(len(self._specs)):
            at = np.flatnonzero(present[:, i] & (quarters > self.newest[i] - DAY))
            if len(at):
                rows += self._rows_of(
                    i, seqs[at], close_ms[at], quarters[at], ohlcv[at, i], marked[at]
                )
        rows.sort(key=itemgetter(1))  # by seq, so that their order is that of the bars
        return rows

    def _rows_of(
        self, i: int, seqs: I64, close_ms: I64, quarters: I64, ohlcv: F64, marked: Bools
    ) -> list[Row]:
        spec = self._specs[i]
        if self.newest[i] < 0:
            self.newest[i] = quarters[0]
        at = quarters - self.newest[i] + DAY - 1
        n = max(DAY, int(at.max()) + 1)
        prices = ohlcv[:, 3]
        before = np.concatenate([self.closes[i, -1:], prices[:-1]])
        returns = np.rint(np.nan_to_num(prices / before - 1.0) * RETURN_UNITS).astype(np.int64)
        sums = np.zeros((3, n), np.int64)
        sums[:, :DAY] = self.sums[i]
        lots = np.rint(ohlcv[:, 4] * 10**spec.qty_decimals).astype(np.int64)
        for k, values in ((SQUARES, returns**2), (LOTS, lots), (BARS, np.ones_like(lots))):
            np.add.at(sums[k], at, values)
        closes = np.full(n, np.nan)
        closes[:DAY] = self.closes[i]
        closes[at] = prices
        filled = np.maximum.accumulate(np.where(np.isnan(closes), 0, np.arange(n)))
        closes = closes[filled]
        self.newest[i] += n - DAY
        self.sums[i], self.closes[i] = sums[:, -DAY:], closes[-DAY:]
        wanted = np.flatnonzero(marked)
        if len(wanted) == 0:
            return []
        totals = np.concatenate([np.zeros((3, 1), np.int64), sums.cumsum(axis=1)], axis=1)
        ends = at[wanted] + 1
        of_day = totals[:, ends] - totals[:, ends - DAY]
        of_hour = totals[BARS, ends] - totals[BARS, ends - HOUR]
        enough = (1.0 - MISSING_SHARE_MAX) * self._wanted[i]
        day_known = of_day[BARS] >= enough[0]
        hour_known = (of_hour >= enough[1]) & self._within_hour[i]
        volatility = np.sqrt(of_day[SQUARES].astype(np.float64)) / RETURN_UNITS
        change = closes[ends - 1] / closes[ends - 1 - HOUR] - 1.0
        volume = of_day[LOTS] / 10**spec.qty_decimals
        symbol, env = spec.instrument.symbol, self._environment
        return [
            (env, seq, symbol, at_text, *values)
            for seq, at_text, *values in zip(
                seqs[wanted].tolist(), sql_times(close_ms[wanted]), _known(volatility, day_known),
                _known(change, hour_known), _known(volume, day_known), strict=True,
            )
        ]  # fmt: skip


def _known(values: F64, known: NDArray[np.bool_]) -> list[float | None]:
    """Return the numbers; None where they are not known."""
    known = known & ~np.isnan(values)
    return [value if ok else None for value, ok in zip(values.tolist(), known, strict=True)]
