"""The rule as a freqtrade strategy: level signals, one unit a trade, no stop and no target."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from freqtrade.strategy import IStrategy
from pandas import DataFrame


class SmaCross(IStrategy):
    """Long while SMA 20 > SMA 100 at the close."""

    INTERFACE_VERSION = 3
    timeframe = "1m"
    startup_candle_count = 0  # NaN averages compare False, so nothing has to be cut off
    minimal_roi = {"0": 1_000.0}  # noqa: RUF012 - never reached
    stoploss = -0.99  # never reached
    use_exit_signal = True
    exit_profit_only = False
    process_only_new_candles = True

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:  # noqa: ARG002 - freqtrade's signature
        dataframe["fast"] = dataframe["close"].rolling(20).mean()
        dataframe["slow"] = dataframe["close"].rolling(100).mean()
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:  # noqa: ARG002 - freqtrade's signature
        dataframe["enter_long"] = (dataframe["fast"] > dataframe["slow"]).astype(int)
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:  # noqa: ARG002 - freqtrade's signature
        dataframe["exit_long"] = (dataframe["fast"] <= dataframe["slow"]).astype(int)
        return dataframe

    def custom_stake_amount(
        self,
        pair: str,  # noqa: ARG002 - freqtrade's signature
        current_time: datetime,  # noqa: ARG002 - freqtrade's signature
        current_rate: float,
        **_: Any,
    ) -> float:
        return current_rate  # one unit
