"""Row: the features of one timeframe over a history, on one core.

    python -m bench.rows.features PARQUET BARS

``bars_per_s`` is the compiled scan into existing arrays, ``whole_bars_per_s`` is ``features_of``
with its allocation and the matching of the reference instrument (another file of equal times).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ares.domain.timeframe import Timeframe
from ares.kernel.bars import Bars
from ares.kernel.features import N_FEATURES, feature_scan, feature_state, features_of
from bench.bars import MINUTE_MS, bars_of

TIMES = 3
REFERENCE_RATIO = 0.05
"""The reference instrument: the same candles at another price, so that all lanes have work."""


def main() -> None:
    bars = bars_of(Path(sys.argv[1]), int(sys.argv[2]))
    reference = Bars.make(
        bars.ts_ms,
        bars.open * REFERENCE_RATIO,
        bars.high * REFERENCE_RATIO,
        bars.low * REFERENCE_RATIO,
        bars.close * REFERENCE_RATIO,
        bars.volume,
    )
    out = np.empty((len(bars), N_FEATURES), np.float32)
    age = np.empty(len(bars), np.int64)

    def scan() -> None:
        feature_scan(
            feature_state(1, MINUTE_MS),
            0,
            bars.columns,
            reference.close,
            out,
            age,
        )

    features_of(bars[:2_000], Timeframe("1m"), reference[:2_000])  # loads the machine code
    figures = {
        "bars_per_s": len(bars) / _quickest(scan),
        "whole_bars_per_s": len(bars)
        / _quickest(lambda: features_of(bars, Timeframe("1m"), reference)),
    }
    output = {"figures": figures, "bars": len(bars), "features": N_FEATURES}
    sys.stdout.write(json.dumps(output) + "\n")


def _quickest(work: Callable[[], object]) -> float:
    """Return the seconds of the fastest of a few runs."""
    seconds = []
    for _ in range(TIMES):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


if __name__ == "__main__":
    main()
