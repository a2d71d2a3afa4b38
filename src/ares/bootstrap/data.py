"""The candles of a workspace: its store opened and closed, and filled from a venue."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ares.config.workspace import Workspace

if TYPE_CHECKING:
    from ares.runtime.ingest.candle_fetch import FetchReport
    from ares.store.candles import CandleStore


@contextmanager
def candle_store(workspace: Workspace) -> Iterator[CandleStore]:
    """Open the candle store of a workspace; its database is closed at the end."""
    from ares.store.candles import CandleStore
    from ares.store.database import open_database

    database = open_database(workspace.db_url)
    try:
        yield CandleStore(database, workspace.cache_dir)
    finally:
        database.dispose()


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """The request of ``ares data fetch``.

    series         : (symbol, interval) of each.
    from_ms, to_ms : None: after the last stored bar; until now.
    venue, address : None: the venue of the settings; the venue's own server.
    """

    series: tuple[tuple[str, str], ...]
    from_ms: int | None
    to_ms: int | None
    venue: str | None
    address: str | None


def fetch_stored(
    workspace: Workspace,
    request: FetchRequest,
    progress_of: Callable[[str, str], AbstractContextManager[Callable[[float, str], None]]],
    on_retry: Callable[[str], None],
) -> list[FetchReport]:
    """Fetch the candles that are missing, series by series, and return what came.

    progress_of : (symbol, interval) -> shows the progress of that series.
    on_retry    : called with the reason and the time of the next attempt.
    """
    from ares.adapters.candle_names import parse_venue
    from ares.adapters.ccxt_candles import CcxtCandles
    from ares.runtime.ingest.candle_fetch import fetch_candles

    venue = parse_venue(request.venue or workspace.settings.venue)
    source = CcxtCandles(venue, request.address, on_retry=on_retry)
    window = (request.from_ms, request.to_ms)
    reports = []
    with candle_store(workspace) as store:
        for symbol, interval in request.series:
            with progress_of(symbol, interval) as on_page:
                now_ms = time.time_ns() // 1_000_000
                reports.append(
                    fetch_candles(store, source, symbol, interval, *window, now_ms, on_page)
                )
    return reports
