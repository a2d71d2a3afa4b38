"""The time window of a backtest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from ares.domain.errors import UserError
from ares.domain.instrument import Instrument
from ares.domain.timeframe import DAY_MS, Timeframe
from ares.domain.utc import utc_text
from ares.store.candles import CandleStore

DAYS_DEFAULT = 90.0


def parse_utc(text: str) -> int:
    """Return a date or time (UTC unless it names a zone) in ms since the epoch.

    >>> parse_utc("2023-04-20"), parse_utc("2023-04-20 12:30") - parse_utc("2023-04-20T12:30Z")
    (1681948800000, 0)
    """
    try:
        when = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UserError(
            f"'{text}' is not a date: write 2023-04-20 or 2023-04-20T12:30 (UTC)"
        ) from None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return round(when.timestamp() * 1000)


def window(
    store: CandleStore,
    instruments: Sequence[Instrument],
    from_ms: int | None,
    to_ms: int | None,
    days: float | None,
) -> tuple[int, int]:
    """Return ``(from_ms, to_ms)``; by default the last ``days`` with candles of all instruments.

    Raises UserError where the window is empty.
    """
    if to_ms is None:
        series = store.series()
        ends = {
            s.instrument: s.last_ms + Timeframe(s.interval).ms
            for s in sorted(series, key=lambda s: s.last_ms + Timeframe(s.interval).ms)
        }
        known = [ends[instrument] for instrument in instruments if instrument in ends]
        if not known:
            raise UserError("no candles are stored: `ares data import PATH`")
        to_ms = min(known)
    if from_ms is None:
        from_ms = round(to_ms - (DAYS_DEFAULT if days is None else days) * DAY_MS)
    if from_ms >= to_ms:
        raise UserError(f"the window is empty: from {utc_text(from_ms)} to {utc_text(to_ms)} UTC")
    return from_ms, to_ms
