"""Virtual trades: the exits and costs of real ones, one at a time; they move the mode."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ares.kernel.trade.layout import (
    ENTRY,
    MODE_LEARNING,
    MODE_TRADING,
    NOTICE_MODE,
    REASON_NAMES,
    REFUSAL,
    REFUSAL_NAMES,
)

NAN = math.nan


ENTER = (0.7, 50.0, 100.0)


LEAVE = (0.3, -100.0, 100.0)


def entered(log: Any) -> list[int]:
    """Return the lots of each entry requested."""
    return [int(r["lots"]) for r in log.requests if r["kind"] == ENTRY]


def refused(log: Any) -> list[str]:
    return [REFUSAL_NAMES[r["code"]] for r in log.requests if r["kind"] == REFUSAL]


VIRTUAL = {"gate_mode": True, "stop_enabled": True, "edge_bps_exit": -20.0}


@pytest.mark.parametrize(
    ("bars", "signals", "reason", "leave"),
    [
        ([(10_000, 10_000, 9_800, 9_990)], {}, "stop", 9_900.0),  # on the entry bar
        ([(10_000,) * 4, (9_700, 9_999, 9_600, 9_900)], {}, "stop", 9_700.0),  # jumped
        ([(10_000, 10_200, 10_000, 10_100), (10_150,) * 4], {}, "take_profit", 10_150.0),
        ([(10_000,) * 4, (10_020,) * 4], {1: LEAVE}, "reversal", 10_020.0),
        ([(10_000,) * 4, (10_000,) * 4, (10_030,) * 4], {}, "timeout", 10_030.0),
    ],
)
def test_a_virtual_trade_exits_for_the_same_reasons(
    sim: Any,
    traded: Callable[..., Any],
    bars: list[tuple[int, int, int, int]],
    signals: dict[int, Any],
    reason: str,
    leave: float,
) -> None:
    setup = replace(sim, traded=(traded(horizon_ms=2 * 60_000),)).with_rules(**VIRTUAL)
    rows = [(10_000, 10_000, 10_000, 10_000, 0), *[(*b, 0) for b in bars]]
    log = setup.run(rows, {0: ENTER} | signals)
    (trade,) = log.outcomes
    assert (trade["virtual"], REASON_NAMES[trade["reason"]]) == (1, reason)
    assert (trade["entry_price"], trade["exit_price"]) == (10_000.0, leave)
    assert trade["net_bps"] == pytest.approx((leave / 10_000 - 1.0) * 1e4)


def test_a_virtual_trade_pays_the_spread_and_both_fees(sim: Any, bar: Any) -> None:
    setup = sim.with_rules(gate_mode=True, fee_bps=10.0, spread_bps=4.0, slippage_bps=50.0)
    log = setup.run([bar(10_000), bar(10_000), bar(10_000)], {0: ENTER, 1: LEAVE})
    (trade,) = log.outcomes
    wanted = (10_000 * (1 - 2e-4) / (10_000 * (1 + 2e-4)) - 1) * 1e4 - 20.0
    assert trade["net_bps"] == pytest.approx(wanted)


def test_one_virtual_trade_at_a_time(sim: Any, bar: Any) -> None:
    log = sim.with_rules(gate_mode=True).run([bar(10_000)] * 9, dict.fromkeys(range(9), ENTER))
    assert refused(log) == ["mode_learning"]


def test_virtual_and_real_trades_move_the_mode(sim: Any, cycles: Callable[..., Any]) -> None:
    rows, signals = cycles("WWWWWWLLLLLLLLLLLL", drop=30)
    setup = sim.with_rules(gate_mode=True, trading_threshold=0.8, hysteresis=0.05, position_max=0.1)
    log = setup.run(rows, signals)
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


def test_while_a_virtual_trade_is_open_no_real_one_begins(sim: Any, bar: Any) -> None:
    setup = sim.with_rules(gate_mode=True, trading_threshold=0.6, hysteresis=0.2)
    log = setup.run([bar(10_000)] * 2, {0: ENTER})
    log.state.book[0]["mode"] = MODE_TRADING  # as another trade's end may have it
    after = setup.run([bar(10_000)] * 3, {0: ENTER, 1: LEAVE}, log.state)
    assert (entered(after), refused(after)) == ([], [])
    assert len(after.outcomes) == 1
    assert len(entered(setup.run([bar(10_000)] * 2, {0: ENTER}, after.state))) == 1
