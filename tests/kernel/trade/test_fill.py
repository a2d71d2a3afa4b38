"""The simulated venue: prices after costs by hand, parts, stops, empty bars, the collar."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ares.kernel.trade.layout import (
    ENTRY,
    EXIT,
    REASON_NAMES,
    SIZE_FIXED,
    STOP,
)

NAN = math.nan
ENTER = (0.7, 50.0, NAN)
LEAVE = (0.3, -100.0, NAN)
KINDS = {ENTRY: "entry", EXIT: "exit", STOP: "stop"}
COSTS = {"fee_bps": 10.0, "spread_bps": 2.0, "slippage_bps": 1.0, "participation_max": 0.1}


def fills(log: Any) -> list[tuple[str, int, int]]:
    """Return (kind, lots, price) of what was filled."""
    done = log.fills[log.fills["rejected"] == 0]
    return [(KINDS[f["kind"]], int(f["lots"]), int(f["price_ticks"])) for f in done]


def reasons(log: Any) -> list[str]:
    return [REASON_NAMES[k] for k in log.outcomes["reason"]]


def fixed(sim: Any, lots: int, **changes: Any) -> Any:
    return sim.with_rules(sizing=SIZE_FIXED, fixed_lots=lots, **changes)


def test_a_round_trip_by_hand(sim: Any) -> None:
    rows = [
        (10_000, 10_000, 10_000, 10_000, 100_000),
        (10_050, 10_100, 10_040, 10_090, 100_000),
        (10_080, 10_080, 10_080, 10_080, 50_000),
    ]
    log = fixed(sim, 1_000, **COSTS).run(rows, {0: ENTER, 1: LEAVE})
    # buy: half the spread 1 bps + 1 bps x 1,000/100,000 -> 10,050 x 1.000101 = 10,051.02, up
    # sell: 1 bps + 1 bps x 1,000/50,000 -> 10,080 x (1 - 0.000102) = 10,078.97, down
    assert fills(log) == [("entry", 1_000, 10_052), ("exit", -1_000, 10_078)]
    bought, sold = 10_052 * 1_000 * 1_000, 10_078 * 1_000 * 1_000  # units of 1e-8 quote
    fees = [bought // 1_000, sold // 1_000]
    assert log.fills["fee_units"].tolist() == fees
    assert log.state.account[0]["cash"] == 10**12 - bought + sold - sum(fees)
    (trade,) = log.outcomes
    assert trade["pnl_units"] == sold - bought - sum(fees)
    assert trade["fees_units"] == sum(fees)
    assert trade["net_bps"] == pytest.approx((sold - bought - sum(fees)) / bought * 1e4)
    assert (trade["entry_price"], trade["exit_price"]) == (10_052.0, 10_078.0)
    assert reasons(log) == ["reversal"]


def test_fills_are_stamped_with_the_open_of_their_bar(sim: Any, bar: Any) -> None:
    log = fixed(sim, 10).run([bar(10_000)] * 3, {0: ENTER, 1: LEAVE})
    start = sim.market([[bar(1)]]).close_ms[0]  # the first close is the second bar's open
    assert log.fills["ts_ms"].tolist() == [start, start + 60_000]
    assert (log.outcomes[0]["entry_ms"], log.outcomes[0]["exit_ms"]) == (start, start + 60_000)


@pytest.mark.parametrize(
    ("spread_bps", "bought"),
    [(0.0, 10_000), (1e-3, 10_001), (1.0, 10_001), (2.0, 10_001), (2.0001, 10_002)],
)
def test_a_spread_is_never_below_a_tick_and_a_whole_tick_is_no_more(
    sim: Any, bar: Any, spread_bps: float, bought: int
) -> None:
    log = fixed(sim, 10, spread_bps=spread_bps).run([bar(10_000)] * 3, {0: ENTER, 1: LEAVE})
    assert fills(log) == [("entry", 10, bought), ("exit", -10, 20_000 - bought)]


def test_an_entry_takes_its_share_of_the_bar_and_the_rest_is_dropped(sim: Any, bar: Any) -> None:
    log = fixed(sim, 1_000, participation_max=0.1).run(
        [bar(10_000), bar(10_000, volume=5_009), bar(10_000), bar(10_000)], {0: ENTER}
    )
    assert fills(log) == [("entry", 500, 10_000)]
    assert log.fills[0]["remaining_lots"] == 0
    assert log.state.book[0]["position_lots"] == 500
    assert log.state.venue[0]["market_lots"] == 0


def test_an_exit_goes_on_until_all_is_sold_and_is_one_trade(sim: Any, bar: Any) -> None:
    thin = [(price, price, price, price, 3_000) for price in (10_000, 9_990, 9_980, 9_970, 9_960)]
    rows = [bar(10_000), bar(10_000), *thin]
    signals = {0: ENTER} | dict.fromkeys(range(1, len(rows)), LEAVE)
    log = fixed(sim, 1_000, participation_max=0.1).run(rows, signals)
    assert fills(log)[1:] == [
        ("exit", -300, 10_000),
        ("exit", -300, 9_990),
        ("exit", -300, 9_980),
        ("exit", -100, 9_970),
    ]
    assert log.fills["remaining_lots"].tolist() == [0, -700, -400, -100, 0]
    (trade,) = log.outcomes
    assert trade["lots"] == 1_000
    assert trade["exit_price"] == pytest.approx(
        (300 * (10_000 + 9_990 + 9_980) + 100 * 9_970) / 1e3
    )
    exits = [r for r in log.requests if r["kind"] == EXIT]
    assert len(exits) == 1  # while it works, nothing more is requested


def test_no_trade_in_a_bar_no_fill(sim: Any, bar: Any) -> None:
    empty = bar(10_000, volume=0)
    log = fixed(sim, 10, participation_max=0.1).run(
        [bar(10_000), bar(10_000), empty, empty, bar(9_000)], {0: ENTER, 1: LEAVE}
    )
    assert fills(log) == [("entry", 10, 10_000), ("exit", -10, 9_000)]  # the exit waited
    log = fixed(sim, 10, participation_max=0.1).run([bar(10_000), empty], {0: ENTER})
    assert fills(log) == []
    assert log.fills["rejected"].tolist() == [1]  # the entry did not wait
    assert log.state.book[0]["entry_open_lots"] == 0
    assert log.state.account[0]["failures"] == 1


STOPPED = {"stop_enabled": True, "edge_bps_exit": -1e9}
WIDE = (0.7, 50.0, 100.0)  # a barrier 1% away: 9,900 and 10,100 from 10,000


def test_a_stop_works_from_the_entry_bar_on(sim: Any, bar: Any) -> None:
    rows = [bar(10_000), (10_000, 10_010, 9_850, 9_950, 10**6), bar(9_950)]
    log = fixed(sim, 10, **STOPPED).run(rows, {0: WIDE})
    assert fills(log) == [("entry", 10, 10_000), ("stop", -10, 9_900)]
    assert reasons(log) == ["stop"]
    assert log.outcomes[0]["entry_ms"] == log.outcomes[0]["exit_ms"]


def test_a_stop_that_the_low_touches_is_hit_and_one_tick_above_is_not(sim: Any, bar: Any) -> None:
    for low, hit in ((9_900, True), (9_901, False)):
        rows = [bar(10_000), bar(10_000), (10_000, 10_000, low, 10_000, 10**6)]
        log = fixed(sim, 10, **STOPPED).run(rows, {0: WIDE})
        assert (len(log.outcomes) == 1) == hit


def test_a_stop_is_rounded_away_from_the_entry(sim: Any, bar: Any) -> None:
    log = fixed(sim, 10, **STOPPED).run([bar(10_001), bar(10_001)], {0: WIDE})
    book = log.state.book[0]
    assert (book["stop_ticks"], book["take_ticks"]) == (9_900, 10_102)  # of 9,900.99 and 10,101.01
    assert log.state.venue[0]["stop_ticks"] == 9_900
    assert log.state.venue[0]["stop_lots"] == book["stop_lots"] == 10


def test_a_stop_that_the_open_jumped_fills_at_the_open(sim: Any, bar: Any) -> None:
    rows = [bar(10_000), bar(10_000), (9_500, 9_990, 9_400, 9_990, 10**6)]
    log = fixed(sim, 10, **STOPPED).run(rows, {0: WIDE})
    assert fills(log) == [("entry", 10, 10_000), ("stop", -10, 9_500)]


def test_a_stop_above_the_market_fills_at_the_market(sim: Any, bar: Any) -> None:
    """Costs of 2% a side put the entry so high that its stop lies above the bar's open."""
    rows = [bar(10_000), (10_000, 10_050, 9_990, 10_000, 10**6)]
    log = fixed(sim, 10, **STOPPED, spread_bps=400.0).run(rows, {0: WIDE})
    assert fills(log) == [("entry", 10, 10_200), ("stop", -10, 9_800)]


