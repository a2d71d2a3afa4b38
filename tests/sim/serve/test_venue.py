"""What both protocols share: the venue's clock, and the running candle, computed once for all."""

from __future__ import annotations

from tests.sim.serving import START_MS, made_market

from ares.domain.timeframe import MINUTE_MS
from ares.sim.serve.clock import MarketClock
from ares.sim.serve.faults import ActiveFaults, Fault
from ares.sim.serve.market import SimMarket
from ares.sim.serve.venue import CACHED_MAX, SimVenue


def test_a_wrong_clock_moves_the_published_time_and_not_the_market() -> None:
    clock = MarketClock(START_MS, 1.0, lambda: 0, lambda: 0.0)
    venue = SimVenue(SimMarket(made_market()), clock, ActiveFaults(lambda: 0.0))
    assert venue.clock_ms() == venue.now_ms() == START_MS
    venue.faults.add(Fault("wrong_clock", ms=-900))
    assert (venue.clock_ms(), venue.now_ms()) == (START_MS - 900, START_MS)


def test_the_running_candle_is_computed_once_and_forgotten_in_time() -> None:
    clock = MarketClock(START_MS, 1.0, lambda: 0, lambda: 0.0)
    venue = SimVenue(SimMarket(made_market()), clock, ActiveFaults(lambda: 0.0))
    symbol = venue.market.symbols[0]
    at_ms = START_MS + 40_000
    first = venue.running_candle(symbol, MINUTE_MS, at_ms)
    assert first == symbol.candles(MINUTE_MS, START_MS, at_ms + 1, at_ms)[-1]
    assert venue.running_candle(symbol, MINUTE_MS, at_ms) is first
    for k in range(2 * CACHED_MAX):
        venue.running_candle(symbol, MINUTE_MS, at_ms + k)
    assert len(venue._candles) <= CACHED_MAX
