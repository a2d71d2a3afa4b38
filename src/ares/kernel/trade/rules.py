"""The trade half's parameters and first state, made from plain values with units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ares.domain.errors import UserError
from ares.domain.instrument import MONEY_DECIMALS, InstrumentSpec
from ares.kernel.trade.arrays import TradeParams, TradeState, new_venue
from ares.kernel.trade.confidence import next_mode, seed_posterior
from ares.kernel.trade.layout import (
    ACCOUNT,
    BOOK,
    RULES,
    SIZE_RISK,
    SPECS,
    TRADE_RING,
    VIRTUAL,
    Records,
    zeros,
)

UNITS_PER_QUOTE = 10**MONEY_DECIMALS
YEAR_MS = 365 * 86_400_000
FAST_MS = 86_400_000
SLOW_MS = 30 * 86_400_000
CASH_QUOTE_MAX = 1e9
"""More would leave too little room in 64 bits for what it is multiplied with."""
NO_LIMIT = 9.0e18
PARTICIPATION_SMALL = 0.01
"""The share of a bar's volume for which labels price slippage: a small order."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How signals become orders: costs, sizing, limits, breakers, mode; units in the names.

    Shares are fractions of equity. Zero switches a limit off where its comment in
    ``layout.RULES`` says so.
    """

    fee_bps: float = 10.0
    spread_bps: float = 2.0
    slippage_bps: float = 1.0
    participation_max: float = 0.10
    edge_bps_min: float = 5.0
    edge_bps_exit: float = -20.0
    sizing: int = SIZE_RISK
    fixed_lots: int = 0
    stop_enabled: bool = True
    risk_per_trade: float = 0.01
    position_max: float = 0.10
    exposure_max: float = 0.50
    order_quote_max: float = 5_000.0
    order_quote_min: float = 10.0
    orders_per_minute: int = 10
    collar_bps: float = 500.0
    volatility_target: float = 0.50
    daily_loss_max: float = 0.05
    drawdown_max: float = 0.15
    win_rate_min: float = 0.40
    win_rate_trades: int = 20
    failures_max: int = 5
    failed_share_max: float = 0.80
    failed_window_minutes: float = 15.0
    slippage_sd_max: float = 2.5
    volatility_ratio_max: float = 3.0
    gas_share_max: float = 0.40
    close_on_drawdown: bool = False
    cooldown_minutes: float = 60.0
    trial_size: float = 0.25
    trial_trades: int = 3
    trading_threshold: float = 0.80
    hysteresis: float = 0.05
    forgetting_trades: float = 100.0
    gate_mode: bool = True
    order_quote_cap: float = 0.0
    stop_required: bool = False

    @property
    def cost_bps(self) -> float:
        """Return the round trip's cost for a small order, as labels and edges count it."""
        return round_trip_bps(self.fee_bps, self.spread_bps, self.slippage_bps)

    def without_limits(self) -> Rules:
        """Return the same costs with no stop, limit, breaker or mode: for baselines."""
        return replace(
            self,
            edge_bps_min=0.0,
            edge_bps_exit=0.0,
            stop_enabled=False,
            position_max=1.0,
            exposure_max=1.0,
            order_quote_max=NO_LIMIT / UNITS_PER_QUOTE,
            order_quote_min=0.0,
            orders_per_minute=10**9,
            volatility_target=0.0,
            daily_loss_max=0.0,
            drawdown_max=0.0,
            win_rate_min=0.0,
            failures_max=0,
            failed_share_max=0.0,
            slippage_sd_max=0.0,
            volatility_ratio_max=0.0,
            gas_share_max=0.0,
            close_on_drawdown=False,
            gate_mode=False,
            order_quote_cap=0.0,
            stop_required=False,
        )

    def record(self) -> Records:
        """Return the rules as the kernel reads them, ``(1,)``."""
        if self.win_rate_trades > TRADE_RING:
            raise ValueError(f"win_rate_trades is at most {TRADE_RING}")
        rules = zeros(RULES, 1)
        row = rules[0]
        for name in (
            "slippage_bps", "participation_max", "edge_bps_min", "edge_bps_exit", "sizing",
            "fixed_lots", "stop_enabled", "risk_per_trade", "position_max", "exposure_max",
            "orders_per_minute", "collar_bps", "volatility_target", "daily_loss_max",
            "drawdown_max", "win_rate_min", "win_rate_trades", "failures_max",
            "failed_share_max", "slippage_sd_max", "volatility_ratio_max", "gas_share_max",
            "close_on_drawdown", "trial_size",
            "trial_trades", "trading_threshold", "hysteresis", "forgetting_trades", "gate_mode",
            "stop_required",
        ):  # fmt: skip
            row[name] = getattr(self, name)
        row["fee_ppm"] = round(self.fee_bps * 100)
        row["half_spread_bps"] = self.spread_bps / 2.0
        row["order_units_max"] = _units(self.order_quote_max)
        row["order_units_cap"] = _units(self.order_quote_cap)
        row["order_units_min"] = _units(self.order_quote_min)
        row["failed_window_ms"] = round(self.failed_window_minutes * 60_000)
        row["cooldown_ms"] = round(self.cooldown_minutes * 60_000)
        row["cost_bps_now"] = self.cost_bps
        return rules


