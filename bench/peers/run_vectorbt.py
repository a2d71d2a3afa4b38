"""Runs the rule in vectorbt and prints its result as one JSON line."""

from __future__ import annotations

import numpy as np
from rule import (
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
    "from_signals with the level shifted by one bar and price=open; size 1, fees 0.001; "
    "final value marks the open position at the last close. first_s has Numba's compilation. "
    "simulate_s is Portfolio.from_signals alone, given the signals; warm_s has the two averages, "
    "the simulation and the final value"
)


def main() -> None:
    args = arguments(__doc__)
    import vectorbt as vbt

    bars = load_bars(args.parquet, args.bars)
    close = bars["close"].reset_index(drop=True)
    open_quote = bars["open"].reset_index(drop=True)

    def signals() -> np.ndarray:
        wanted = long_wanted(close)
        return np.concatenate(([False], wanted[:-1]))  # filled at the bar after the decision

    def simulate(wanted: np.ndarray) -> vbt.Portfolio:
        return vbt.Portfolio.from_signals(
            close,
            wanted,
            ~wanted,
            price=open_quote,
            size=SIZE_BASE,
            size_type="amount",
            fees=FEE_SHARE,
            init_cash=args.cash,
            freq="1min",
        )

    def run() -> tuple[vbt.Portfolio, float]:
        portfolio = simulate(signals())
        return portfolio, float(portfolio.final_value())

    (portfolio, equity), timing = timed(run, args.times)
    ready = signals()
    _, simulation = timed(lambda: simulate(ready), args.times)
    entries = int(portfolio.trades.count())
    closed = int(portfolio.trades.closed.count())
    outcome = Outcome(len(close), entries, closed, equity)
    report(
        "vectorbt",
        vbt.__version__,
        outcome,
        timing,
        NOTES,
        simulate_s=simulation.warm_s,
    )


if __name__ == "__main__":
    main()
