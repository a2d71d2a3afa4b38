"""Integer money is conserved for any sequence of fills, to the unit.

Fills come through the ledger's door, as in the engine: more than is held may be sold.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ares.core.facts import KIND_NAMES
from ares.core.initial_state import new_state
from ares.core.ledger import book_execution
from ares.core.orders import sent
from ares.domain.holding_events import DifferenceFound
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.order_events import OrderFilled, SubmitOrder
from ares.domain.run import RunInstrument, RunSetup
from ares.domain.timeframe import Timeframe
from ares.kernel.live import apply_now
from ares.kernel.trade import Rules, TradeState
from ares.kernel.trade.layout import (
    ENTRY,
    EXIT,
    N_NOTICES,
    N_OUTCOMES,
    STOP,
)

CASH = 10**15
RULES = replace(Rules().without_limits(), stop_enabled=True)

Act = tuple[str, float, int, int]
"""What happens, to which share of what can be bought or sold, at which price and fee."""

ACTS = st.lists(
    st.tuples(
        st.sampled_from(["buy", "buy", "sell", "sell", "stop", "reject"]),
        st.sampled_from([0.0, 1e-3, 0.1, 0.37, 0.5, 0.999, 1.0, 1.0, 1.5, 3.0]),
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
        rules = {name: float(value) for name, value in asdict(RULES).items()}
        lanes = (RunInstrument(self.spec, 60_000, None, True),)
        setup = RunSetup(
            "sim/x", lanes, (Timeframe.M1,), -1, 0, 1, 0, CASH / 1e8, rules, 0.25, {}
        )  # fmt: skip
        self.engine = new_state(setup)
        self.state: TradeState = self.engine.trade
        self.params, self.records = self.engine.params, self.engine.scratch.records
        self.n_orders = 0
        self.cash, self.fees, self.held, self.cost = CASH, 0, 0, 0
        self.bought, self.sold, self.trade_fees, self.entry_lots = 0, 0, 0, 0
        self.trades = 0

    def units(self, ticks: int, lots: int) -> int:
        scale = self.spec.price_decimals + self.spec.qty_decimals
        return round(Fraction(ticks * lots * 10**8, 10**scale))

    def execute(self, kind: int, lots: int, ticks: int, fee: int) -> list[DifferenceFound]:
        """Book the execution of an order of these lots; return what could not be booked."""
        self.n_orders += 1
        name = str(self.n_orders)
        command = SubmitOrder(name, 0, KIND_NAMES[kind], lots, 0, "signal", 0.6, 9.0, 100.0)
        event = OrderFilled(name, 0, lots, ticks, fee, "x")
        found = book_execution(self.engine, sent(command, 0, 0, 0), event)
        return [effect for effect in found if isinstance(effect, DifferenceFound)]

    def fill(self, kind: int, lots: int, ticks: int, fee: int, remaining: int = 0) -> None:
        row = self.records.fills[0]
        row["kind"], row["lots"], row["price_ticks"], row["fee_units"] = kind, lots, ticks, fee
        row["remaining_lots"], row["rejected"] = remaining, lots == 0
        apply_now(0, self.state, self.params, self.records)

    def buy(self, lots: int, ticks: int, fee: int) -> None:
        assert self.execute(ENTRY, lots, ticks, fee) == []
        units = self.units(ticks, lots)
        self.cash -= units + fee
        self.cost += units
        self.bought += units
        self.held += lots
        self.entry_lots += lots
        self.fees += fee
        self.trade_fees += fee

    def sell(self, kind: int, lots: int, ticks: int, fee: int) -> None:
        """Sell; lots beyond those held change nothing and are a difference."""
        beyond = max(0, lots - self.held)
        differences = self.execute(kind, -lots, ticks, fee)
        booked_fee = fee * (lots - beyond) // lots
        assert [(d.kind, d.lots, d.price_ticks, d.fee_units) for d in differences] == (
            [("beyond_position", -beyond, ticks, fee - booked_fee)] if beyond else []
        )
        lots, fee = lots - beyond, booked_fee
        if lots == 0:
            return
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
@example(2, 3, [("buy", 0.1, 9, 1), ("stop", 1.0, 8, 1), ("sell", 1.0, 8, 1)])  # both fill
@example(2, 3, [("buy", 0.1, 9, 1), ("sell", 1.5, 8, 1), ("buy", 0.1, 9, 1)])
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
            mirror.state.book[0]["entry_open_lots"] = 5
            mirror.fill(ENTRY, 0, ticks, 0)
            assert mirror.state.book[0]["entry_open_lots"] == 0
        else:
            lots = max(1, int(share * mirror.held))
            if mirror.cash + mirror.units(ticks, lots) > 8 * 10**18:
                continue  # beyond 64 bits: another test's matter
            mirror.sell(STOP if act == "stop" else EXIT, lots, ticks, fee)
        mirror.check()


def test_a_stop_rests_below_all_that_is_held_however_it_was_bought() -> None:
    mirror = MirroredAccount(2, 3)
    mirror.buy(1_000, 10_000, 0)
    book = mirror.state.book[0]
    assert (book["stop_lots"], book["stop_ticks"]) == (1_000, 9_900)
    mirror.buy(1_000, 11_000, 0)  # the mean is 10,500 now
    assert (book["stop_lots"], book["stop_ticks"]) == (2_000, 10_395)
    assert book["take_ticks"] == 10_605


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
