"""Any market, any signals, any rules: a scan in pieces is the scan, and money stays what it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ares.kernel.trade import (
    Market,
    Rules,
    Signals,
    TradeLog,
    TradeState,
    scan,
    trade_params,
)
from ares.kernel.trade.layout import (
    CANCEL_STOP,
    ENTRY,
    REFUSAL,
    SIZE_ALL,
    SIZE_FIXED,
    SIZE_RISK,
    STOP,
)

MINUTE = 60_000
CASH = 10**12
RULES = st.builds(
    Rules,
    fee_bps=st.sampled_from([0.0, 7.3, 10.0, 100.0]),
    spread_bps=st.sampled_from([0.0, 2.0, 30.0]),
    slippage_bps=st.sampled_from([0.0, 1.0, 500.0]),
    participation_max=st.sampled_from([0.0, 0.01, 0.1, 1.0]),
    edge_bps_min=st.sampled_from([0.0, 5.0]),
    sizing=st.sampled_from([SIZE_RISK, SIZE_RISK, SIZE_ALL, SIZE_FIXED]),
    fixed_lots=st.sampled_from([1, 777, 40_000]),
    stop_enabled=st.booleans(),
    risk_per_trade=st.sampled_from([0.001, 0.01, 1e9]),
    position_max=st.sampled_from([0.1, 0.6, 1.0]),
    exposure_max=st.sampled_from([0.5, 1.0, 5.0]),
    order_quote_max=st.sampled_from([500.0, 1e6]),
    orders_per_minute=st.sampled_from([1, 10]),
    collar_bps=st.sampled_from([1.0, 50.0, 500.0]),
    daily_loss_max=st.sampled_from([0.0, 0.01]),
    drawdown_max=st.sampled_from([0.0, 0.02]),
    win_rate_trades=st.sampled_from([2, 20]),
    failures_max=st.sampled_from([0, 2]),
    cooldown_minutes=st.sampled_from([0.0, 10.0]),
    trial_trades=st.sampled_from([1, 3]),
    forgetting_trades=st.sampled_from([3.0, 100.0]),
    gate_mode=st.booleans(),
)
CASES = st.tuples(st.integers(0, 2**32), st.integers(2, 150), st.integers(1, 3), RULES)
Case = tuple[int, int, int, Rules]
TRADE = settings(deadline=None, max_examples=120)


class RandomCase:
    """A random case, ready to be scanned in parts."""

    def __init__(self, case: Case, traded: Callable[..., Any], sim: Any) -> None:
        seed, n, width, rules = case
        draw = np.random.default_rng(seed)
        spread = int(draw.integers(0, 120))
        close = np.maximum(
            10_000 + np.cumsum(draw.integers(-spread, spread + 1, (n, width)), 0), 50
        )
        opens = np.maximum(
            np.vstack([close[:1], close[:-1]]) + draw.integers(-60, 61, (n, width)), 1
        )
        high = np.maximum(opens, close) + draw.integers(0, 40, (n, width))
        low = np.maximum(np.minimum(opens, close) - draw.integers(0, 40, (n, width)), 1)
        volume = draw.integers(0, 50_000, (n, width)) * (draw.random((n, width)) > 0.15)
        close = np.where(draw.random((n, width)) < 0.1, 0, close)  # some bars are missing
        bars = [np.ascontiguousarray(a, np.int64) for a in (opens, high, low, close, volume)]
        self.market = Market(MINUTE * np.arange(1, n + 1, dtype=np.int64) + 10**12, *bars)
        silent = draw.random((n, width)) < 0.3
        edge = np.where(silent, np.nan, draw.normal(0.0, 30.0, (n, width)))
        barrier = np.where(draw.random((n, width)) < 0.1, np.nan, draw.uniform(5, 200, (n, width)))
        self.signals = Signals(1.0 / (1.0 + np.exp(-edge / 30.0)), edge, barrier)
        self.traded = tuple(
            traded(f"T{i}/USDT", horizon_ms=int(draw.integers(0, 30)) * MINUTE)
            for i in range(width)
        )
        self.params = trade_params(rules, self.traded)
        self.first: TradeState = replace(sim, traded=self.traded, rules=rules).first()
        self.first.book["mode"] = draw.integers(0, 2, width)

    def rows(self, rows: slice, state: TradeState) -> TradeLog:
        """Scan some rows from a state."""
        m, s = self.market, self.signals
        part = Market(*(np.ascontiguousarray(column[rows]) for column in m))
        signals = Signals(*(np.ascontiguousarray(column[rows]) for column in s))
        return scan(part, signals, state, self.params)


def bytes_of(state: TradeState) -> list[bytes]:
    return [array.tobytes() for array in state]


def from_bytes(state: TradeState) -> TradeState:
    """Return the state as it comes back from a snapshot."""
    arrays = []
    for array in state:
        arrays.append(np.frombuffer(bytearray(array.tobytes()), array.dtype))
    return TradeState(*arrays)


@pytest.fixture(scope="session")
def random_case(traded: Callable[..., Any], sim: Any) -> Callable[[Case], RandomCase]:
    """Return the maker of cases."""
    return lambda case: RandomCase(case, traded, sim)


@TRADE
@given(CASES, st.data())
def test_a_scan_in_pieces_is_the_scan_to_the_bit(
    random_case: Callable[[Case], RandomCase], case: Case, data: st.DataObject
) -> None:
    drawn = random_case(case)
    n = len(drawn.market.close_ms)
    cut = data.draw(st.integers(0, n))
    whole = drawn.rows(slice(0, n), drawn.first)
    left = drawn.rows(slice(0, cut), drawn.first)
    right = drawn.rows(slice(cut, n), from_bytes(left.state))
    for name in ("requests", "fills", "outcomes", "notices", "equity"):
        joined = np.concatenate([getattr(left, name), getattr(right, name)])
        assert joined.tobytes() == getattr(whole, name).tobytes(), name
    assert bytes_of(right.state) == bytes_of(whole.state)


@TRADE
@given(CASES)
def test_a_scan_leaves_its_first_state_alone(
    random_case: Callable[[Case], RandomCase], case: Case
) -> None:
    drawn = random_case(case)
    before = bytes_of(drawn.first)
    drawn.rows(slice(0, None), drawn.first)
    assert bytes_of(drawn.first) == before


@TRADE
@given(CASES)
def test_cash_is_never_negative_and_equity_is_cash_and_positions(
    random_case: Callable[[Case], RandomCase], case: Case
) -> None:
    drawn = random_case(case)
    log = drawn.rows(slice(0, None), drawn.first)
    width = drawn.market.closes.shape[1]
    cash, held, at = CASH, [0] * width, 0
    last = [0] * width
    opens = drawn.market.close_ms - MINUTE
    for t, open_ms in enumerate(opens.tolist()):
        while at < len(log.fills) and log.fills[at]["ts_ms"] == open_ms:
            fill = log.fills[at]
            i, lots, price = int(fill["instrument"]), int(fill["lots"]), int(fill["price_ticks"])
            assert drawn.market.closes[t, i] > 0  # nothing is filled where there is no bar
            if drawn.params.rules[0]["participation_max"] > 0.0 and lots:
                most = (
                    float(drawn.params.rules[0]["participation_max"]) * drawn.market.volumes[t, i]
                )
                assert abs(lots) <= most
            cash -= lots * price * 1_000 + int(fill["fee_units"])
            held[i] += lots
            assert cash >= 0
            assert held[i] >= 0
            at += 1
        last = [int(c) or old for c, old in zip(drawn.market.closes[t], last, strict=True)]
        value = sum(h * c * 1_000 for h, c in zip(held, last, strict=True))
        assert log.equity[t] == cash + value
    assert at == len(log.fills)
    account, book = log.state.account[0], log.state.book
    assert account["cash"] == cash
    assert book["position_lots"].tolist() == held
    waiting = book["entry_open_lots"]
    assert account["pending_notional"] == int(book["pending_notional"].sum())
    assert account["reserved"] == int(book["reserved"].sum()) >= account["pending_notional"]
    assert np.all((book["reserved"] > 0) == (waiting > 0))


@TRADE
@given(CASES)
def test_closed_trades_and_fees_add_up_to_the_cash(
    random_case: Callable[[Case], RandomCase], case: Case
) -> None:
    drawn = random_case(case)
    log = drawn.rows(slice(0, None), drawn.first)
    account, book = log.state.account[0], log.state.book
    real = log.outcomes[log.outcomes["virtual"] == 0]
    assert int(log.fills["fee_units"].sum()) == account["fees"]
    assert account["cash"] + int(book["cost_units"].sum()) == (
        CASH + account["realized"] - account["fees"]
    )
    for i, flat in enumerate((book["position_lots"] == 0).tolist()):
        if flat:
            trades = real[real["instrument"] == i]
            fills = log.fills[log.fills["instrument"] == i]
            flows = -int((fills["lots"] * fills["price_ticks"] * 1_000).sum())
            fees = int(fills["fee_units"].sum())
            assert int(trades["pnl_units"].sum()) == flows - fees
            assert int(trades["fees_units"].sum()) == fees
            assert book[i]["cost_units"] == book[i]["stop_lots"] == 0
    for trade in log.outcomes:
        if trade["virtual"]:
            assert trade["pnl_units"] == trade["fees_units"] == trade["lots"] == 0
            assert trade["code"] > 0
        else:
            assert trade["code"] == 0


@TRADE
@given(CASES)
def test_the_venue_holds_what_the_book_believes(
    random_case: Callable[[Case], RandomCase], case: Case
) -> None:
    drawn = random_case(case)
    log = drawn.rows(slice(0, None), drawn.first)
    for book, venue in zip(log.state.book, log.state.venue, strict=True):
        sold = book["position_lots"] if book["exit_reason"] or book["stop_filling"] else 0
        assert venue["market_lots"] == (book["entry_open_lots"] or -sold)
        assert book["stop_lots"] == venue["stop_lots"]
        assert book["stop_lots"] in (0, book["position_lots"])
        if book["stop_lots"]:
            assert book["stop_ticks"] == venue["stop_ticks"]


@TRADE
@given(CASES)
def test_a_position_with_a_barrier_is_never_without_stop_or_exit(
    random_case: Callable[[Case], RandomCase], case: Case
) -> None:
    drawn = random_case(case)
    if not drawn.params.rules[0]["stop_enabled"]:
        return
    state = drawn.first
    for t in range(len(drawn.market.close_ms)):
        state = drawn.rows(slice(t, t + 1), state).state
        for book in state.book:
            if book["position_lots"] and book["entry_barrier_bps"] > 0.0:
                is_sold = book["exit_reason"] or book["stop_filling"]
                assert book["stop_lots"] == (0 if is_sold else book["position_lots"])


@TRADE
@given(CASES)
def test_fill_prices_are_the_bars_with_costs_against_us(
    random_case: Callable[[Case], RandomCase], case: Case
) -> None:
    drawn = random_case(case)
    log = drawn.rows(slice(0, None), drawn.first)
    half, slip = (
        Fraction(float(drawn.params.rules[0][k])) for k in ("half_spread_bps", "slippage_bps")
    )
    row = {int(ms) - MINUTE: t for t, ms in enumerate(drawn.market.close_ms)}
    for fill in log.fills:
        if fill["rejected"]:
            continue
        t, i, lots = row[int(fill["ts_ms"])], int(fill["instrument"]), int(fill["lots"])
        volume = int(drawn.market.volumes[t, i])
        share = min(Fraction(1), Fraction(abs(lots), volume)) if volume else Fraction(1)
        cost = (half + slip * share) / 10_000
        opened, low = int(drawn.market.opens[t, i]), int(drawn.market.lows[t, i])
        price = int(fill["price_ticks"])
        if lots > 0:
            assert opened * (1 + cost) - 1 <= price <= opened * (1 + cost) + 1
            assert price >= opened
        elif fill["kind"] == STOP:
            assert price <= opened
            assert price >= min(low, opened) * (1 - cost) - 1
        else:
            assert opened * (1 - cost) - 1 <= price <= opened


@TRADE
@given(CASES)
def test_every_request_is_answered(random_case: Callable[[Case], RandomCase], case: Case) -> None:
    """Each entry ends in one fill, a rejection, or is still on its way; each refusal is virtual."""
    drawn = random_case(case)
    log = drawn.rows(slice(0, None), drawn.first)
    kinds = log.requests["kind"]
    entries = int((kinds == ENTRY).sum())
    waiting = int((log.state.book["entry_open_lots"] > 0).sum())
    assert entries == int((log.fills["kind"] == ENTRY).sum()) + waiting
    refused = log.requests[kinds == REFUSAL]
    assert np.all(refused["code"] > 0)
    open_virtual = int((log.state.virtual["status"] != 0).sum())
    assert len(refused) == int((log.outcomes["virtual"] == 1).sum()) + open_virtual
    assert np.all(log.requests["code"][kinds != REFUSAL] == 0)
    assert set(kinds.tolist()) <= {ENTRY, 2, STOP, CANCEL_STOP, REFUSAL}


def test_logs_grow_with_what_happens(
    sim: Any, traded: Callable[..., Any], bar: Callable[..., Any]
) -> None:
    """More records than the first logs hold, in one scan and in two."""
    width, n = 3, 1_500
    setup = replace(sim, traded=tuple(traded(f"T{i}/USDT") for i in range(width))).with_rules(
        gate_mode=True
    )
    rows = [[bar(10_000)] * width] * n
    by_turn = {0: (0.7, 50.0, 100.0), 1: (0.3, -50.0, 100.0)}
    signals = {(t, i): by_turn[t % 2] for t in range(n) for i in range(width)}
    log = setup.run(rows, signals)
    assert len(log.requests) == len(log.outcomes) + width == 3 * n / 2
    assert len(log.notices) > 1_024
    assert np.all(np.diff(log.requests["ts_ms"]) >= 0)