def test_costs_come_on_top_of_a_stop(sim: Any, bar: Any) -> None:
    rows = [bar(10_000), bar(10_000), (10_000, 10_000, 9_800, 9_800, 10_000)]
    log = fixed(sim, 1_000, **STOPPED, spread_bps=2.0, slippage_bps=10.0).run(rows, {0: WIDE})
    entry = fills(log)[0][2]
    trigger = math.floor(entry * 0.99)
    # half the spread 1 bps + 10 bps x 1,000/10,000 = 2 bps below the trigger
    assert fills(log)[1] == ("stop", -1_000, math.floor(trigger * 0.9998))


def test_what_a_stop_could_not_sell_goes_on_as_a_market_order(sim: Any, bar: Any) -> None:
    rows = [
        bar(10_000),
        bar(10_000),
        (10_000, 10_000, 9_800, 9_850, 4_000),
        bar(9_700, volume=0),
        (9_600, 9_990, 9_600, 9_990, 20_000),
    ]
    log = fixed(sim, 1_000, **STOPPED, participation_max=0.1).run(rows, {0: WIDE, 2: WIDE, 3: WIDE})
    assert fills(log)[1:] == [("stop", -400, 9_900), ("stop", -600, 9_600)]
    assert log.fills["remaining_lots"].tolist() == [0, -600, 0]
    assert reasons(log) == ["stop"]
    assert len([r for r in log.requests if r["kind"] == EXIT]) == 0


