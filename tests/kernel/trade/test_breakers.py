"""Each breaker trips, refuses with its own code, cools down, is tried, and closes or reopens."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ares.kernel.trade.layout import (
    BREAKER_DRAWDOWN,
    BREAKER_EXECUTION,
    BREAKER_FAILURES,
    BREAKER_GAS,
    BREAKER_NAMES,
    BREAKER_SLIPPAGE,
    BREAKER_STATUS_NAMES,
    BREAKER_VOLATILITY,
    BREAKER_WIN_RATE,
    CLOSED,
    ENTRY,
    EXIT,
    HALF_OPEN,
    NOTICE_BREAKER,
    NOTICE_DAILY_LOSS,
    OPEN,
    REASON_NAMES,
    REFUSAL,
    REFUSAL_NAMES,
)

Cycles = Callable[..., Any]
NAN = math.nan
COOLDOWN = {"cooldown_minutes": 30.0, "trial_size": 0.25, "trial_trades": 2, "position_max": 0.1}
REST = "." * 10  # 30 minutes

SCRIPTS: dict[str, tuple[dict[str, Any], str, dict[str, int]]] = {
    "win_rate": ({"win_rate_min": 0.5, "win_rate_trades": 4}, "WLLL", {}),
    "failures": ({"failures_max": 3}, "FFF", {}),
    "execution": ({"failed_share_max": 0.8, "failed_window_minutes": 20.0}, "FFFFF", {}),
    "slippage": ({"slippage_sd_max": 2.5}, "W" * 13 + "G", {"jump": 40}),
}
WHICH = {
    "win_rate": BREAKER_WIN_RATE,
    "failures": BREAKER_FAILURES,
    "execution": BREAKER_EXECUTION,
    "slippage": BREAKER_SLIPPAGE,
}


def turns(log: Any, which: int) -> list[tuple[str, str]]:
    """Return (before, after) of a breaker's turns."""
    names = BREAKER_STATUS_NAMES
    rows = [n for n in log.notices if n["kind"] == NOTICE_BREAKER and n["code"] == which]
    return [(names[n["before"]], names[n["after"]]) for n in rows]


def refused(log: Any) -> list[str]:
    return [REFUSAL_NAMES[r["code"]] for r in log.requests if r["kind"] == REFUSAL]


def entries(log: Any) -> list[int]:
    return [int(r["lots"]) for r in log.requests if r["kind"] == ENTRY]


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_breaker_trips_refuses_and_leaves_a_virtual_trade(
    sim: Any, cycles: Cycles, name: str
) -> None:
    changes, script, extra = SCRIPTS[name]
    setup = sim.with_rules(participation_max=0.5, **COOLDOWN, **changes)
    before = setup.run(*cycles(script[:-1], **extra))
    assert turns(before, WHICH[name]) == []  # not one trade too early
    log = setup.run(*cycles(script + "WW", **extra))
    assert turns(log, WHICH[name]) == [("closed", "open")]
    assert refused(log) == [f"breaker_{name}"] * 2
    virtual = log.outcomes[log.outcomes["virtual"] == 1]
    assert [REFUSAL_NAMES[c] for c in virtual["code"]] == [f"breaker_{name}"] * 2
    assert log.state.account[0]["breaker_status"][WHICH[name]] == OPEN
    assert log.state.account[0]["breakers_open"] == 1
    others = [w for n, w in WHICH.items() if n != name]
    assert all(turns(log, other) == [] for other in others)


@pytest.mark.parametrize("name", SCRIPTS)
def test_after_its_cooldown_good_trials_close_it(sim: Any, cycles: Cycles, name: str) -> None:
    changes, script, extra = SCRIPTS[name]
    setup = sim.with_rules(participation_max=0.5, **COOLDOWN, **changes)
    log = setup.run(*cycles(script + REST + "WWW", **extra))
    assert turns(log, WHICH[name]) == [
        ("closed", "open"),
        ("open", "half_open"),
        ("half_open", "closed"),
    ]
    assert refused(log) == []
    usual = entries(setup.run(*cycles("W")))[0]
    *_, first, second, third = entries(log)
    assert first == pytest.approx(usual / 4, rel=0.02)  # a trial
    assert second == pytest.approx(usual / 4, rel=0.02)
    assert third == pytest.approx(usual, rel=0.02)
    assert log.state.account[0]["breakers_open"] == 0


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_bad_trial_opens_it_again(sim: Any, cycles: Cycles, name: str) -> None:
    changes, script, extra = SCRIPTS[name]
    setup = sim.with_rules(participation_max=0.5, **COOLDOWN, **changes)
    log = setup.run(*cycles(script + REST + "WLW" + REST + "WW", **extra))
    assert [after for _, after in turns(log, WHICH[name])] == [
        *("open", "half_open", "open", "half_open", "closed"),
    ]
    assert refused(log) == [f"breaker_{name}"]  # the one in the second wait


