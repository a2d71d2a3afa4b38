"""Closed candles of any venue that ccxt supports, page by page over its public REST API."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np

from ares.config.venues import require_known_venue
from ares.domain.errors import ExternalError, UserError
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.timeframe import Timeframe
from ares.kernel.bars import Bars
from ares.venues.ccxt_setup import line_of, prepare

T = TypeVar("T")


class CandlePage(NamedTuple):
    """Bars of one answer of the venue.

    next_ms : where the next page begins.
    dropped : invalid bars (off the grid, no price), which venues do publish.
    """

    bars: Bars
    next_ms: int
    dropped: int


class RetryPolicy(NamedTuple):
    """Timeout of one request, and how often and when it is retried.

    attempts_first : as long as no server has answered at all: without a network, the command ends
                     after a few seconds.
    """

    attempts: int = 8
    wait_first_s: float = 1.0
    wait_max_s: float = 30.0
    timeout_s: float = 15.0
    attempts_first: int = 3


class CcxtCandles:
    """The public candles of one venue.

    address  : scheme and host of another server with the venue's API (a mirror, a test).
    retries  : for network errors and rate limits; ccxt keeps the venue's rate limit by itself.
    on_retry : called with one line: why, and when, the request is retried.

    Raises UserError for a venue that ccxt does not support.
    """

    def __init__(
        self,
        venue: str,
        address: str | None = None,
        retries: RetryPolicy = RetryPolicy(),
        on_retry: Callable[[str], None] = lambda _: None,
    ) -> None:
        import ccxt

        if venue not in ccxt.exchanges:
            require_known_venue(venue)
            raise UserError(f"{venue}: not a venue of ccxt: import files with `ares data import`")
        self._ccxt = ccxt
        self._venue = venue
        self._retries = retries
        self._on_retry = on_retry
        self._exchange: Any = getattr(ccxt, venue)(
            {"enableRateLimit": True, "timeout": int(retries.timeout_s * 1000)}
        )
        prepare(self._exchange, address)
        self._exchange.on_rest_response = self._note_status
        self._status = 0
        self._answered = False

    def spec(self, symbol: str) -> InstrumentSpec:
        """Return the instrument and its grid; raise UserError naming the nearest symbol."""
        markets = self._ask(self._exchange.load_markets)
        market = markets.get(symbol)
        if market is None or market.get("spot") is False:
            spot = [name for name, entry in markets.items() if entry.get("spot") is not False]
            near = difflib.get_close_matches(symbol, spot, n=1, cutoff=0.0)
            hint = f": did you mean {near[0]}?" if near else ""
            raise UserError(f"{self._venue} has no symbol '{symbol}'{hint}")
        precision = market["precision"]
        minimum = (market.get("limits") or {}).get("cost") or {}
        return InstrumentSpec(
            Instrument(self._venue, symbol),
            self._decimals(precision.get("price")),
            self._decimals(precision.get("amount")),
            float(minimum.get("min") or 0.0),
        )

    def now_ms(self, local_ms: int) -> int:
        """Return the venue's time; ``local_ms`` where the venue has no such request."""
        if not self._exchange.has.get("fetchTime"):
            return local_ms
        return int(self._ask(self._exchange.fetch_time) or local_ms)

    def page(self, symbol: str, interval: str, from_ms: int, to_ms: int) -> CandlePage:
        """Return the bars of one answer that open at or after ``from_ms`` and close by ``to_ms``.

        Where there are none, ``next_ms`` still advances by a full page.
        """
        timeframe = Timeframe(interval)
        if interval not in (self._exchange.timeframes or {}):
            known = ", ".join(t for t in Timeframe if t in (self._exchange.timeframes or {}))
            raise UserError(f"{self._venue} has no {interval} candles: use one of {known}")
        limit = self._page_bars()
        rows = self._ask(
            lambda: self._exchange.fetch_ohlcv(symbol, interval, since=from_ms, limit=limit)
        )
        numbers = [row[:6] for row in rows if row[0] is not None and None not in row[1:5]]
        table = np.array([[cell or 0.0 for cell in row] for row in numbers], np.float64)
        table = table.reshape(-1, 6)
        ts_ms = table[:, 0].astype(np.int64)
        inside = (ts_ms >= from_ms) & (ts_ms + timeframe.ms <= to_ms)
        sound = np.all(np.isfinite(table), axis=1) & np.all(table[:, 1:5] > 0.0, axis=1)
        sound &= (ts_ms % timeframe.ms == 0) & (table[:, 5] >= 0.0)
        kept = table[inside & sound]
        _, first = np.unique(kept[:, 0], return_index=True)  # sorted, each time once
        times, opened, high, low, close, volume = kept[first].T
        bars = Bars.make(times.astype(np.int64), opened, high, low, close, volume)
        newest_ms = int(ts_ms.max()) + timeframe.ms if len(ts_ms) else 0
        next_ms = newest_ms if newest_ms > from_ms else from_ms + limit * timeframe.ms
        return CandlePage(bars, next_ms, int((inside & ~sound).sum()))

    def _page_bars(self) -> int:
        """Return how many bars one answer may contain."""
        features = (self._exchange.features or {}).get("spot") or {}
        return int((features.get("fetchOHLCV") or {}).get("limit") or 500)

    def _decimals(self, precision: float | None) -> int:
        """Return the decimals of ccxt's precision: a tick size, or a number of decimals."""
        if precision is None:
            return 8
        if self._exchange.precisionMode == self._ccxt.TICK_SIZE:
            text = f"{precision:.12f}".rstrip("0")
            return min(8, len(text.partition(".")[2]))
        return min(8, max(0, int(precision)))

    def _ask(self, call: Callable[[], T]) -> T:
        """Return the call's answer, with retries on errors of the network or the venue."""
        import stamina

        attempts = 0

        def is_retried(error: Exception) -> bool:
            answers = self._answered or attempts < self._retries.attempts_first
            return answers and self._is_temporary(error)

        known = stamina.instrumentation.get_on_retry_hooks()
        stamina.instrumentation.set_on_retry_hooks([self._report_retry])
        try:
            for attempt in stamina.retry_context(
                on=is_retried,
                attempts=self._retries.attempts,
                timeout=None,
                wait_initial=self._retries.wait_first_s,
                wait_max=self._retries.wait_max_s,
                wait_jitter=self._retries.wait_first_s,
            ):
                with attempt:
                    self._status = 0
                    attempts += 1
                    return call()
        except self._ccxt.BaseError as error:
            if not self._is_temporary(error):
                raise ExternalError(
                    f"{self._venue} rejected the request: {line_of(error)}"
                ) from error
            raise ExternalError(
                f"{self._venue} does not answer ({line_of(error)}) after {attempts} "
                "attempts: candles fetched so far are stored; run the command again to continue"
            ) from error
        finally:
            stamina.instrumentation.set_on_retry_hooks(known)
        raise AssertionError("stamina ended without an answer")

    def _note_status(self, status: int, _reason: str, *rest: Any) -> str:
        """Store the HTTP status, which ccxt's errors do not contain; return the body."""
        self._status = status
        self._answered = True
        body: str = rest[3]
        return body.strip()

    def _is_temporary(self, error: Exception) -> bool:
        """Return whether a retry may help: network errors, rate limits, HTTP 5xx of the venue."""
        if isinstance(error, self._ccxt.OperationFailed):
            return True
        return isinstance(error, self._ccxt.BaseError) and self._status >= 500

    def _report_retry(self, details: Any) -> None:
        self._on_retry(
            f"{self._venue}: {line_of(details.caused_by)}; retrying in {details.wait_for:.0f} s"
        )
