"""The settings of trading: account, costs, strategy, risk limits, breakers."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import field_validator, model_validator

from ares.config.fields import Percent, Section, Share, key, setting_error
from ares.domain.symbols import suggested_symbol

SYMBOL = re.compile(r"[A-Z0-9.]+/[A-Z0-9.]+")


class AccountSettings(Section):
    """The account that Ares trades with."""

    currency: str = key(
        "USDT", "Currency of the account and of every result.", pattern=r"^[A-Z0-9.]+$"
    )
    capital_quote: float = key(
        10_000.0,
        "Capital that Ares may use; the account may hold more.",
        "account currency",
        gt=0,
        le=1e9,
    )
    existing: Literal["adopt", "ignore"] = key(
        "ignore",
        "Coins that the account holds when a run begins. ignore: they are not touched. adopt: they "
        "become positions, paid from capital_quote at their price, with a stop.",
    )


class LiveTradingSettings(Section):
    """Real money: mode, enabled, account_name, instruments and order_quote_max must be set."""

    mode: Literal["paper", "live"] = key("paper", "paper: virtual money. live: real orders.")
    enabled: bool = key(False, "Must be true, and mode live, before a real order is sent.")
    account_name: str | None = key(
        None, "Name of the account, which a person types to go live.", pattern=r"^\S(.*\S)?$"
    )
    instruments: tuple[str, ...] | None = key(
        None,
        "Allow-list: symbols that may be bought in live, and in rehearsals where it is set.",
        "BASE/QUOTE",
        min_length=1,
    )
    order_quote_max: float | None = key(
        None,
        "No order costs more, at its worst price; in live, and in rehearsals where it is set.",
        "account currency",
        gt=0,
        le=1e10,
    )
    entry_rest_seconds: float = key(
        0.0,
        "Entries rest post-only at the deciding close for so long, and are cancelled then, where "
        "the venue has such orders; 0: they take at once, up to the collar. Of a run that begins.",
        "s",
        ge=0,
        le=3_600,
    )
    sandbox: bool = key(
        False,
        "true: rehearsals trade the venue's own sandbox (Binance testnet, Alpaca paper) where no "
        "--address is given. live does not start.",
    )

    @field_validator("instruments")
    @classmethod
    def _symbols(cls, symbols: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for i, symbol in enumerate(symbols or ()):
            if not SYMBOL.fullmatch(symbol):
                meant = suggested_symbol(symbol) or "BASE/QUOTE, such as BTC/USDT"
                raise setting_error(f"'{symbol}' is not a symbol: write {meant}", i)
        return symbols


class CostsSettings(Section):
    """Trading costs, used by labels, edges, backtests and the simulated venue alike."""

    fee_bps: float = key(10.0, "Fee of one fill.", "bps of its notional", ge=0, le=1000)
    spread_bps: float = key(
        2.0, "Full spread between bid and ask; a fill pays half.", "bps of the price", ge=0, le=1000
    )
    slippage_bps: float = key(
        1.0,
        "Price impact of an order as large as its bar's volume; a smaller one pays its share.",
        "bps of the price",
        ge=0,
        le=1000,
    )
    participation_max: Share = key(
        0.10, "Largest share of a bar's volume that an order fills.", "fraction", gt=0
    )


class StrategySettings(Section):
    """When a signal becomes an order."""

    edge_bps_min: float = key(
        5.0,
        "Enter when the expected net return is above this.",
        "bps",
        live=True,
        ge=-1000,
        le=10_000,
    )
    edge_bps_exit: float = key(
        -20.0,
        "Exit when the expected net return falls below this.",
        "bps",
        live=True,
        ge=-10_000,
        le=10_000,
    )
    stop: bool = key(
        True, "Place a stop one barrier width below the entry of each position.", live=True
    )

    @model_validator(mode="after")
    def _exit_below_entry(self) -> StrategySettings:
        if self.edge_bps_exit >= self.edge_bps_min:
            raise setting_error(
                f"must be below edge_bps_min ({self.edge_bps_min:g})", "edge_bps_exit"
            )
        return self


class RiskSettings(Section):
    """Risk limits; no signal overrides them."""

    max_drawdown_percent: Percent = key(
        15.0,
        "Drawdown from peak equity at which trading stops.",
        "percent: 15.0 is 15%",
        live=True,
    )
    on_drawdown: Literal["hold", "close"] = key(
        "hold",
        "hold: at max_drawdown_percent entries stop, positions keep their stops. close: everything "
        "is sold.",
        live=True,
    )
    daily_loss_limit: Share = key(
        0.05,
        "Loss within a UTC day at which trading stops until the next day.",
        "fraction of equity: 0.05 is 5%",
        live=True,
        gt=0,
    )
    max_position_size_percent: Share = key(
        0.10,
        "Largest position in one instrument.",
        "fraction of equity: 0.10 is 10%",
        live=True,
        gt=0,
    )
    gross_exposure_max: Share = key(
        0.50,
        "Largest gross exposure (sum of all positions).",
        "fraction of equity",
        live=True,
        gt=0,
    )
    order_quote_max: float = key(5_000.0, "Largest order.", "account currency", live=True, gt=0)
    order_quote_min: float = key(
        10.0, "Smallest order; smaller ones are not sent.", "account currency", live=True, ge=0
    )
    orders_per_minute: int = key(
        10, "Maximum orders per minute, over all instruments.", "orders", live=True, ge=1
    )
    price_collar_bps: float = key(
        500.0,
        "An order whose price is further than this from the last close is refused.",
        "bps",
        live=True,
        gt=0,
    )
    volatility_target: float = key(
        0.50,
        "Positions are halved above this annualised volatility.",
        "fraction a year: 0.50 is 50%",
        live=True,
        gt=0,
        le=10,
    )
    risk_per_trade: Share = key(
        0.01,
        "Equity lost when the stop is hit; sets the position size.",
        "fraction of equity",
        live=True,
        gt=0,
    )

    @model_validator(mode="after")
    def _order_bounds(self) -> RiskSettings:
        if self.order_quote_min > self.order_quote_max:
            raise setting_error(
                f"must not be above order_quote_max ({self.order_quote_max:g})", "order_quote_min"
            )
        return self


class BreakersSettings(Section):
    """Circuit breakers: closed, open (no entries), or half-open (entries at trial size)."""

    win_rate_min: Share = key(
        0.40,
        "Opens when the win rate of the last trades is below this.",
        "fraction of trades",
        live=True,
    )
    win_rate_trades: int = key(
        20, "Number of trades in the win rate.", "trades", live=True, ge=1, le=256
    )
    failures_in_row: int = key(
        5, "Opens after this many failed orders in a row.", "orders", live=True, ge=1
    )
    volatility_ratio_max: float = key(
        3.0, "Opens when volatility is this multiple of its normal level.", "ratio", live=True, gt=1
    )
    failed_share_max: Share = key(
        0.80,
        "Opens when this share of orders fails within failed_window_minutes.",
        "fraction of orders",
        live=True,
        gt=0,
    )
    failed_window_minutes: int = key(15, "Window of failed_share_max.", "minutes", live=True, ge=1)
    slippage_sd_max: float = key(
        2.5,
        "Opens when slippage deviates from its expectation by this much.",
        "standard deviations",
        live=True,
        gt=0,
    )
    gas_share_max: Share = key(
        0.40,
        "On-chain venues: opens when gas costs exceed this share of gross profit.",
        "fraction of profit",
        live=True,
        gt=0,
    )
    cooldown_minutes: int = key(
        60, "Time open before it becomes half-open.", "minutes", live=True, ge=1
    )
    trial_size: Share = key(
        0.25, "Trade size while half-open.", "fraction of the usual size", live=True, gt=0
    )
    trial_trades: int = key(
        3, "Winning trades while half-open that close the breaker.", "trades", live=True, ge=1
    )