def test_failures_in_a_row_are_forgotten_by_a_success(sim: Any, cycles: Cycles) -> None:
    setup = sim.with_rules(failures_max=3, participation_max=0.5, **COOLDOWN)
    assert turns(setup.run(*cycles("FFWFFWFF")), BREAKER_FAILURES) == []


def test_failed_executions_count_only_inside_the_window(sim: Any, cycles: Cycles) -> None:
    rules = {"failed_share_max": 0.8, "participation_max": 0.5, **COOLDOWN}
    near = sim.with_rules(failed_window_minutes=13.0, **rules).run(*cycles("FFFFF"))
    assert turns(near, BREAKER_EXECUTION) == [("closed", "open")]  # the first lies 12 minutes back
    far = sim.with_rules(failed_window_minutes=11.0, **rules).run(*cycles("FFFFFFFF"))
    assert turns(far, BREAKER_EXECUTION) == []  # never five of them
    mixed = sim.with_rules(failed_window_minutes=60.0, **rules).run(*cycles("WFFFFFFF"))
    assert turns(mixed, BREAKER_EXECUTION) == []  # 7 of 9
    last = sim.with_rules(failed_window_minutes=60.0, **rules).run(*cycles("WFFFFFFFF"))
    assert turns(last, BREAKER_EXECUTION) == [("closed", "open")]  # 8 of 10


@pytest.mark.parametrize("window", [1, 20, 62, 63, 64, 100, 256])
def test_the_win_rate_is_taken_over_its_window(sim: Any, cycles: Cycles, window: int) -> None:
    setup = sim.with_rules(
        win_rate_min=0.5, win_rate_trades=window, **COOLDOWN, trading_threshold=1
    )
    half = math.ceil(window / 2)
    just = "W" * half + "L" * (window - half)
    assert turns(setup.run(*cycles(just, drop=1)), BREAKER_WIN_RATE) == []
    log = setup.run(*cycles("WWW" + just + "L" * (1 if window % 2 == 0 else 2), drop=1))
    assert turns(log, BREAKER_WIN_RATE) == [("closed", "open")]
    value = next(n["value"] for n in log.notices if n["kind"] == NOTICE_BREAKER)
    assert value == pytest.approx((half - 1) / window)


def test_a_closed_win_rate_breaker_judges_new_trades_only(sim: Any, cycles: Cycles) -> None:
    rules = {**COOLDOWN, "win_rate_min": 0.5, "win_rate_trades": 6}
    log = sim.with_rules(**rules).run(*cycles("LLLLLL" + REST + "WW" + "WLL"))
    assert [after for _, after in turns(log, BREAKER_WIN_RATE)] == ["open", "half_open", "closed"]
    log = sim.with_rules(**rules).run(*cycles("LLLLLL" + REST + "WW" + "WLLLL"))
    assert turns(log, BREAKER_WIN_RATE)[-1] == ("closed", "open")


def test_drawdown_stays_open_until_a_person_closes_it(sim: Any, bar: Any, cycles: Cycles) -> None:
    setup = sim.with_rules(
        drawdown_max=0.15, **(COOLDOWN | {"position_max": 1.0}), exposure_max=1.0
    )
    rows, signals = cycles("L", drop=1_600)  # a tenth less is not it: 95% of the cash are at work
    log = setup.run([*rows, *[bar(10_000)] * 3_000], signals | {2_900: (0.7, 50.0, NAN)})
    assert turns(log, BREAKER_DRAWDOWN) == [("closed", "open")]
    assert refused(log) == ["breaker_drawdown"]
    value = next(n["value"] for n in log.notices if n["kind"] == NOTICE_BREAKER)
    assert value == pytest.approx(0.16 / 1.05, abs=1e-4)
    rows, signals = cycles("L", drop=1_570)
    assert turns(setup.run(rows, signals), BREAKER_DRAWDOWN) == []


