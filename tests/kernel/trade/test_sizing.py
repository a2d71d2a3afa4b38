"""Sizes of entries by hand: each limit, the share of cash, the volatility target."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ares.domain.instrument import Instrument, InstrumentSpec
from ares.kernel.trade.layout import (
    ENTRY,
    REFUSAL,
    REFUSAL_NAMES,
    SIZE_ALL,
    SIZE_FIXED,
)

ENTER = (0.7, 50.0, 100.0)


def entered(log: Any) -> list[int]:
    """Return the lots of each entry requested."""
    return [int(r["lots"]) for r in log.requests if r["kind"] == ENTRY]


def refused(log: Any) -> list[str]:
    return [REFUSAL_NAMES[r["code"]] for r in log.requests if r["kind"] == REFUSAL]


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
    sim: Any, bar: Any, rules: dict[str, Any], lots: int
) -> None:
    assert entered(sim.with_rules(**rules).run([bar(10_000)], {0: ENTER})) == [lots]


def test_the_instruments_own_least_cost_is_a_limit(
    sim: Any, bar: Any, traded: Callable[..., Any]
) -> None:
    spec = InstrumentSpec(Instrument("test", "A/B"), 2, 3, cost_min_quote=5.0)
    picky = replace(sim, traded=(traded(spec=spec),))
    assert refused(picky.with_rules(order_quote_max=4.99).run([bar(10_000)], {0: ENTER})) == [
        "order_above_max"
    ]
    assert entered(picky.with_rules(order_quote_max=5.0).run([bar(10_000)], {0: ENTER})) == [50]


def test_two_instruments_share_one_account(two: Any, bar: Any) -> None:
    setup = two.with_rules(position_max=0.4, exposure_max=0.5, collar_bps=0.0)
    rows = [[bar(10_000), bar(10_000)]] * 3
    log = setup.run(rows, {(0, 0): ENTER, (0, 1): ENTER})
    assert entered(log) == [40_000, 10_000]  # the second sees what the first is about to spend
    log = setup.run(rows, {(0, 0): ENTER, (2, 1): ENTER})
    assert entered(log) == [40_000, 10_000]  # and what it holds


def test_an_order_that_waits_is_spent_all_the_while(two: Any, bar: Any) -> None:
    setup = two.with_rules(exposure_max=0.9, position_max=0.6, collar_bps=100.0)
    rows = [[bar(10_000), bar(10_000)], *[[bar(10_000), None]] * 3, [bar(10_000)] * 2]
    log = setup.run(rows, {(0, 1): ENTER, (2, 0): ENTER})
    assert entered(log) == [60_000, 30_000]
    assert log.state.account[0]["cash"] > 0
    everything = two.with_rules(sizing=SIZE_ALL, collar_bps=100.0)
    log = everything.run(rows, {(0, 1): ENTER, (2, 0): ENTER})
    assert refused(log) == ["cash"]
    assert (
        log.state.account[0]["reserved"] == log.state.account[0]["pending_notional"] == 0
    )  # filled


def test_size_is_halved_above_the_volatility_target(sim: Any, bar: Any) -> None:
    wild = [bar(10_000 + 100 * (k % 2)) for k in range(60)]
    setup = sim.with_rules(position_max=0.1)
    calm_lots = entered(setup.run(wild, {58: ENTER}))[0]
    log = setup.with_rules(volatility_target=0.5).run(wild, {58: ENTER})
    assert entered(log)[0] == pytest.approx(calm_lots / 2, abs=1)
    assert entered(setup.with_rules(volatility_target=50.0).run(wild, {58: ENTER})) == [calm_lots]