def test_nobody_trades_in_an_empty_bar_so_no_stop_is_hit(sim: Any, bar: Any) -> None:
    rows = [bar(10_000), bar(10_000), (9_000, 9_000, 9_000, 9_000, 0), bar(9_100)]
    log = fixed(sim, 10, **STOPPED, participation_max=0.1).run(rows, {0: WIDE})
    assert fills(log)[1] == ("stop", -10, 9_100)


def test_profit_is_taken_at_the_open_after_the_close_that_reached_it(sim: Any, bar: Any) -> None:
    rows = [bar(10_000), (10_000, 10_500, 10_000, 10_100, 10**6), bar(10_150), bar(10_150)]
    log = fixed(sim, 10, **STOPPED).run(rows, {0: WIDE})
    assert fills(log) == [("entry", 10, 10_000), ("exit", -10, 10_150)]
    assert reasons(log) == ["take_profit"]
    short = [rows[0], (10_000, 10_500, 10_000, 10_099, 10**6), bar(10_099), bar(10_099)]
    assert len(fixed(sim, 10, **STOPPED).run(short, {0: WIDE}).outcomes) == 0


def test_a_position_is_left_when_its_time_is_over(
    sim: Any, bar: Any, traded: Callable[..., Any]
) -> None:
    timed = replace(sim, traded=(traded(horizon_ms=3 * 60_000),))
    log = fixed(timed, 10, **STOPPED).run([bar(10_000)] * 8, {0: WIDE})
    assert reasons(log) == ["timeout"]
    entry, leave = log.fills["ts_ms"].tolist()
    assert leave - entry == 3 * 60_000


def test_a_position_is_left_when_the_signal_turns_but_not_when_it_is_silent(
    sim: Any, bar: Any
) -> None:
    rows = [bar(10_000)] * 6
    silent = fixed(sim, 10).run(rows, {0: ENTER})
    assert len(silent.outcomes) == 0
    for edge, left in ((-20.0, True), (-19.9, False)):
        log = fixed(sim, 10).run(rows, {0: ENTER, 2: (0.4, edge, NAN)})
        assert (len(log.outcomes) == 1) == left


