"""Base bars of several instruments by closing instant, as arrays: one event for each instant."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ares.domain.events import BarsClosed, BarsKind, SeriesPublished
from ares.domain.instrument import InstrumentSpec
from ares.domain.order_events import EventRefused
from ares.domain.run import RunSetup
from ares.journal.run import JournalEntry
from ares.kernel.bars import F64, I64, Bars, Bools
from ares.kernel.trade import to_grid


@dataclass(frozen=True, slots=True)
class BarPanel:
    """Base bars on the union of their closing instants.

    close_ms : (n,) rising, but for late bars of a journal.
    ohlcv : (n, n_lanes, 5), NaN-free (0 where missing);
    present, flat : (n, n_lanes); ticks : (n, n_lanes, 4) open, high, low, close;
    lots : (n, n_lanes) volume.
    n_instruments : of the run; with challenger lanes there are twice as many lanes.
    """

    close_ms: I64
    ohlcv: F64
    present: Bools
    flat: Bools
    ticks: NDArray[np.int64]
    lots: NDArray[np.int64]
    n_instruments: int

    def __len__(self) -> int:
        """Return the number of closing instants."""
        return len(self.close_ms)

    def event(self, t: int, warming: bool) -> BarsClosed:
        """Return the event of row ``t``."""
        ohlcv, present, flat = self.ohlcv[t], self.present[t], self.flat[t]
        if len(present) != self.n_instruments:
            ohlcv, present, flat = (a[: self.n_instruments] for a in (ohlcv, present, flat))
        kind: BarsKind = "warm" if warming else "closing"
        return BarsClosed(
            int(self.close_ms[t]), ohlcv.tobytes(), present.tobytes(), flat.tobytes(), kind
        )

    def for_lanes(self, setup: RunSetup) -> BarPanel:
        """Return the panel with a column for each lane of a run: both halves are the same."""
        if not setup.challenger_lanes:
            return self
        return self._map(lambda a: np.concatenate((a, a), axis=1))

    def for_instruments(self) -> BarPanel:
        """Return the panel with one column for each instrument."""
        if self.present.shape[1] == self.n_instruments:
            return self
        return self._map(lambda a: np.ascontiguousarray(a[:, : self.n_instruments]))

    def _map(self, change: Callable[[NDArray[Any]], NDArray[Any]]) -> BarPanel:
        return BarPanel(
            self.close_ms,
            change(self.ohlcv),
            change(self.present),
            change(self.flat),
            change(self.ticks),
            change(self.lots),
            self.n_instruments,
        )


def panel_of(
    bars: Sequence[Bars], base_ms: Sequence[int], specs: Sequence[InstrumentSpec]
) -> BarPanel:
    """Return the bars of all instruments, each with its own base interval, as one panel."""
    closes = [series.ts_ms + ms for series, ms in zip(bars, base_ms, strict=True)]
    close_ms = np.unique(np.concatenate(closes)).astype(np.int64)
    n, n_instruments = len(close_ms), len(bars)
    ohlcv = np.zeros((n, n_instruments, 5))
    present = np.zeros((n, n_instruments), np.bool_)
    flat = np.zeros((n, n_instruments), np.bool_)
    ticks = np.zeros((n, n_instruments, 4), np.int64)
    lots = np.zeros((n, n_instruments), np.int64)
    for i, series in enumerate(bars):
        rows = np.searchsorted(close_ms, closes[i])
        columns = (series.open, series.high, series.low, series.close, series.volume)
        for k, column in enumerate(columns):
            ohlcv[rows, i, k] = column
            if k < 4:
                ticks[rows, i, k] = to_grid(column, specs[i].price_decimals)
        lots[rows, i] = to_grid(series.volume, specs[i].qty_decimals)
        present[rows, i] = True
        flat[rows, i] = series.flat
    return BarPanel(close_ms, ohlcv, present, flat, ticks, lots, n_instruments)


_REFUSED = EventRefused.__name__.encode()


UNSCORED, FOLDED, CATCHING_UP, CATCH_UP_ENDS, DECIDED = range(5)
"""What the engine did with a journaled instant: aggregated its bars without a score; with scores,
if there was a model; valued the account besides; and let positions be closed; or opened.
"""


class ClosedBars:
    """Journaled bars, kept in columns: as events they take five times the memory.

    uses : of each instant, what the engine did with it.
    """

    def __init__(self) -> None:
        self.uses = bytearray()
        self._close_ms = array("q")
        self._ohlcv, self._present, self._flat = bytearray(), bytearray(), bytearray()
        self._series_ms = 0

    def __len__(self) -> int:
        """Return the number of closing instants."""
        return len(self._close_ms)

    def add(self, entry: JournalEntry) -> bool:
        """Append the bars of the next entry, without those that the engine refused.

        Returns whether it has any: False for other events and for a refused instant.
        """
        event = entry.event
        if not isinstance(event, BarsClosed):
            if isinstance(event, SeriesPublished):
                self._series_ms = event.ts_ms
            return False
        present = bytearray(event.present)
        if entry.effects_raw is not None and _REFUSED in entry.effects_raw:
            refused = [e.instrument for e in entry.effects if isinstance(e, EventRefused)]
            if -1 in refused:
                return False
            for i in refused:
                present[i] = 0
        self._close_ms.append(event.ts_ms)
        self._ohlcv += event.ohlcv
        self._present += present
        self._flat += event.flat
        self.uses.append(self._use(event))
        return True

    def _use(self, event: BarsClosed) -> int:
        if event.kind == "closing":
            return DECIDED
        if event.kind == "catch_up":
            return CATCH_UP_ENDS if event.catch_up_ends else CATCHING_UP
        known_later = event.kind == "late" and self._series_ms > event.ts_ms
        return UNSCORED if known_later else FOLDED

    def feed(self, setup: RunSetup) -> BarPanel:
        """Return the bars as the panel of a run's lanes."""
        specs = [lane.spec for lane in setup.instruments[: setup.n_instruments]]
        return self.panel_of(specs).for_lanes(setup)

    def panel_of(self, specs: Sequence[InstrumentSpec]) -> BarPanel:
        """Return the bars as the feed that they came from."""
        close_ms = np.array(self._close_ms, np.int64)
        n_instruments = len(specs)
        shape = (len(close_ms), n_instruments)
        ohlcv = np.frombuffer(self._ohlcv, np.float64).reshape(*shape, 5)
        present = np.frombuffer(self._present, np.bool_).reshape(shape)
        flat = np.frombuffer(self._flat, np.bool_).reshape(shape)
        ticks = np.zeros((*shape, 4), np.int64)
        lots = np.zeros(shape, np.int64)
        for i, spec in enumerate(specs):
            ticks[:, i] = to_grid(ohlcv[:, i, :4], spec.price_decimals)
            ticks[~present[:, i], i] = 0
            lots[:, i] = to_grid(ohlcv[:, i, 4], spec.qty_decimals)
        return BarPanel(close_ms, ohlcv, present, flat, ticks, lots, n_instruments)
