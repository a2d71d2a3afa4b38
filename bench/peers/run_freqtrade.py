"""Runs the rule in freqtrade and prints its result as one JSON line.

Offline: freqtrade's own Backtesting class, whose Binance exchange class gets one market by hand
instead of from the venue.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
from rule import CASH_QUOTE, FEE_SHARE, Outcome, arguments, load_bars, report, timed

NOTES = (
    "fills at the next open; a stake of one unit; no stop or target is reached. It closes an open "
    "trade at the open of the last bar with a fee: that is undone in final_equity and in "
    "trades_closed (forced_exits counts it). Seconds are of backtest_one_strategy (indicators, "
    "signals, loop), its progress display off"
)
PAIR = "BTC/USDT"
MARKET: dict[str, Any] = {
    "id": "BTCUSDT",
    "symbol": PAIR,
    "base": "BTC",
    "quote": "USDT",
    "baseId": "BTC",
    "quoteId": "USDT",
    "settle": None,
    "type": "spot",
    "spot": True,
    "margin": False,
    "swap": False,
    "future": False,
    "option": False,
    "contract": False,
    "active": True,
    "taker": FEE_SHARE,
    "maker": FEE_SHARE,
    "precision": {"amount": 0.00001, "price": 0.01},
    "limits": {
        "amount": {"min": 0.00001, "max": 9_000.0},
        "price": {"min": 0.01, "max": 1_000_000.0},
        "cost": {"min": 5.0, "max": None},
        "leverage": {"min": None, "max": None},
    },
    "info": {},
}


def main() -> None:
    args = arguments(__doc__ or "")
    import freqtrade
    from freqtrade.configuration import TimeRange
    from freqtrade.enums import CandleType, RunMode
    from freqtrade.exchange.binance import Binance
    from freqtrade.optimize.backtesting import Backtesting

    logging.disable(logging.WARNING)

    class OfflineBinance(Binance):
        def _load_async_markets(self, reload: bool = False) -> None:  # noqa: ARG002 - freqtrade's signature
            self._api_async.set_markets([MARKET])

    bars = load_bars(args.parquet, args.bars)
    frame = bars[["open", "high", "low", "close", "volume"]].reset_index(drop=True)
    frame.insert(0, "date", pd.to_datetime(bars["ts"].to_numpy(), unit="ms", utc=True))

    with tempfile.TemporaryDirectory() as folder:
        config: dict[str, Any] = {
            "runmode": RunMode.BACKTEST,
            "dry_run": True,
            "dry_run_wallet": CASH_QUOTE,
            "stake_currency": "USDT",
            "stake_amount": 100_000.0,  # a default only: custom_stake_amount decides
            "tradable_balance_ratio": 1.0,
            "max_open_trades": 1,
            "fee": FEE_SHARE,
            "timeframe": "1m",
            "strategy": "SmaCross",
            "strategy_path": str(Path(__file__).resolve().parent / "freqtrade_strategies"),
            "exchange": {
                "name": "binance",
                "pair_whitelist": [PAIR],
                "pair_blacklist": [],
                "skip_open_order_update": True,
            },
            "pairlists": [{"method": "StaticPairList"}],
            "user_data_dir": Path(folder),
            "datadir": Path(folder),
            "dataformat_ohlcv": "feather",
            "trading_mode": "spot",
            "margin_mode": "",
            "candle_type_def": CandleType.SPOT,
            "entry_pricing": {"price_side": "same"},
            "exit_pricing": {"price_side": "same"},
            "internals": {},
            "export": "none",
        }
        backtesting = Backtesting(config, exchange=OfflineBinance(config))
        backtesting.progress = None

        def run() -> dict[str, Any]:
            backtesting.backtest_one_strategy(
                backtesting.strategylist[0], {PAIR: frame.copy()}, TimeRange()
            )
            return backtesting.all_bt_content["SmaCross"]

        content, timing = timed(run, args.times)
        results = content["results"]
        forced = results[results["exit_reason"] == "force_exit"]
        equity = float(content["final_balance"])
        for trade in forced.itertuples():
            proceeds = trade.amount * trade.close_rate * (1 - FEE_SHARE)
            equity += trade.amount * float(frame["close"].iloc[-1]) - proceeds
        outcome = Outcome(len(frame), len(results), len(results) - len(forced), equity)
    report(
        "freqtrade",
        freqtrade.__version__,
        outcome,
        timing,
        NOTES,
        forced_exits=len(forced),
    )


if __name__ == "__main__":
    main()
