"""Decisions: sizes by hand, each limit with its own code, the day's loss, virtual trades, modes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ares.kernel.trade.layout import (
    ENTRY,
    NOTICE_VIRTUAL_OPENED,
    REFUSAL,
    REFUSAL_NAMES,
    SIZE_ALL,
    SIZE_FIXED,
)

NAN = math.nan
ENTER = (0.7, 50.0, 100.0)
LEAVE = (0.3, -100.0, 100.0)


def entered(log: Any) -> list[int]:
    """Return the lots of each entry requested."""
    return [int(r["lots"]) for r in log.requests if r["kind"] == ENTRY]


def refused(log: Any) -> list[str]:
    return [REFUSAL_NAMES[r["code"]] for r in log.requests if r["kind"] == REFUSAL]


def test_an_edge_enters_from_its_least_on(sim: Any, bar: Any) -> None:
    for edge, enters in ((4.999, False), (5.0, True)):
        log = sim.run([bar(10_000)] * 2, {0: (0.7, edge, 100.0)})
        assert (len(entered(log)) == 1) == enters


LIMITS: list[tuple[str, dict[str, Any]]] = [
    ("mode_learning", {"gate_mode": True, "trading_threshold": 0.8}),
    ("position_cap", {"position_max": 0.0005, "order_quote_min": 10.0}),
    ("gross_exposure", {"exposure_max": 0.0005, "order_quote_min": 10.0}),
    ("order_above_max", {"order_quote_max": 5.0, "order_quote_min": 10.0}),
    ("order_below_min", {"risk_per_trade": 1e-6, "order_quote_min": 10.0}),
    ("cash", {"sizing": SIZE_FIXED, "fixed_lots": 200_000}),
    ("cash", {"order_quote_min": 1e6}),
    ("orders_per_minute", {"orders_per_minute": 0}),
    ("order_above_cap", {"order_quote_cap": 5.0, "order_quote_min": 10.0}),
    ("order_above_cap", {"order_quote_cap": 5.0, "sizing": SIZE_FIXED, "fixed_lots": 100}),
    ("no_stop", {"stop_required": True, "stop_enabled": False}),
]


@pytest.mark.parametrize(("code", "rules"), LIMITS, ids=[code for code, _ in LIMITS])
def test_each_limit_refuses_with_its_own_code_and_leaves_a_virtual_trade(
    sim: Any, bar: Any, code: str, rules: dict[str, Any]
) -> None:
    log = sim.with_rules(**rules).run([bar(10_000), bar(10_010), bar(10_030)], {0: ENTER, 1: LEAVE})
    assert refused(log) == [code]
    assert entered(log) == []
    assert len(log.fills) == 0
    assert NOTICE_VIRTUAL_OPENED in log.notices["kind"]
    (trade,) = log.outcomes
    assert (trade["virtual"], REFUSAL_NAMES[trade["code"]]) == (1, code)
    assert trade["net_bps"] == pytest.approx((10_030 / 10_010 - 1) * 1e4)
    assert (trade["lots"], trade["pnl_units"], trade["fees_units"]) == (0, 0, 0)
    assert log.state.account[0]["cash"] == log.equity[-1] == 10**12


def test_without_a_champion_and_when_halted_nothing_is_entered(
    sim: Any, bar: Any, traded: Callable[..., Any]
) -> None:
    shadow = replace(sim, traded=(traded(has_champion=False),))
    assert refused(shadow.run([bar(10_000)], {0: ENTER})) == ["no_champion"]
    state = sim.first()
    state.account[0]["halted"] = 1
    assert refused(sim.run([bar(10_000)], {0: ENTER}, state)) == ["halted"]


def test_without_a_barrier_there_is_no_stop_and_no_entry_where_one_is_required(
    sim: Any, bar: Any
) -> None:
    setup = sim.with_rules(stop_required=True, stop_enabled=True)
    assert refused(setup.run([bar(10_000)], {0: (0.7, 50.0, 0.0)})) == ["no_stop"]
    assert entered(setup.run([bar(10_000)], {0: ENTER}))


def test_what_is_not_on_the_allow_list_is_not_entered(
    sim: Any, bar: Any, traded: Callable[..., Any]
) -> None:
    barred = replace(sim, traded=(traded(allowed=False),))
    assert refused(barred.run([bar(10_000)], {0: ENTER})) == ["not_on_allow_list"]


@pytest.mark.parametrize("collar_bps", [0.0, 500.0])
def test_at_its_worst_price_no_order_costs_more_than_the_cap(
    sim: Any, bar: Any, collar_bps: float
) -> None:
    setup = sim.with_rules(order_quote_cap=105.0, collar_bps=collar_bps, spread_bps=2.0)
    (lots,) = entered(setup.run([bar(9_999)], {0: ENTER}))
    worst = math.floor(9_999 * 1.05) if collar_bps else math.ceil(9_999 * 1.0001)
    assert lots * worst <= 105 * 100 * 1_000 < (lots + 1) * worst
    fixed = {"sizing": SIZE_FIXED, "fixed_lots": lots}
    assert entered(setup.with_rules(**fixed).run([bar(9_999)], {0: ENTER})) == [lots]
    fixed["fixed_lots"] += 1
    assert refused(setup.with_rules(**fixed).run([bar(9_999)], {0: ENTER})) == ["order_above_cap"]


def test_orders_are_counted_over_all_instruments_and_by_the_minute(two: Any, bar: Any) -> None:
    setup = two.with_rules(orders_per_minute=1, position_max=0.1)
    rows = [[bar(10_000), bar(10_000)]] * 2
    log = setup.run(rows, {(0, 0): ENTER, (0, 1): ENTER})
    assert (entered(log), refused(log)) == ([10_000], ["orders_per_minute"])
    log = setup.run(rows, {(0, 0): ENTER, (1, 1): ENTER})
    assert (len(entered(log)), refused(log)) == (2, [])


def test_exits_are_never_limited_by_the_minute(two: Any, bar: Any) -> None:
    setup = two.with_rules(orders_per_minute=2, position_max=0.1)
    rows = [[bar(10_000), bar(10_000)]] * 4
    signals = {(t, i): signal for t, signal in ((0, ENTER), (1, LEAVE)) for i in (0, 1)}
    log = setup.with_rules(orders_per_minute=2).run(rows, signals)
    assert len(log.outcomes) == 2


def test_what_a_rejected_order_had_reserved_is_free_again(sim: Any, bar: Any) -> None:
    rows = [bar(10_000), bar(10_600), bar(10_000)]
    log = sim.with_rules(sizing=SIZE_ALL).run(rows, {0: ENTER, 1: ENTER, 2: ENTER})
    assert log.fills["rejected"].tolist() == [1, 0]
    assert len(entered(log)) == 2
    assert log.state.account[0]["reserved"] == log.state.account[0]["pending_notional"] == 0
