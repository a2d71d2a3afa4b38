"""Row: a whole backtest of an ensemble: features, inference, simulation, a quarter of minutes.

    python -m bench.rows.backtest PARQUET

PARQUET is a year of minutes, so that the slowest timeframe is warm at the start of the window. The
time is that of a notebook's call with candles in memory: bars of six timeframes aggregated, 56
features each, six ONNX sessions opened and run, scores aggregated, the account simulated together
with buy & hold, tables and metrics of the result.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

from ares.adapters.onnx_model import Scorer, open_model
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.package import Package
from ares.domain.timeframe import Timeframe
from ares.kernel.bars import F64, Bars
from ares.kernel.features import N_FEATURES
from ares.kernel.resample import resample
from ares.kernel.trade import Rules
from ares.research.backtest import BacktestResult, run_backtest
from ares.research.market import Candles
from ares.research.signals import EnsembleMembers, ScorerOf, ensemble_strategy
from bench.bars import MINUTE_MS, bars_of
from bench.rows.boosted import COST_BPS, LEAVES, TREES, ensemble_of

TIMES = 3
WINDOW_BARS = 131_400  # a quarter of a year
SPEC = InstrumentSpec(Instrument("binance", "BTC/USDT"), price_decimals=2, qty_decimals=5)
RULES = Rules(gate_mode=False)
CASH_QUOTE = 10_000.0


def main() -> None:
    year = bars_of(Path(sys.argv[1]))
    store, ensemble = ensemble_of(SPEC.instrument.key)
    members = EnsembleMembers(ensemble, tuple(store.member(member) for member in ensemble.members))
    scored: dict[str, int] = {}

    def run() -> tuple[float, BacktestResult]:
        start = time.perf_counter()
        result = _backtest(year, members, _counting(scored))
        return time.perf_counter() - start, result

    run()  # loads the machine code
    scored.clear()
    seconds, results = zip(*(run() for _ in range(TIMES)), strict=True)
    output = {
        "figures": {"bars_per_s": WINDOW_BARS / min(seconds)},
        "bars": WINDOW_BARS,
        "rows_scored": {name: rows // TIMES for name, rows in scored.items()},
        "model": f"{TREES} trees x {LEAVES} leaves x {N_FEATURES} features, 6 timeframes",
        "trades": results[-1].metrics.trades,
    }
    sys.stdout.write(json.dumps(output) + "\n")


def _backtest(year: Bars, members: EnsembleMembers, scorer_of: ScorerOf) -> BacktestResult:
    candles = [Candles(SPEC, Timeframe.M1, year[-WINDOW_BARS:])]

    def history_of(_key: str, timeframe: Timeframe, from_ms: int, to_ms: int) -> Bars:
        bars = resample(year.between(from_ms, to_ms), MINUTE_MS, timeframe.ms)
        return bars.between(from_ms, to_ms - timeframe.ms + 1)

    strategy = ensemble_strategy(
        candles, [members], history_of, scorer_of, COST_BPS, 0.25, name="ensemble"
    )
    return run_backtest(candles, strategy, RULES, CASH_QUOTE)


def _counting(scored: dict[str, int]) -> ScorerOf:
    """Return the opener of a package, which counts the rows that are scored."""

    def scorer_of(package: Package) -> Scorer:
        score = open_model(package.graph, N_FEATURES, package.card.ref)

        def counted(rows: np.ndarray) -> F64:
            name = package.card.timeframe.value
            scored[name] = scored.get(name, 0) + len(rows)
            return score(rows)

        return counted

    return scorer_of


if __name__ == "__main__":
    main()
