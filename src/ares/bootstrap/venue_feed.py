"""The feed of an engine in real time from a venue, composed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ares.domain.errors import UserError
from ares.domain.timeframe import MINUTE_MS

if TYPE_CHECKING:
    from ares.core.state import State
    from ares.domain.api_key import ApiKey
    from ares.domain.events import BarsClosed
    from ares.domain.market_data import MarketData
    from ares.kernel.features.observations import SeriesHistory
    from ares.runtime.engine.assembler import Assembler
    from ares.runtime.engine.clocks import RunningClock
    from ares.runtime.engine.live_feed import LiveFeed, MarketDataSource
    from ares.runtime.engine.silence import Silence


def venue_feed(
    state: State,
    clock: RunningClock,
    after_ms: int,
    warm: Sequence[BarsClosed] = (),
    say: Callable[[str], None] = lambda _: None,
    address: str | None = None,
    load_series: Callable[[int], SeriesHistory] | None = None,
    memory: Path | None = None,
    key: ApiKey | None = None,
) -> LiveFeed:
    """Return the feed of a run's instruments from their venue.

    after_ms : closing instant after which bars are posted; what closed since then is caught up.
    warm     : bars up to that instant that the state has not seen; they are posted by others.
    address  : scheme and host of another server with the venue's API: a rehearsal.
    load_series : returns the rows of the run's external series that are known since an instant.
    memory   : file in which the usual silences of the symbols are kept over restarts.
    key      : of an account, for a venue that gives market data to nobody else.

    Raises UserError where the instruments are of several venues, or have no 1m bars.
    """
    from ares.adapters.ccxt_stream import CcxtStream
    from ares.core.price_watch import watched_ticks
    from ares.runtime.engine.live_feed import LiveFeed
    from ares.runtime.engine.series_feed import NO_SERIES, PolledSeries
    from ares.runtime.engine.watched_prices import WatchedPrices

    setup = state.setup
    lanes = setup.instruments[: setup.n_instruments]
    venues = sorted({lane.spec.instrument.venue for lane in lanes})
    if len(venues) != 1:
        raise UserError(f"a run in real time has one venue, not {', '.join(venues)}")
    other = [lane.spec.instrument.symbol for lane in lanes if lane.base_ms != MINUTE_MS]
    if other:
        raise UserError(
            f"{', '.join(other)}: a run in real time is made of 1m bars: import 1m candles"
        )
    symbols = [lane.spec.instrument.symbol for lane in lanes]

    def connect(deliver: Callable[[MarketData], None]) -> MarketDataSource:
        return CcxtStream(venues[0], symbols, clock.now_ms, deliver, say, address, key=key)

    series = NO_SERIES if load_series is None else PolledSeries(load_series, after_ms, say)
    silences = known_silences(memory, symbols, say)

    def keep(found: Sequence[Silence]) -> None:
        if memory is not None:
            keep_silences(memory, symbols, found, say)

    assembler = assembler_of(state, clock.speed, after_ms, warm, silences)
    decimals = [lane.spec.price_decimals for lane in lanes]
    prices = WatchedPrices(lambda: watched_ticks(state), decimals, clock.speed)
    return LiveFeed(connect, assembler, clock, series, keep, prices)


def known_silences(
    memory: Path | None, symbols: Sequence[str], say: Callable[[str], None]
) -> list[Silence]:
    """Return what a file knows of each symbol; nothing where it is missing or damaged."""
    import msgspec

    from ares.runtime.engine.silence import Silence

    kept: dict[str, bytes] = {}
    if memory is not None and memory.exists():
        try:
            kept = msgspec.msgpack.decode(memory.read_bytes(), type=dict[str, bytes])
        except (OSError, msgspec.DecodeError) as error:
            say(f"{memory.name} cannot be read ({error}): usual silences are learned anew")
    return [Silence.of(kept.get(symbol, b"")) for symbol in symbols]


def keep_silences(
    memory: Path, symbols: Sequence[str], silences: Sequence[Silence], say: Callable[[str], None]
) -> None:
    """Write what is known of each symbol; a disk that fails costs nothing but this."""
    import msgspec

    kept = {symbol: found.to_bytes() for symbol, found in zip(symbols, silences, strict=True)}
    try:
        part = memory.with_suffix(".part")
        part.write_bytes(msgspec.msgpack.encode(kept))
        part.replace(memory)
    except OSError as error:
        say(f"{memory.name} cannot be written: {error}")


def rehearsal_clock(address: str, after_ms: int) -> RunningClock:
    """Return the clock of a server of `ares sim serve`: its market time, at its speed; of another
    server that has the venue's API, the machine's.

    Raises ExternalError where nothing answers at the address.
    """
    from ares.domain.errors import AresError
    from ares.runtime.engine.clocks import RunningClock
    from ares.sim.serve.admin import SimAdmin

    server = SimAdmin(address)

    def market_ms() -> int | None:
        try:
            return int(server.clock()["market_ms"])
        except AresError:
            return None

    try:
        found = server.clock()
    except UserError:
        return RunningClock.after(after_ms)
    begin_ms, speed = max(after_ms, int(found["market_ms"])), float(found["speed"])
    return RunningClock(begin_ms, speed, source_ms=market_ms)


def assembler_of(
    state: State,
    speed: float,
    after_ms: int,
    warm: Sequence[BarsClosed] = (),
    silences: Sequence[Silence] = (),
) -> Assembler:
    """Return an assembler that goes on from a state's newest bars, and those that come before it.

    Without the closes before it, it would take any price of the first minute for true.
    """
    from ares.kernel.bar_aggregation import newest_closes
    from ares.kernel.features.catalogue import WARMUP_BARS
    from ares.runtime.engine.assembler import Assembler
    from ares.runtime.engine.feed_rules import AssemblerRules

    setup, n = state.setup, state.setup.n_instruments
    instant_ms = max(after_ms, state.now_ms)
    newest_ms, closes = np.full(n, instant_ms), _newest_closes(warm, n)
    if state.now_ms >= instant_ms:  # else bars up to that instant are processed before the feed
        given_ms = newest_closes(state.bar_series, n)
        newest_ms = np.where(given_ms > 0, np.minimum(given_ms, instant_ms), instant_ms)
        closes = state.trade.book["last_close"][:n] / state.price_scale[:n]
    warmup_ms = WARMUP_BARS * max(timeframe.ms for timeframe in setup.timeframes)
    rules = AssemblerRules(warmup_ms=warmup_ms).at_speed(speed)
    return Assembler(
        instant_ms, newest_ms.tolist(), closes.tolist(), setup.reference, rules, silences
    )


def _newest_closes(warm: Sequence[BarsClosed], n: int) -> NDArray[np.float64]:
    """Return (n,) the close of each instrument's newest bar; 0: it has none."""
    closes = np.zeros(n)
    for event in reversed(warm):
        present = np.frombuffer(event.present, np.bool_) & (closes == 0.0)
        closes[present] = np.frombuffer(event.ohlcv).reshape(n, 5)[present, 3]
        if closes.all():
            break
    return closes