def test_drawdown_is_measured_from_the_peak(sim: Any, cycles: Cycles) -> None:
    setup = sim.with_rules(
        drawdown_max=0.15, **(COOLDOWN | {"position_max": 1.0}), exposure_max=1.0
    )
    won = setup.run(*cycles("W", drop=3_000))
    log = setup.run(*cycles("L", drop=1_600), won.state)
    assert log.equity[-1] > 10**12
    assert turns(log, BREAKER_DRAWDOWN) == [("closed", "open")]


def test_volatility_stops_its_own_instrument_only(two: Any, bar: Any) -> None:
    hour = 3_600_000
    setup = replace(
        two, base_ms=hour, traded=tuple(replace(t, base_ms=hour) for t in two.traded)
    ).with_rules(volatility_ratio_max=3.0, **(COOLDOWN | {"cooldown_minutes": 180.0}))
    calm = np.random.default_rng(0).integers(-10, 11, 1_200) + 10_000
    wild = np.array([10_000, 10_400] * 10)
    path = [*calm.tolist(), *wild.tolist(), *[10_000] * 300]
    rows = [[bar(p), bar(10_000)] for p in path]
    enter, leave = (0.7, 50.0, NAN), (0.3, -100.0, NAN)
    ask = [1_190, 1_215, 1_500]
    signals = {(t, i): enter for t in ask for i in (0, 1)}
    signals |= {(t + 1, i): leave for t in ask for i in (0, 1)}
    log = setup.run(rows, signals)
    assert [after for _, after in turns(log, BREAKER_VOLATILITY)] == ["open", "half_open", "closed"]
    opened = next(n for n in log.notices if n["kind"] == NOTICE_BREAKER)
    assert opened["instrument"] == 0
    assert opened["value"] > 3.0
    codes = [(int(r["instrument"]), REFUSAL_NAMES[r["code"]]) for r in log.requests if r["code"]]
    assert codes == [(0, "breaker_volatility")]
    assert log.state.book["volatility_status"].tolist() == [CLOSED, CLOSED]
    half = next(n for n in log.notices if n["kind"] == NOTICE_BREAKER and n["after"] == HALF_OPEN)
    t = int((half["ts_ms"] - setup.market(rows).close_ms[0]) // hour) + 1
    trial = setup.run(rows, {(t, 0): enter, (t, 1): enter})
    assert entries(trial)[0] == pytest.approx(entries(trial)[1] / 4, rel=0.1)


def test_a_young_market_has_no_normal_volatility(sim: Any, bar: Any) -> None:
    setup = sim.with_rules(volatility_ratio_max=1.01, **COOLDOWN)
    rows = [bar(10_000)] * 500 + [bar(10_000 + 500 * (k % 2)) for k in range(400)]
    assert turns(setup.run(rows, {}), BREAKER_VOLATILITY) == []


def test_a_breaker_that_is_switched_off_never_turns(sim: Any, cycles: Cycles) -> None:
    log = sim.with_rules(participation_max=0.5).run(*cycles("L" * 30 + "F" * 30 + "G", jump=400))
    assert len([n for n in log.notices if n["kind"] == NOTICE_BREAKER]) == 0
    assert len(BREAKER_NAMES) == 7


EVIDENCE = {
    "win_rate": (1 / 4, 0.5, 1.0, 4.0, 0.0),
    "failures": (3.0, 3.0, 3.0, 3.0, 0.0),
    "execution": (1.0, 0.8, 5.0, 5.0, 20.0),
}
"""Of the scripts above: value, limit, then the numbers that the value was computed from."""


@pytest.mark.parametrize("name", EVIDENCE)
def test_the_notice_carries_the_evidence(sim: Any, cycles: Cycles, name: str) -> None:
    changes, script, extra = SCRIPTS[name]
    log = sim.with_rules(participation_max=0.5, **COOLDOWN, **changes).run(*cycles(script, **extra))
    assert evidence(log, "open") == [EVIDENCE[name]]
    log = sim.with_rules(participation_max=0.5, **COOLDOWN, **changes).run(*cycles(script + REST))
    assert evidence(log, "half_open") == [(0.0,) * 5], "nothing was compared"


def evidence(log: Any, after: str) -> list[tuple[float, ...]]:
    """Return value, limit and numbers of the notices of breakers that came to a status."""
    code = BREAKER_STATUS_NAMES.index(after)
    rows = [n for n in log.notices if n["kind"] == NOTICE_BREAKER and n["after"] == code]
    names = ("value", "limit", "first", "second", "third")
    return [tuple(float(row[name]) for name in names) for row in rows]


def test_the_evidence_of_slippage_is_what_was_expected(sim: Any, cycles: Cycles) -> None:
    changes, script, extra = SCRIPTS["slippage"]
    log = sim.with_rules(participation_max=0.5, **COOLDOWN, **changes).run(*cycles(script, **extra))
    ((value, limit, mean, sd, fills),) = evidence(log, "open")
    assert value == pytest.approx(40.0)
    assert limit == pytest.approx(mean + 2.5 * max(sd, 0.5))
    assert fills >= 20.0


def test_the_evidence_of_drawdown_is_equity_and_peak(sim: Any, cycles: Cycles) -> None:
    rules = COOLDOWN | {"position_max": 1.0, "exposure_max": 1.0, "drawdown_max": 0.15}
    log = sim.with_rules(**rules).run(*cycles("L", drop=1_600))
    ((value, limit, equity, peak, _),) = evidence(log, "open")
    assert (limit, peak) == (0.15, 1e12)
    assert value == pytest.approx(1.0 - equity / peak)


def pay_gas(state: Any, units: int) -> Any:
    """Pay gas out of the account, as the engine does."""
    state.account[0]["gas_recent"] += units
    state.account[0]["cash"] -= units
    return state


GAS = COOLDOWN | {"gas_share_max": 0.40, "participation_max": 0.5}


def test_gas_above_its_share_of_gross_profit_opens_its_breaker(sim: Any, cycles: Cycles) -> None:
    setup = sim.with_rules(**GAS)
    won = setup.run(*cycles("WWWWW"))
    profit = float(won.state.account[0]["gross_profit"])
    assert profit > 0.0
    start = 1_700_100_000_000 // DAY_MINUTES // 60_000 * DAY_MINUTES * 60_000
    for share, expected in ((0.39, []), (0.41, [("closed", "open")])):
        state = pay_gas(won.state.copy(), int(share * profit))
        log = setup.run(*cycles("W"), state, start)
        assert turns(log, BREAKER_GAS) == expected
        assert refused(log) == ["breaker_gas"] * len(expected)
    ((value, limit, gas, gross, trades),) = evidence(log, "open")
    assert (limit, trades) == (0.40, 5.0)
    assert value == pytest.approx(0.41, abs=1e-4)
    assert (gas, gross) == (float(int(0.41 * profit)), profit)


def test_a_few_trades_are_too_few_for_a_share_of_gas(sim: Any, cycles: Cycles) -> None:
    setup = sim.with_rules(**GAS)
    first = pay_gas(setup.first(), 10**9)
    log = setup.run(*cycles("LLLL"), first)
    assert turns(log, BREAKER_GAS) == []
    log = setup.run(*cycles("LLLLL."), first)
    assert turns(log, BREAKER_GAS) == [("closed", "open")], "gas, and no profit at all"


def test_a_closed_gas_breaker_looks_at_new_gas_only(sim: Any, cycles: Cycles) -> None:
    setup = sim.with_rules(**GAS)
    log = setup.run(*cycles("LLLLL" + REST + "." + "WW" + "WWWWWW"), pay_gas(setup.first(), 10**9))
    assert [after for _, after in turns(log, BREAKER_GAS)] == ["open", "half_open", "closed"]


def test_the_drawdown_breaker_sells_everything_where_the_rules_want_it(sim: Any, bar: Any) -> None:
    rules = COOLDOWN | {"position_max": 1.0, "exposure_max": 1.0, "drawdown_max": 0.15}
    rows = [bar(10_000), bar(10_000), bar(8_000), *[bar(8_000)] * 5]
    for close, expected in ((False, []), (True, ["drawdown"])):
        log = sim.with_rules(close_on_drawdown=close, **rules).run(rows, {0: (0.7, 50.0, NAN)})
        assert turns(log, BREAKER_DRAWDOWN) == [("closed", "open")]
        exits = [REASON_NAMES[r["reason"]] for r in log.requests if r["kind"] == EXIT]
        assert exits == expected
        assert bool(log.state.book["position_lots"][0] == 0) is close


def test_a_half_open_drawdown_breaker_is_tried_and_measures_from_its_new_peak(
    sim: Any, bar: Any, cycles: Cycles
) -> None:
    """A person recovered it: see ``core.breaker_commands``."""
    rules = COOLDOWN | {"position_max": 1.0, "exposure_max": 1.0, "drawdown_max": 0.15}
    setup = sim.with_rules(**rules)
    state = setup.run(*cycles("L", drop=1_600)).state
    account = state.account[0]
    account["breaker_status"][BREAKER_DRAWDOWN] = HALF_OPEN
    account["breaker_trials"][BREAKER_DRAWDOWN], account["breakers_open"] = 2, 0
    account["peak_equity"] = account["equity"]
    start = 1_700_100_000_000 // DAY_MINUTES // 60_000 * DAY_MINUTES * 60_000
    log = setup.run(*cycles("WWW"), state.copy(), start)
    assert turns(log, BREAKER_DRAWDOWN) == [("half_open", "closed")]
    first, _, third = entries(log)
    assert first == pytest.approx(third / 4, rel=0.1)
    account["breaker_trials"][BREAKER_DRAWDOWN] = 99
    log = setup.run(*cycles("L" * 3, drop=8_000), state.copy(), start)
    assert turns(log, BREAKER_DRAWDOWN)[0] == ("half_open", "open")


DAY_MINUTES = 1_440


ENTER = (0.7, 50.0, 100.0)


LEAVE = (0.3, -100.0, 100.0)


def test_the_days_loss_stops_entries_until_the_next_utc_day(sim: Any, bar: Any) -> None:
    setup = sim.with_rules(daily_loss_max=0.05, position_max=0.5)
    rows = [bar(10_000), bar(10_000), bar(8_900), *[bar(8_900)] * (DAY_MINUTES + 10)]
    enter = dict.fromkeys((10, 500, DAY_MINUTES - 3, DAY_MINUTES, DAY_MINUTES + 5), ENTER)
    leave = {k + 1: LEAVE for k in enter}
    log = setup.run(rows, {0: ENTER, 2: LEAVE} | enter | leave)
    notices = [n for n in log.notices if n["kind"] == NOTICE_DAILY_LOSS]
    assert [round(float(n["value"]), 3) for n in notices] == [0.055]
    assert refused(log) == ["daily_loss_limit"] * 3
    entries_ms = [r["ts_ms"] for r in log.requests if r["kind"] == ENTRY]
    start = sim.market([[bar(1)]]).close_ms[0] - 60_000
    assert [(ts - start) // 60_000 for ts in entries_ms] == [1, DAY_MINUTES + 1, DAY_MINUTES + 6]
    virtual = log.outcomes[log.outcomes["virtual"] == 1]
    assert {REFUSAL_NAMES[c] for c in virtual["code"]} == {"daily_loss_limit"}


def test_the_days_limit_counts_from_the_days_first_equity(sim: Any, bar: Any) -> None:
    setup = sim.with_rules(daily_loss_max=0.05, position_max=1.0, exposure_max=1.0, collar_bps=1.0)
    # 4% down late on the first day, 4% down on the second: neither day lost 5%
    first = [bar(10_000), bar(10_000), *[bar(9_600)] * (DAY_MINUTES - 2)]
    log = setup.run([*first, *[bar(9_216)] * 20], {0: ENTER})
    assert NOTICE_DAILY_LOSS not in log.notices["kind"]
    log = setup.run([*first, *[bar(9_000)] * 20], {0: ENTER})
    assert NOTICE_DAILY_LOSS in log.notices["kind"]
