"""Fetches missing candles from a venue into the store, page by page."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np

from ares.adapters.ccxt_candles import CcxtCandles
from ares.domain.errors import UserError
from ares.domain.instrument import Instrument
from ares.domain.timeframe import DAY_MS, Timeframe
from ares.store.candles import CandleStore

DAYS_FIRST = 30
"""How far back the first fetch of a series goes by default."""


class FetchReport(msgspec.Struct, frozen=True):
    """The result of a fetch.

    new      : bars stored; ``same`` were stored already, ``conflict_count`` differ from the stored
               ones (which are kept), ``dropped`` are invalid (off the grid, no price).
    missing  : bars of the window that the venue does not have.
    from_ms, to_ms : the window; it ends with the last closed bar.
    """

    instrument: Instrument
    interval: str
    from_ms: int
    to_ms: int
    pages: int
    new: int
    same: int
    conflict_count: int
    dropped: int
    missing: int


def fetch_candles(
    store: CandleStore,
    venue: CcxtCandles,
    symbol: str,
    interval: str,
    from_ms: int | None,
    to_ms: int | None,
    local_ms: int,
    on_page: Callable[[float, str], None] = lambda _share, _remark: None,
) -> FetchReport:
    """Fetch the bars of ``[from_ms, to_ms)`` that are not stored; a bar that is still open by the
    venue's clock is never stored. After an interruption, a second call continues.

    from_ms  : None: after the last stored bar, or DAYS_FIRST back where there is none.
    local_ms : time of this machine, for venues without a request for theirs.
    on_page  : called with the share of the window that is done, and a remark.
    """
    timeframe = Timeframe.parse(interval)
    spec = venue.spec(symbol)
    now_ms = venue.now_ms(local_ms)
    end_ms = (now_ms if to_ms is None else min(to_ms, now_ms)) // timeframe.ms * timeframe.ms
    last_ms = store.last_ms(spec.instrument, interval)
    if from_ms is None:
        from_ms = end_ms - DAYS_FIRST * DAY_MS if last_ms is None else last_ms + timeframe.ms
    start_ms = -(-from_ms // timeframe.ms) * timeframe.ms
    if start_ms > end_ms:
        raise UserError("--to is before --from: check both")
    stored = store.load(spec.instrument, interval, start_ms, end_ms).ts_ms
    source = f"ccxt:{spec.instrument.venue}"
    pages = new = same = conflicts = dropped = 0
    cursor_ms = _next_missing(stored, start_ms, timeframe.ms)
    while cursor_ms < end_ms:
        page = venue.page(symbol, interval, cursor_ms, end_ms)
        saved = store.save(spec, interval, page.bars, source)
        pages, dropped = pages + 1, dropped + page.dropped
        new, same = new + saved.new, same + saved.same
        conflicts += saved.conflict_count
        cursor_ms = _next_missing(stored, page.next_ms, timeframe.ms)
        share = min(1.0, (cursor_ms - start_ms) / max(1, end_ms - start_ms))
        on_page(share, f"{new} new bars")
    missing = (end_ms - start_ms) // timeframe.ms - len(stored) - new
    return FetchReport(
        *(spec.instrument, interval, start_ms, end_ms, pages),
        *(new, same, conflicts, dropped, missing),
    )


def _next_missing(stored: np.ndarray[tuple[int], np.dtype[np.int64]], at_ms: int, step: int) -> int:
    """Return the first time from ``at_ms`` on, in steps of ``step`` ms, that is not stored."""
    at = int(np.searchsorted(stored, at_ms))
    rest = stored[at:]
    consecutive = rest == at_ms + step * np.arange(len(rest))
    return at_ms + step * (len(rest) if consecutive.all() else int(np.argmin(consecutive)))
