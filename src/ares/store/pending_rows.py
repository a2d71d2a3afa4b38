"""Decisions and bars whose rows are not made yet: many at once take a tenth of the time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ares.domain.events import BarsClosed, Effect
from ares.domain.order_events import EventRefused
from ares.domain.stretch import BarsStretch
from ares.kernel.bars import F64, I64, Bools


class PendingDecisions:
    """Decisions whose rows are not made yet: seqs and times of each, outputs of all."""

    def __init__(self) -> None:
        self.seqs: list[int] = []
        self.times_ms: list[int] = []
        self.outputs: list[bytes] = []

    def __len__(self) -> int:
        return len(self.seqs)

    def add(self, seqs: Sequence[int], times_ms: Sequence[int], outputs: bytes) -> None:
        """Add consecutive decisions."""
        self.seqs += seqs
        self.times_ms += times_ms
        self.outputs.append(outputs)


class PendingBars:
    """Bars of consecutive entries, without those that the engine refused."""

    def __init__(self, n_instruments: int) -> None:
        self._n = n_instruments
        self._clear()

    def __len__(self) -> int:
        return len(self._seqs)

    def add(self, seq: int, event: BarsClosed, effects: Sequence[Effect]) -> None:
        """Add one closing instant."""
        present = event.present
        refused = [e.instrument for e in effects if type(e) is EventRefused]
        if refused:
            without = bytearray(self._n if -1 in refused else present)
            for i in refused:
                without[i] = 0
            present = bytes(without)
        self._seqs.append(seq)
        self._close_ms.append(event.ts_ms.to_bytes(8, "little"))
        self._ohlcv.append(event.ohlcv)
        self._present.append(present)
        self._in_window.append(event.decides)

    def add_stretch(self, stretch: BarsStretch) -> None:
        """Add the closing instants of a stretch."""
        self._seqs += range(stretch.seq, stretch.last_seq + 1)
        self._close_ms.append(stretch.close_ms)
        self._ohlcv.append(stretch.ohlcv)
        self._present.append(stretch.present)
        self._in_window += [True] * len(stretch)

    def taken(self) -> tuple[I64, I64, F64, Bools, Bools]:
        """Return the arguments of ``MarketRows.rows``; nothing is pending afterwards."""
        n = len(self._seqs)
        taken = (
            np.array(self._seqs, np.int64),
            np.frombuffer(b"".join(self._close_ms), np.int64),
            np.frombuffer(b"".join(self._ohlcv), np.float64).reshape(n, self._n, 5),
            np.frombuffer(b"".join(self._present), np.bool_).reshape(n, self._n),
            np.array(self._in_window, np.bool_),
        )
        self._clear()
        return taken

    def _clear(self) -> None:
        self._seqs, self._in_window = list[int](), list[bool]()
        self._close_ms, self._ohlcv, self._present = list[bytes](), list[bytes](), list[bytes]()
