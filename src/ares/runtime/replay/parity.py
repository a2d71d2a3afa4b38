"""The gap between a trade by the fill model and the trade at the venue, in four parts.

Each part replaces one thing of the modelled trade by that of the executed one, in this order, so
that the parts sum to the gap whatever happened:

signal : which trades there are, and how large; an exit for another reason (a stop reached in one).
timing : the market's price at the execution, instead of that at the modelled fill.
fill   : the executed price, instead of the market's price with the model's spread and slippage.
fee    : the fees paid, instead of the model's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from ares.kernel.trade import TradeParams
from ares.kernel.trade.fill import price_after_costs
from ares.kernel.trade.money import fee_units, notional_units
from ares.runtime.replay.trade_path import BarAt, InstrumentBars, TradeExecution, TradePath

PARTS = ("signal", "timing", "fill", "fee")


@dataclass(frozen=True, slots=True)
class Parts:
    """A waterfall: backtest + signal + timing + fill + fee = live. In one unit, money or bps."""

    backtest: float = 0.0
    signal: float = 0.0
    timing: float = 0.0
    fill: float = 0.0
    fee: float = 0.0
    live: float = 0.0
    gap: float = 0.0

    def __add__(self, other: Parts) -> Parts:
        """Return the sum."""
        return Parts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Parts)))

    def times(self, factor: float) -> Parts:
        """Return the waterfall in another unit."""
        return Parts(*(getattr(self, f.name) * factor for f in fields(Parts)))


@dataclass(frozen=True, slots=True)
class _Flows:
    """Money that a leg brought in (sales) or cost (purchases), in units, after each replacement.

    at_market : the executed lots at the market's price then, with the model's costs.
    executed  : at the executed prices, with the model's fees. paid: with the fees that were paid.
    """

    at_market: int
    executed: int
    paid: int


class TradeParity:
    """Compares trades of one lane.

    params : the run's costs and grids. bars: of the lane's instrument.
    """

    def __init__(self, lane: int, params: TradeParams, bars: InstrumentBars) -> None:
        spec = params.specs[lane]
        self._grid = int(spec["notional_mul"]), int(spec["notional_div"])
        self._fee_ppm = int(params.rules[0]["fee_ppm"])
        self._params, self._bars = params, bars

    def units(self, modelled: TradePath, executed: TradePath) -> Parts:
        """Return the waterfall of one trade in money units; an empty path is no trade.

        Lots that are held still are valued at the newest close.
        """
        backtest = self._result(modelled)
        live = self._result(executed)
        gap = live - backtest
        bought, wanted = executed.bought_lots, modelled.bought_lots
        if not bought or not wanted:
            return Parts(backtest, signal=gap, live=live, gap=gap)
        entries, exits = self._flows(executed.entries), self._flows(executed.exits)
        value = self._value(executed)
        # The modelled trade at the executed size; exact where the sizes are equal.
        entry, exit_ = (
            self._paid(side) * bought / wanted for side in (modelled.entries, modelled.exits)
        )
        exit_ += self._value(modelled) * bought / wanted
        entry_moved = entries.at_market - entry
        exit_moved = exits.at_market + value - exit_
        same_exit = modelled.exit_reason == executed.exit_reason
        return Parts(
            backtest,
            signal=entry + exit_ - backtest + (0.0 if same_exit else exit_moved),
            timing=entry_moved + (exit_moved if same_exit else 0.0),
            fill=entries.executed - entries.at_market + exits.executed - exits.at_market,
            fee=entries.paid - entries.executed + exits.paid - exits.executed - executed.gas_units,
            live=live,
            gap=gap,
        )

    def notional_units(self, modelled: TradePath, executed: TradePath) -> int:
        """Return what the bps of a trade refer to: its entry's notional, by the model if it fills
        there.
        """
        side = modelled.entries or executed.entries
        return sum(self._notional(e.price_ticks, e.lots) for e in side)

    def _result(self, path: TradePath) -> int:
        return self._paid(path.executions) + self._value(path) - path.gas_units

    def _paid(self, executions: Iterable[TradeExecution]) -> int:
        return sum(self._flow(e.price_ticks, e.lots, e.fee_units) for e in executions)

    def _value(self, path: TradePath) -> int:
        return self._notional(self._bars.last_close_ticks, path.held_lots)

    def _flow(self, price_ticks: int, lots: int, fee: int) -> int:
        return -self._notional(price_ticks, lots) - fee

    def _notional(self, price_ticks: int, lots: int) -> int:
        """Return signed units."""
        units = int(notional_units(price_ticks, abs(lots), *self._grid))
        return units if lots > 0 else -units

    def _flows(self, executions: Sequence[TradeExecution]) -> _Flows:
        """Return a leg's flows; what one order traded within one bar is one fill of the model."""
        groups: dict[tuple[str, BarAt], list[TradeExecution]] = {}
        first: dict[str, BarAt] = {}
        for e in executions:
            bar = self._bars.at(e.ts_ms) or BarAt(-1, e.price_ticks, 0)
            first.setdefault(e.order, bar)
            groups.setdefault((e.order, bar), []).append(e)
        at_market = traded = 0
        for (order, bar), group in groups.items():
            lots, ticks = sum(e.lots for e in group), bar.open_ticks
            if group[0].kind == "stop" and bar == first[order]:
                ticks = min(ticks, group[0].trigger_ticks or ticks)
            size, volume = abs(lots), bar.volume_lots
            price = int(price_after_costs(ticks, lots > 0, size, volume, self._params))
            at_market += self._flow(price, lots, self._model_fee(price, lots))
            notional = sum(self._notional(e.price_ticks, e.lots) for e in group)
            traded -= notional + int(fee_units(abs(notional), self._fee_ppm))
        return _Flows(at_market, traded, self._paid(executions))

    def _model_fee(self, price_ticks: int, lots: int) -> int:
        return int(fee_units(abs(self._notional(price_ticks, lots)), self._fee_ppm))
