"""Integer money is conserved for any sequence of fills, to the unit."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ares.domain.instrument import Instrument, InstrumentSpec
from ares.kernel.live import apply_now
from ares.kernel.trade import (
    InstrumentRules,
    Rules,
    TradeState,
    first_state,
    new_records,
    trade_params,
)
from ares.kernel.trade.layout import (
    CANCEL_STOP,
    ENTRY,
    EXIT,
    N_NOTICES,
    N_OUTCOMES,
    N_REQUESTS,
    REASON_SIGNAL,
    STOP,
)

CASH = 10**15
RULES = replace(Rules().without_limits(), stop_enabled=True)

Act = tuple[str, float, int, int]
"""What happens, to which share of what can be bought or sold, at which price and fee."""

ACTS = st.lists(
    st.tuples(
        st.sampled_from(["buy", "buy", "sell", "sell", "stop", "reject"]),
        st.sampled_from([0.0, 1e-3, 0.1, 0.37, 0.5, 0.999, 1.0]),
        st.integers(1, 10**7),
        st.integers(0, 10**9),
    ),
    min_size=1,
    max_size=40,
)


class MirroredAccount:
    """The kernel's account, and the same account in Python's integers."""

    def __init__(self, price_decimals: int, qty_decimals: int) -> None:
        self.spec = InstrumentSpec(Instrument("test", "A/B"), price_decimals, qty_decimals)
        traded = [InstrumentRules(self.spec, 60_000)]
        self.params = trade_params(RULES, traded)
        self.state: TradeState = first_state(traded, CASH / 1e8, self.params)
        self.records = new_records(24)
        self.cash, self.fees, self.held, self.cost = CASH, 0, 0, 0
        self.bought, self.sold, self.trade_fees, self.entry_lots = 0, 0, 0, 0
        self.trades = 0

    def units(self, ticks: int, lots: int) -> int:
        scale = self.spec.price_decimals + self.spec.qty_decimals
        return round(Fraction(ticks * lots * 10**8, 10**scale))

    def fill(self, kind: int, lots: int, ticks: int, fee: int, remaining: int = 0) -> None:
        row = self.records.fills[0]
        row["kind"], row["lots"], row["price_ticks"], row["fee_units"] = kind, lots, ticks, fee
        row["remaining_lots"], row["rejected"] = remaining, lots == 0
        apply_now(0, self.state, self.params, self.records)

    def buy(self, lots: int, ticks: int, fee: int) -> None:
        book = self.state.book[0]
        book["entry_barrier_bps"], book["working_reason"] = 100.0, REASON_SIGNAL
        self.fill(ENTRY, lots, ticks, fee)
        units = self.units(ticks, lots)
        self.cash -= units + fee
        self.cost += units
        self.bought += units
        self.held += lots
        self.entry_lots += lots
        self.fees += fee
        self.trade_fees += fee

    def sell(self, kind: int, lots: int, ticks: int, fee: int) -> None:
        remaining = -(self.held - lots)
        self.fill(kind, -lots, ticks, fee, remaining)
        units = self.units(ticks, lots)
        self.cost -= round(Fraction(self.cost * lots, self.held))
        self.cash += units - fee
        self.sold += units
        self.held -= lots
        self.fees += fee
        self.trade_fees += fee

    def check(self) -> None:
        """Compare everything; at flat, the closed trade as well."""
        account, book = self.state.account[0], self.state.book[0]
        assert account["cash"] == self.cash
        assert account["fees"] == self.fees
        assert book["position_lots"] == self.held
        assert book["cost_units"] == self.cost
        # every unit is cash, cost of what is held, or a fee
        assert account["cash"] + book["cost_units"] + account["fees"] == CASH + account["realized"]
        if self.held or not self.entry_lots:
            return
        assert self.cost == 0
        outcome = self.records.outcomes[self.records.counts[N_OUTCOMES] - 1]
        assert self.records.counts[N_OUTCOMES] == 1
        assert outcome["pnl_units"] == self.sold - self.bought - self.trade_fees
        assert outcome["fees_units"] == self.trade_fees
        assert outcome["lots"] == self.entry_lots
        assert np.isfinite(outcome["net_bps"])
        for name in ("cost_units", "position_fees", "entry_units", "exit_units", "stop_lots"):
            assert book[name] == 0, name
        self.trades += 1
        self.bought = self.sold = self.trade_fees = self.entry_lots = 0


@settings(deadline=None, max_examples=300)
@given(st.integers(0, 8), st.integers(0, 8), ACTS)
@example(8, 8, [("buy", 1.0, 10**7, 1), ("sell", 0.5, 10**7, 1), ("stop", 1.0, 10**6, 1)])
@example(8, 8, [("buy", 0.0, 1, 0), ("sell", 1.0, 1, 0)])  # dust: not one unit
@example(2, 5, [("buy", 0.5, 7, 3), ("buy", 1.0, 9, 0), ("sell", 0.37, 8, 1), ("sell", 1.0, 8, 1)])
def test_not_a_unit_is_made_or_lost(
    price_decimals: int, qty_decimals: int, acts: list[Act]
) -> None:
    mirror = MirroredAccount(price_decimals, qty_decimals)
    for act, share, ticks, fee in acts:
        price = Fraction(ticks, 10 ** (mirror.spec.price_decimals + mirror.spec.qty_decimals))
        if act == "buy":
            most = int(CASH // 200 // (price * 10**8)) if price else 0
            lots = max(1, int(share * min(most, 10**17)))
            if mirror.units(ticks, lots) + fee < mirror.cash // 2:
                mirror.buy(lots, ticks, fee)
        elif act == "reject":
            working = mirror.state.book[0]["working_lots"]
            mirror.fill(ENTRY, 0, ticks, 0)
            assert working == 0 or mirror.state.book[0]["working_lots"] == 0
        elif mirror.held:
            lots = min(mirror.held, max(1, int(share * mirror.held)))
            if mirror.cash + mirror.units(ticks, lots) > 8 * 10**18:
                continue  # beyond 64 bits: another test's matter
            mirror.sell(STOP if act == "stop" else EXIT, lots, ticks, fee)
        mirror.check()


def test_a_stop_rests_below_all_that_is_held_however_it_was_bought() -> None:
    mirror = MirroredAccount(2, 3)
    mirror.buy(1_000, 10_000, 0)
    (request,) = mirror.records.requests[: mirror.records.counts[N_REQUESTS]]
    assert (request["kind"], request["lots"], request["price_ticks"]) == (STOP, -1_000, 9_900)
    mirror.buy(1_000, 11_000, 0)  # the mean is 10,500 now
    requests = mirror.records.requests[: mirror.records.counts[N_REQUESTS]]
    assert requests["kind"].tolist() == [CANCEL_STOP, STOP]
    assert (requests[1]["lots"], requests[1]["price_ticks"]) == (-2_000, 10_395)
    assert mirror.state.book[0]["take_ticks"] == 10_605


def test_a_partly_filled_entry_gives_back_its_share_of_what_it_reserved() -> None:
    mirror = MirroredAccount(2, 3)
    account, book = mirror.state.account[0], mirror.state.book[0]
    for record in (account, book):
        record["pending_notional"], record["reserved"] = 1_001, 3_003
    mirror.fill(ENTRY, 300, 10_000, 0, remaining=700)
    assert (account["pending_notional"], account["reserved"]) == (701, 2_102)
    mirror.fill(ENTRY, 200, 10_000, 0, remaining=0)
    assert (
        account["pending_notional"]
        == account["reserved"]
        == book["reserved"]
        == book["pending_notional"]
        == 0
    )


def test_a_position_too_large_for_integer_money_stops_the_engine() -> None:
    mirror = MirroredAccount(0, 0)
    with pytest.raises(OverflowError, match="too large"):
        mirror.fill(ENTRY, 10**9, 10**9, 0)
    assert mirror.state.account[0]["cash"] == CASH


def test_a_mode_can_change_with_a_fill() -> None:
    mirror = MirroredAccount(2, 3)
    mirror.state.book[0]["mode"] = 1
    mirror.buy(10, 10_000, 0)
    mirror.sell(EXIT, 10, 5_000, 0)
    assert mirror.records.counts[N_NOTICES] == 1
