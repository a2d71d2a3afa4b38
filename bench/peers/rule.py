"""The rule that all compared engines run, with a plain loop that computes its result.

Long one unit while SMA 20 > SMA 100 at the close, flat otherwise; an order made at a close fills at
the next bar's open; 0.1% of notional on both sides; cash 1,000,000; no slippage, no stop.
A position that is open at the end stays open, valued at the last close, without a closing fee.

Runs inside each peer's own environment: NumPy, pandas and pyarrow only.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

FAST_BARS = 20
SLOW_BARS = 100
CASH_QUOTE = 1_000_000.0
FEE_SHARE = 0.001
SIZE_BASE = 1.0
TICK_QUOTE = 0.01


@dataclass(frozen=True)
class Outcome:
    """The result of a run of the rule; ``final_equity`` is valued at the last close."""

    bars: int
    entries: int
    trades_closed: int
    final_equity: float


@dataclass(frozen=True)
class Timing:
    """Seconds of engine work in this process: the first run, and the fastest of the later ones."""

    first_s: float
    warm_s: float


def load_bars(path: Path, bars_max: int | None = None) -> pd.DataFrame:
    """Return the candles ``ts, open, high, low, close, volume``, oldest first."""
    frame = pd.read_parquet(path, columns=["ts", "open", "high", "low", "close", "volume"])
    return frame if bars_max is None else frame.iloc[:bars_max]


def long_wanted(close: pd.Series) -> np.ndarray:
    """Return ``(n_bars,)`` True where SMA 20 > SMA 100; False until both exist."""
    fast = close.rolling(FAST_BARS).mean()
    slow = close.rolling(SLOW_BARS).mean()
    return (fast > slow).to_numpy()


def long_wanted_exact(close: pd.Series) -> np.ndarray:
    """Return the same in whole ticks, where a tie is exact."""
    ticks = np.rint(close.to_numpy() / TICK_QUOTE).astype(np.int64)
    total = np.concatenate(([0], np.cumsum(ticks)))
    wanted = np.zeros(len(ticks), bool)
    fast = total[SLOW_BARS:] - total[SLOW_BARS - FAST_BARS : -FAST_BARS]
    slow = total[SLOW_BARS:] - total[:-SLOW_BARS]
    wanted[SLOW_BARS - 1 :] = fast * (SLOW_BARS // FAST_BARS) > slow
    return wanted


def loop(bars: pd.DataFrame, wanted: np.ndarray, fill: str = "next_open") -> Outcome:
    """Trade ``wanted`` bar by bar; ``fill`` is ``next_open`` or ``close`` (of the deciding bar)."""
    open_quote, close_quote = bars["open"].tolist(), bars["close"].tolist()
    cash, held, entries, closed = CASH_QUOTE, False, 0, 0
    first = 1 if fill == "next_open" else 0
    for i in range(first, len(close_quote)):
        want, price = (
            (wanted[i - 1], open_quote[i]) if fill == "next_open" else (wanted[i], close_quote[i])
        )
        if want and not held:
            cash -= SIZE_BASE * price * (1 + FEE_SHARE)
            held, entries = True, entries + 1
        elif held and not want:
            cash += SIZE_BASE * price * (1 - FEE_SHARE)
            held, closed = False, closed + 1
    equity = cash + (SIZE_BASE * close_quote[-1] if held else 0.0)
    return Outcome(len(close_quote), entries, closed, equity)


def timed(work: Callable[[], Any], times: int) -> tuple[Any, Timing]:
    """Return the last result of ``work`` run ``times`` times, and how long it took."""
    seconds = []
    result = None
    for _ in range(times):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return result, Timing(seconds[0], min(seconds[1:] or seconds))


def arguments(description: str) -> argparse.Namespace:
    """Return the arguments that every runner takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("parquet", type=Path, help="candles: ts, open, high, low, close, volume")
    parser.add_argument("--bars", type=int, default=None, help="use the first N bars only")
    parser.add_argument("--times", type=int, default=2, help="runs in this process (first + warm)")
    parser.add_argument("--cash", type=float, default=CASH_QUOTE, help="account at the start")
    return parser.parse_args()


def report(
    engine: str, version: str, outcome: Outcome, timing: Timing, notes: str, **more: Any
) -> None:
    """Print the JSON line that the harness reads."""
    line = {
        "engine": engine,
        "version": version,
        **asdict(outcome),
        **asdict(timing),
        "notes": notes,
        **more,
    }
    sys.stdout.write(json.dumps(line) + "\n")


def main() -> None:
    """Run the plain loop as a runner."""
    args = arguments(__doc__ or "")
    bars = load_bars(args.parquet, args.bars)
    outcome, timing = timed(lambda: loop(bars, long_wanted_exact(bars["close"])), args.times)
    notes = "plain Python loop; the averages are compared in whole ticks, where no rounding happens"
    report("loop", f"pandas {pd.__version__}", outcome, timing, notes)


if __name__ == "__main__":
    main()