@dataclass(frozen=True, slots=True)
class InstrumentRules:
    """One instrument of a run: its grid, its base bar, and what is known of its ensemble.

    horizon_ms   : longest holding time; 0: none.
    has_champion : whether signals may become orders at all.
    validation   : (trades, mean_bps, sd_bps), already discounted.
    twin         : row of the other lane of the same instrument; -1: none.
    allowed      : it is on the allow-list.
    """

    spec: InstrumentSpec
    base_ms: int
    horizon_ms: int = 0
    has_champion: bool = True
    validation: tuple[float, float, float] = (0.0, 0.0, 0.0)
    twin: int = -1
    allowed: bool = True


def round_trip_bps(fee_bps: float, spread_bps: float, slippage_bps: float) -> float:
    """Return what buying and selling a small order costs: two fees, a full spread, twice slippage.

    slippage_bps : at a participation of 100%; it shrinks with the share of volume taken.

    >>> round_trip_bps(fee_bps=10, spread_bps=2, slippage_bps=1)
    22.02
    """
    return 2 * fee_bps + spread_bps + 2 * slippage_bps * PARTICIPATION_SMALL


def trade_params(rules: Rules, traded: Sequence[InstrumentRules]) -> TradeParams:
    """Return rules and instruments as the kernel reads them."""
    return TradeParams(rules.record(), specs_record(traded))


def specs_record(traded: Sequence[InstrumentRules]) -> Records:
    """Return the instruments as the kernel reads them, ``(n_instruments,)``."""
    specs = zeros(SPECS, len(traded))
    for row, instrument in zip(specs, traded, strict=True):
        row["notional_mul"] = instrument.spec.notional_mul
        row["notional_div"] = instrument.spec.notional_div
        row["cost_units_min"] = _units(instrument.spec.cost_min_quote)
        row["order_lots_max"] = instrument.spec.order_lots_max
        row["order_lots_min"] = instrument.spec.order_lots_min
        row["base_ms"] = instrument.base_ms
        row["alpha_fast"] = 1.0 - 0.5 ** (instrument.base_ms / FAST_MS)
        row["alpha_slow"] = 1.0 - 0.5 ** (instrument.base_ms / SLOW_MS)
        row["bars_per_year"] = YEAR_MS / instrument.base_ms
        row["horizon_ms"] = instrument.horizon_ms
        row["allowed"] = instrument.allowed
        row["has_champion"] = instrument.has_champion
        row["size_share"] = 1.0
        row["twin"] = instrument.twin
    return specs


def volatility_start_ms(from_ms: int) -> int:
    """Return when the volatility that the limits look at begins to be observed for a window.

    The same instant for a backtest and a run, so that both trade the same size.
    """
    return from_ms // FAST_MS * FAST_MS - SLOW_MS


def first_state(
    traded: Sequence[InstrumentRules], cash_quote: float, params: TradeParams
) -> TradeState:
    """Return the state before the first bar: cash, no positions, posteriors from validation."""
    if not 0.0 < cash_quote <= CASH_QUOTE_MAX:
        raise UserError(
            f"a cash of {cash_quote:g} cannot be counted exactly: use more than 0 and at most"
            f" {CASH_QUOTE_MAX:,.0f}"
        )
    n = len(traded)
    state = TradeState(zeros(ACCOUNT, 1), zeros(BOOK, n), zeros(VIRTUAL, n), new_venue(n))
    units = _units(cash_quote)
    for name in ("cash", "equity", "peak_equity", "day_equity"):
        state.account[0][name] = units
    for lane, instrument in enumerate(traded):
        reset_posterior(lane, instrument.validation, state, params)
    return state


def reset_posterior(
    lane: int, validation: tuple[float, float, float], state: TradeState, params: TradeParams
) -> None:
    """Begin the posterior, the mode and the results of a new ensemble in a lane.

    validation : its validation trades, see ``InstrumentRules``.

    A trade that is open there, or ordered, belongs to the ensemble before: the new one inherits it,
    and its result does not count for the new one.
    """
    row = state.book[lane]
    seed_posterior(lane, *validation, state.book)
    row["mode"] = next_mode(0, float(row["mode_confidence"]), params)
    row["arm_bps"] = 0.0
    row["arm_trades"] = 0
    row["inherited"] = int(row["position_lots"] != 0 or row["entry_open_lots"] != 0)


def _units(quote: float) -> int:
    """Return a limit or an amount in money units, half to even; beyond 64 bits it never binds."""
    return int(min(round(quote * UNITS_PER_QUOTE), int(NO_LIMIT)))