def test_the_resting_stop_is_cancelled_before_the_exit_is_sent(sim: Any, bar: Any) -> None:
    rows = [bar(10_000), bar(10_000), (10_000, 10_000, 9_000, 9_000, 10**6)]
    log = fixed(sim, 10, stop_enabled=True).run(rows, {0: WIDE, 1: (0.3, -100.0, 100.0)})
    assert fills(log) == [("entry", 10, 10_000), ("exit", -10, 10_000)]
    assert log.state.venue[0]["stop_lots"] == log.state.book[0]["stop_lots"] == 0


def test_an_entry_beyond_the_collar_is_rejected_and_the_limit_itself_passes(
    sim: Any, bar: Any
) -> None:
    for price, taken in ((10_500, True), (10_501, False), (5_000, True)):
        log = fixed(sim, 10).run([bar(10_000), bar(price), bar(price)], {0: ENTER})
        assert (log.state.book[0]["position_lots"] == 10) == taken
        assert log.fills["rejected"].tolist() == [0 if taken else 1]
        assert log.fills["lots"].tolist() == [10 if taken else 0]


def test_an_exit_has_no_collar(sim: Any, bar: Any) -> None:
    log = fixed(sim, 10).run([bar(10_000), bar(10_000), bar(5_000)], {0: ENTER, 1: LEAVE})
    assert fills(log)[1] == ("exit", -10, 5_000)


def test_orders_of_an_instrument_wait_for_its_own_bars(two: Any, bar: Any) -> None:
    setup = fixed(two, 10, **STOPPED)
    rows = [
        [bar(10_000), bar(10_000)],
        [bar(10_000), None],
        [bar(10_000), None],
        [bar(10_000), bar(10_200)],
        [(10_000, 10_000, 9_000, 9_000, 10**6), None],
        [bar(9_000), (10_100, 10_200, 10_000, 10_000, 10**6)],
    ]
    log = setup.run(rows, {(0, 0): WIDE, (0, 1): WIDE})
    instrument = log.fills["instrument"].tolist()
    assert instrument == [0, 1, 0, 1]
    assert [price for _, _, price in fills(log)] == [10_000, 10_200, 9_900, 10_098]
    start = setup.market(rows).close_ms[0]
    assert ((log.fills["ts_ms"] - start) // 60_000).tolist() == [0, 2, 3, 4]


def test_a_position_without_a_bar_is_valued_at_its_last_close(two: Any, bar: Any) -> None:
    setup = fixed(two, 100)
    rows = [[bar(10_000), bar(10_000)], [bar(10_000), bar(11_000)], [bar(10_000), None]]
    log = setup.run(rows, {(0, 1): ENTER})
    assert fills(log) == []  # 11,000 is beyond the collar
    rows[1] = [bar(10_000), bar(10_100)]
    log = setup.run(rows, {(0, 1): ENTER})
    assert (log.equity - 10**12).tolist() == [0, 0, 0]
    rows[2] = [bar(10_000), bar(10_300)]
    log = setup.run([*rows, [bar(10_000), None]], {(0, 1): ENTER})
    assert (log.equity - 10**12).tolist() == [0, 0, 200 * 100 * 1_000, 200 * 100 * 1_000]


def test_without_signals_nothing_happens(sim: Any, bar: Any) -> None:
    log = fixed(sim, 10).run([bar(10_000)] * 50, dict.fromkeys(range(50), (NAN, NAN, NAN)))
    assert len(log.requests) == len(log.fills) == len(log.notices) == 0
    assert np.all(log.equity == 10**12)


def test_a_missing_width_means_no_stop_and_no_target(sim: Any, bar: Any) -> None:
    log = fixed(sim, 10, **STOPPED).run([bar(10_000), bar(10_000), bar(1), bar(99_000)], {0: ENTER})
    assert [r["kind"] for r in log.requests] == [ENTRY]
    assert log.state.book[0]["position_lots"] == 10
