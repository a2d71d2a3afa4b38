"""A simulation for tests: bars and signals written as small tables, run through the trade half."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from ares.domain.instrument import Instrument, InstrumentSpec
from ares.kernel.trade import (
    InstrumentRules,
    Market,
    Rules,
    Signals,
    TradeLog,
    TradeState,
    first_state,
    scan,
    trade_params,
)

MINUTE = 60_000
DAY = 86_400_000
START_MS = 1_700_000_000_000 // DAY * DAY
PRICE = 10_000
VOLUME = 10_000_000

Bar = tuple[int, int, int, int, int]
"""open, high, low, close in ticks; volume in lots."""

SignalRow = tuple[float, float, float]
"""p, edge in bps, width in bps."""

FREE = replace(
    Rules(fee_bps=0.0, spread_bps=0.0, slippage_bps=0.0, participation_max=0.0).without_limits(),
    edge_bps_min=5.0,
    edge_bps_exit=-20.0,
    collar_bps=500.0,
)
"""No costs and no limits: a test switches on what it is about."""


@dataclass(frozen=True)
class Simulation:
    """One account over instruments on a grid of cents and thousandths.

    A lot at PRICE is worth 0.10 quote, 10_000_000 money units.
    """

    rules: Rules = FREE
    cash_quote: float = 10_000.0
    base_ms: int = MINUTE
    traded: tuple[InstrumentRules, ...] = field(default_factory=lambda: (_traded(),))

    def with_rules(self, **changes: Any) -> Simulation:
        """Return the simulation under other rules."""
        return replace(self, rules=replace(self.rules, **changes))

    def first(self) -> TradeState:
        """Return the state before the first bar."""
        return first_state(self.traded, self.cash_quote, trade_params(self.rules, self.traded))

    def market(self, rows: Sequence[Sequence[Bar | None]], start_ms: int = START_MS) -> Market:
        """Return bars; ``rows[t][i]`` None is a missing bar."""
        table = np.array([[bar or (0, 0, 0, 0, 0) for bar in row] for row in rows], np.int64)
        columns = [np.ascontiguousarray(table[:, :, k]) for k in range(5)]
        close_ms = start_ms + self.base_ms * np.arange(1, len(rows) + 1, dtype=np.int64)
        return Market(close_ms, *columns)

    def signals(self, n: int, signals: Mapping[tuple[int, int], SignalRow]) -> Signals:
        """Return signals at (row, instrument); none elsewhere."""
        columns = [np.full((n, len(self.traded)), np.nan) for _ in range(3)]
        for row, values in signals.items():
            for column, value in zip(columns, values, strict=True):
                column[row] = value
        return Signals(*columns)

    def run(
        self,
        rows: Sequence[Bar] | Sequence[Sequence[Bar | None]],
        signals: Mapping[int, SignalRow] | Mapping[tuple[int, int], SignalRow],
        state: TradeState | None = None,
        start_ms: int = START_MS,
    ) -> TradeLog:
        """Scan; with one instrument rows are bars, and ``signals`` is by row."""
        several = [
            row if row is None or isinstance(row[0], tuple | None) else [row] for row in rows
        ]
        by_row = {k if isinstance(k, tuple) else (k, 0): v for k, v in signals.items()}
        return scan(
            self.market(several, start_ms),  # type: ignore[arg-type]  # every row is a list by now
            self.signals(len(several), by_row),
            state or self.first(),
            trade_params(self.rules, self.traded),
        )


def _traded(symbol: str = "AAA/USDT", **changes: Any) -> InstrumentRules:
    spec = InstrumentSpec(Instrument("test", symbol), price_decimals=2, qty_decimals=3)
    return replace(InstrumentRules(spec, MINUTE), **changes)


def _bar(price: int, volume: int = VOLUME) -> Bar:
    return (price, price, price, price, volume)


def _cycles(
    script: str, drop: int = 100, jump: int = 0, price: int = PRICE
) -> tuple[list[Bar], dict[int, SignalRow]]:
    """Return bars and signals of one trade every three bars, left by reversal.

    W gains ``drop`` ticks, L loses them, F meets an empty bar and is rejected, G enters ``jump``
    ticks above the close it was decided on, ``.`` is three bars without a signal.
    """
    rows: list[Bar] = []
    signals: dict[int, SignalRow] = {}
    for letter in script:
        t = len(rows)
        entry = price + jump if letter == "G" else price
        after = {"W": price + drop, "L": price - drop}.get(letter, entry)
        rows += [
            _bar(price),
            (entry, max(entry, after), min(entry, after), after, 0 if letter == "F" else VOLUME),
            (after, max(after, price), min(after, price), price, VOLUME),
        ]
        if letter != ".":
            signals |= {t: (0.7, 50.0, float("nan")), t + 1: (0.3, -100.0, float("nan"))}
    return rows, signals


@pytest.fixture(scope="session")
def sim() -> Simulation:
    """Return a simulation without costs and limits, one instrument."""
    return Simulation()


@pytest.fixture(scope="session")
def two(sim: Simulation) -> Simulation:
    """Return a simulation with two instruments in one account."""
    return replace(sim, traded=(_traded("AAA/USDT"), _traded("BBB/USDT")))


@pytest.fixture(scope="session")
def traded() -> Callable[..., InstrumentRules]:
    """Return the maker of instruments."""
    return _traded


@pytest.fixture(scope="session")
def bar() -> Callable[..., Bar]:
    """Return the maker of bars that stand still."""
    return _bar


@pytest.fixture(scope="session")
def cycles() -> Callable[..., tuple[list[Bar], dict[int, SignalRow]]]:
    """Return the maker of scripted trades."""
    return _cycles
