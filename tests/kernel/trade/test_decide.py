"""Decisions: sizes by hand, each limit with its own code, the day's loss, virtual trades, modes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ares.domain.instrument import Instrument, InstrumentSpec
from ares.kernel.trade.layout import (
    ENTRY,
    MODE_LEARNING,
    MODE_TRADING,
    NOTICE_DAILY_LOSS,
    NOTICE_MODE,
    NOTICE_VIRTUAL_OPENED,
    REASON_NAMES,
    REFUSAL,
    REFUSAL_NAMES,
    SIZE_ALL,
    SIZE_FIXED,
)

NAN = math.nan
DAY_MINUTES = 1_440
ENTER = (0.7, 50.0, 100.0)
LEAVE = (0.3, -100.0, 100.0)


def entered(log: Any) -> list[int]:
    """Return the lots of each entry asked for."""
    return [int(r["lots"]) for r in log.requests if r["kind"] == ENTRY]


def refused(log: Any) -> list[str]:
    return [REFUSAL_NAMES[r["code"]] for r in log.requests if r["kind"] == REFUSAL]


def test_an_edge_enters_from_its_least_on(desk: Any, bar: Any) -> None:
    for edge, enters in ((4.999, False), (5.0, True)):
        log = desk.run([bar(10_000)] * 2, {0: (0.7, edge, 100.0)})
        assert (len(entered(log)) == 1) == enters


@pytest.mark.parametrize(
    ("rules", "lots"),
    [
        # 10,000 quote of equity, 0.10 quote a lot: 1% at risk over 100 bps is all of it
        ({"risk_per_trade": 0.001}, 10_000),
        ({"risk_per_trade": 0.001, "position_max": 0.05}, 5_000),
        ({"risk_per_trade": 0.001, "exposure_max": 0.02}, 2_000),
        ({"risk_per_trade": 0.001, "order_quote_max": 77.77}, 777),
        ({"risk_per_trade": 0.00033}, 3_300),
        # all cash, kept back for a fill at the collar with fee and half the spread
        ({"sizing": SIZE_ALL}, math.floor(100_000 / 1.05)),
        ({"sizing": SIZE_ALL, "fee_bps": 10.0, "spread_bps": 2.0}, int(100_000 / 1.05 / 1.0011)),
        ({"sizing": SIZE_FIXED, "fixed_lots": 123}, 123),
    ],
)
def test_the_size_is_the_largest_that_every_limit_allows(
    desk: Any, bar: Any, rules: dict[str, Any], lots: int
) -> None:
    assert entered(desk.with_rules(**rules).run([bar(10_000)], {0: ENTER})) == [lots]


LIMITS: list[tuple[str, dict[str, Any]]] = [
    ("mode_learning", {"gate_mode": True, "trading_threshold": 0.8}),
    ("position_cap", {"position_max": 0.0005, "order_quote_min": 10.0}),
    ("gross_exposure", {"exposure_max": 0.0005, "order_quote_min": 10.0}),
    ("order_above_max", {"order_quote_max": 5.0, "order_quote_min": 10.0}),
    ("order_below_min", {"risk_per_trade": 1e-6, "order_quote_min": 10.0}),
    ("cash", {"sizing": SIZE_FIXED, "fixed_lots": 200_000}),
    ("cash", {"order_quote_min": 1e6}),
    ("orders_per_minute", {"orders_per_minute": 0}),
]


@pytest.mark.parametrize(("code", "rules"), LIMITS, ids=[code for code, _ in LIMITS])
def test_each_limit_refuses_with_its_own_code_and_leaves_a_virtual_trade(
    desk: Any, bar: Any, code: str, rules: dict[str, Any]
) -> None:
    log = desk.with_rules(**rules).run(
        [bar(10_000), bar(10_010), bar(10_030)], {0: ENTER, 1: LEAVE}
    )
    assert refused(log) == [code]
    assert entered(log) == []
    assert len(log.fills) == 0
    assert NOTICE_VIRTUAL_OPENED in log.notices["kind"]
    (trade,) = log.outcomes
    assert (trade["virtual"], REFUSAL_NAMES[trade["code"]]) == (1, code)
    assert trade["net_bps"] == pytest.approx((10_030 / 10_010 - 1) * 1e4)
    assert (trade["lots"], trade["pnl_units"], trade["fees_units"]) == (0, 0, 0)
    assert log.state.account[0]["cash"] == log.equity[-1] == 10**12


def test_the_instruments_own_least_cost_is_a_limit(
    desk: Any, bar: Any, traded: Callable[..., Any]
) -> None:
    spec = InstrumentSpec(Instrument("test", "A/B"), 2, 3, cost_min_quote=5.0)
    picky = replace(desk, traded=(traded(spec=spec),))
    assert refused(picky.with_rules(order_quote_max=4.99).run([bar(10_000)], {0: ENTER})) == [
        "order_above_max"
    ]
    assert entered(picky.with_rules(order_quote_max=5.0).run([bar(10_000)], {0: ENTER})) == [50]


def test_without_a_champion_and_when_halted_nothing_is_entered(
    desk: Any, bar: Any, traded: Callable[..., Any]
) -> None:
    shadow = replace(desk, traded=(traded(has_champion=False),))
    assert refused(shadow.run([bar(10_000)], {0: ENTER})) == ["no_champion"]
    state = desk.first()
    state.account[0]["halted"] = 1
    assert refused(desk.run([bar(10_000)], {0: ENTER}, state)) == ["halted"]


def test_orders_are_counted_over_all_instruments_and_by_the_minute(two: Any, bar: Any) -> None:
    one = two.with_rules(orders_per_minute=1, position_max=0.1)
    rows = [[bar(10_000), bar(10_000)]] * 2
    log = one.run(rows, {(0, 0): ENTER, (0, 1): ENTER})
    assert (entered(log), refused(log)) == ([10_000], ["orders_per_minute"])
    log = one.run(rows, {(0, 0): ENTER, (1, 1): ENTER})
    assert (len(entered(log)), refused(log)) == (2, [])


def test_exits_are_never_limited_by_the_minute(two: Any, bar: Any) -> None:
    one = two.with_rules(orders_per_minute=2, position_max=0.1)
    rows = [[bar(10_000), bar(10_000)]] * 4
    said = {(t, i): word for t, word in ((0, ENTER), (1, LEAVE)) for i in (0, 1)}
    log = one.with_rules(orders_per_minute=2).run(rows, said)
    assert len(log.outcomes) == 2


def test_two_instruments_share_one_account(two: Any, bar: Any) -> None:
    one = two.with_rules(position_max=0.4, exposure_max=0.5, collar_bps=0.0)
    rows = [[bar(10_000), bar(10_000)]] * 3
    log = one.run(rows, {(0, 0): ENTER, (0, 1): ENTER})
    assert entered(log) == [40_000, 10_000]  # the second sees what the first is about to spend
    log = one.run(rows, {(0, 0): ENTER, (2, 1): ENTER})
    assert entered(log) == [40_000, 10_000]  # and what it holds


def test_an_order_that_waits_is_spent_all_the_while(two: Any, bar: Any) -> None:
    one = two.with_rules(exposure_max=0.9, position_max=0.6, collar_bps=100.0)
    rows = [[bar(10_000), bar(10_000)], *[[bar(10_000), None]] * 3, [bar(10_000)] * 2]
    log = one.run(rows, {(0, 1): ENTER, (2, 0): ENTER})
    assert entered(log) == [60_000, 30_000]
    assert log.state.account[0]["cash"] > 0
    everything = two.with_rules(sizing=SIZE_ALL, collar_bps=100.0)
    log = everything.run(rows, {(0, 1): ENTER, (2, 0): ENTER})
    assert refused(log) == ["cash"]
    assert (
        log.state.account[0]["reserved"] == log.state.account[0]["pending_notional"] == 0
    )  # filled


def test_what_a_rejected_order_had_reserved_is_free_again(desk: Any, bar: Any) -> None:
    rows = [bar(10_000), bar(10_600), bar(10_000)]
    log = desk.with_rules(sizing=SIZE_ALL).run(rows, {0: ENTER, 1: ENTER, 2: ENTER})
    assert log.fills["rejected"].tolist() == [1, 0]
    assert len(entered(log)) == 2
    assert log.state.account[0]["reserved"] == log.state.account[0]["pending_notional"] == 0


def test_size_is_halved_above_the_volatility_target(desk: Any, bar: Any) -> None:
    wild = [bar(10_000 + 100 * (k % 2)) for k in range(60)]
    one = desk.with_rules(position_max=0.1)
    calm_lots = entered(one.run(wild, {58: ENTER}))[0]
    log = one.with_rules(volatility_target=0.5).run(wild, {58: ENTER})
    assert entered(log)[0] == pytest.approx(calm_lots / 2, abs=1)
    assert entered(one.with_rules(volatility_target=50.0).run(wild, {58: ENTER})) == [calm_lots]


def test_the_days_loss_stops_entries_until_the_next_utc_day(desk: Any, bar: Any) -> None:
    one = desk.with_rules(daily_loss_max=0.05, position_max=0.5)
    rows = [bar(10_000), bar(10_000), bar(8_900), *[bar(8_900)] * (DAY_MINUTES + 10)]
    enter = dict.fromkeys((10, 500, DAY_MINUTES - 3, DAY_MINUTES, DAY_MINUTES + 5), ENTER)
    leave = {k + 1: LEAVE for k in enter}
    log = one.run(rows, {0: ENTER, 2: LEAVE} | enter | leave)
    notices = [n for n in log.notices if n["kind"] == NOTICE_DAILY_LOSS]
    assert [round(float(n["value"]), 3) for n in notices] == [0.055]
    assert refused(log) == ["daily_loss_limit"] * 3
    asked = [r["ts_ms"] for r in log.requests if r["kind"] == ENTRY]
    start = desk.market([[bar(1)]]).close_ms[0] - 60_000
    assert [(ts - start) // 60_000 for ts in asked] == [1, DAY_MINUTES + 1, DAY_MINUTES + 6]
    virtual = log.outcomes[log.outcomes["virtual"] == 1]
    assert {REFUSAL_NAMES[c] for c in virtual["code"]} == {"daily_loss_limit"}


def test_the_days_limit_counts_from_the_days_first_equity(desk: Any, bar: Any) -> None:
    one = desk.with_rules(daily_loss_max=0.05, position_max=1.0, exposure_max=1.0, collar_bps=1.0)
    # 4% down late on the first day, 4% down on the second: neither day lost 5%
    first = [bar(10_000), bar(10_000), *[bar(9_600)] * (DAY_MINUTES - 2)]
    log = one.run([*first, *[bar(9_216)] * 20], {0: ENTER})
    assert NOTICE_DAILY_LOSS not in log.notices["kind"]
    log = one.run([*first, *[bar(9_000)] * 20], {0: ENTER})
    assert NOTICE_DAILY_LOSS in log.notices["kind"]


VIRTUAL = {"gate_mode": True, "stop_enabled": True, "edge_bps_exit": -20.0}


@pytest.mark.parametrize(
    ("bars", "said", "reason", "leave"),
    [
        ([(10_000, 10_000, 9_800, 9_990)], {}, "stop", 9_900.0),  # on the entry bar
        ([(10_000,) * 4, (9_700, 9_999, 9_600, 9_900)], {}, "stop", 9_700.0),  # jumped
        ([(10_000, 10_200, 10_000, 10_100), (10_150,) * 4], {}, "take_profit", 10_150.0),
        ([(10_000,) * 4, (10_020,) * 4], {1: LEAVE}, "reversal", 10_020.0),
        ([(10_000,) * 4, (10_000,) * 4, (10_030,) * 4], {}, "timeout", 10_030.0),
    ],
)
def test_a_virtual_trade_leaves_by_the_same_doors(
    desk: Any,
    traded: Callable[..., Any],
    bars: list[tuple[int, int, int, int]],
    said: dict[int, Any],
    reason: str,
    leave: float,
) -> None:
    one = replace(desk, traded=(traded(horizon_ms=2 * 60_000),)).with_rules(**VIRTUAL)
    rows = [(10_000, 10_000, 10_000, 10_000, 0), *[(*b, 0) for b in bars]]
    log = one.run(rows, {0: ENTER} | said)
    (trade,) = log.outcomes
    assert (trade["virtual"], REASON_NAMES[trade["reason"]]) == (1, reason)
    assert (trade["entry_price"], trade["exit_price"]) == (10_000.0, leave)
    assert trade["net_bps"] == pytest.approx((leave / 10_000 - 1.0) * 1e4)


def test_a_virtual_trade_pays_the_spread_and_both_fees(desk: Any, bar: Any) -> None:
    one = desk.with_rules(gate_mode=True, fee_bps=10.0, spread_bps=4.0, slippage_bps=50.0)
    log = one.run([bar(10_000), bar(10_000), bar(10_000)], {0: ENTER, 1: LEAVE})
    (trade,) = log.outcomes
    wanted = (10_000 * (1 - 2e-4) / (10_000 * (1 + 2e-4)) - 1) * 1e4 - 20.0
    assert trade["net_bps"] == pytest.approx(wanted)


def test_one_virtual_trade_at_a_time(desk: Any, bar: Any) -> None:
    log = desk.with_rules(gate_mode=True).run([bar(10_000)] * 9, dict.fromkeys(range(9), ENTER))
    assert refused(log) == ["mode_learning"]


def test_virtual_and_real_trades_move_the_mode(desk: Any, cycles: Callable[..., Any]) -> None:
    rows, said = cycles("WWWWWWLLLLLLLLLLLL", drop=30)
    one = desk.with_rules(gate_mode=True, trading_threshold=0.8, hysteresis=0.05, position_max=0.1)
    log = one.run(rows, said)
    modes = [n for n in log.notices if n["kind"] == NOTICE_MODE]
    assert [(n["before"], n["after"]) for n in modes] == [
        (MODE_LEARNING, MODE_TRADING),
        (MODE_TRADING, MODE_LEARNING),
    ]
    assert modes[0]["value"] >= 0.8
    assert modes[1]["value"] < 0.75
    kinds = log.outcomes["virtual"].tolist()
    first_real, last_real = kinds.index(0), len(kinds) - 1 - kinds[::-1].index(0)
    assert 0 < first_real < last_real < len(kinds) - 1
    assert set(kinds[first_real : last_real + 1]) == {0}
    confidence = log.outcomes["mode_confidence"]
    assert confidence[first_real - 1] >= 0.8  # the trade that turned it
    assert confidence[last_real] < 0.75
    assert confidence[-1] == log.state.book[0]["mode_confidence"]


def test_while_a_virtual_trade_is_open_no_real_one_begins(desk: Any, bar: Any) -> None:
    one = desk.with_rules(gate_mode=True, trading_threshold=0.6, hysteresis=0.2)
    log = one.run([bar(10_000)] * 2, {0: ENTER})
    log.state.book[0]["mode"] = MODE_TRADING  # as another trade's end may have it
    after = one.run([bar(10_000)] * 3, {0: ENTER, 1: LEAVE}, log.state)
    assert (entered(after), refused(after)) == ([], [])
    assert len(after.outcomes) == 1
    assert len(entered(one.run([bar(10_000)] * 2, {0: ENTER}, after.state))) == 1
