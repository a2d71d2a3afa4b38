"""Runs the rule in backtesting.py and prints its result as one JSON line."""

from __future__ import annotations

import warnings

import pandas as pd
from rule import (
    CASH_QUOTE,
    FEE_SHARE,
    SIZE_BASE,
    Outcome,
    arguments,
    load_bars,
    long_wanted,
    report,
    timed,
)

NOTES = (
    "whole units of 1; commission 0.001 a side; fills at the next open (trade_on_close=False); "
    "finalize_trades=False: the open trade is marked at the last close and pays no closing fee. "
    "The level is one indicator without NaN, or the engine would skip the first warm bar"
)


def main() -> None:
    args = arguments(__doc__)
    import backtesting
    from backtesting import Backtest, Strategy

    backtesting.backtesting._tqdm = lambda it, **_: it  # its progress bar costs time
    warnings.simplefilter("ignore")
    bars = load_bars(args.parquet, args.bars)
    frame = pd.DataFrame(
        {
            "Open": bars["open"].to_numpy(),
            "High": bars["high"].to_numpy(),
            "Low": bars["low"].to_numpy(),
            "Close": bars["close"].to_numpy(),
            "Volume": bars["volume"].to_numpy(),
        },
        index=pd.to_datetime(bars["ts"].to_numpy(), unit="ms"),
    )

    class SmaCross(Strategy):
        def init(self) -> None:
            self.wanted = self.I(lambda: long_wanted(frame["Close"]).astype(float), name="wanted")

        def next(self) -> None:
            if self.wanted[-1] > 0:
                if not self.position:
                    self.buy(size=int(SIZE_BASE))
            elif self.position:
                self.position.close()

    def run() -> pd.Series:
        return Backtest(
            frame, SmaCross, cash=CASH_QUOTE, commission=FEE_SHARE, finalize_trades=False
        ).run()

    stats, timing = timed(run, args.times)
    closed = len(stats["_trades"])
    still_open = len(stats["_strategy"].trades)
    outcome = Outcome(len(frame), closed + still_open, closed, float(stats["Equity Final [$]"]))
    report("backtesting.py", backtesting.__version__, outcome, timing, NOTES)


if __name__ == "__main__":
    main()
