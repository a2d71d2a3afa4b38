"""Calibration on real candles: predicted and observed probabilities of 5m models of BTC, ETH, SOL.

    python -m bench.gate_calibration                one table each; exit 1 if one misses its limit
    python -m bench.gate_calibration --bars 20000   only the newest bars, this many

The path is that of the product: the newest bars of each file are imported, ``train`` makes a
package and an ensemble of each instrument, and the ensemble's out-of-sample evidence is read: the
expected calibration error over ten bins of equal counts, and the Brier skill against the base rate
of the same rows. ``learning.horizon`` is 1/3: a trade lasts an hour at most. Whether so short a
trade earns more than it costs depends on volatility, which is predictable; the direction is not,
and so none of these models would trade.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from bench.bars import ROOT

SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")
BARS = 150_000
HORIZON = 1.0 / 3.0
ERROR_MAX = 0.03


def main() -> int:
    args = _arguments()
    started = time.perf_counter()
    seen = run(args.bars)
    sys.stdout.write(table(seen) + f"in {time.perf_counter() - started:.0f} s\n")
    return 0 if met(seen) else 1


def data() -> Path:
    """Return the folder of real candles."""
    return Path(os.environ.get("ARES_DATA", ROOT.parent / "shared" / "data")) / "binance"


def run(bars: int = BARS, symbols: tuple[str, ...] = SYMBOLS) -> list[dict[str, Any]]:
    """Return the metrics of each instrument's ensemble."""
    from ares.bootstrap.training import train
    from ares.config.workspace import Workspace
    from ares.runtime.training.plan import TrainingRequest
    from bench.gate_world import CachedTraining

    with tempfile.TemporaryDirectory(prefix="calibration_") as folder:
        root = Path(folder) / "w"
        Workspace.init(root)
        settings = {
            "symbols": list(symbols),
            "timeframes": {"intervals": [{"interval": "5m", "weight": 1.0}]},
            "learning": {"horizon": HORIZON, "rows_max": max(bars, 400)},
        }
        (root / "ares.yaml").write_text(yaml.safe_dump(settings))
        for symbol in symbols:
            _store(Workspace(root), symbol, bars)
        report = train(Workspace(root), TrainingRequest(), pool=CachedTraining())
        return [_figures(row.instrument, row.metrics) for row in report.ensembles]


def met(seen: list[dict[str, Any]]) -> bool:
    """Return whether each is calibrated, with positive skill against the base rate."""
    return len(seen) > 0 and all(
        row["calibration_error"] <= ERROR_MAX and row["brier_skill"] > 0.0 for row in seen
    )


def table(seen: list[dict[str, Any]]) -> str:
    """Return the figures and the reliability tables for the terminal."""
    lines = []
    for row in seen:
        lines += [
            f"{row['instrument']} 5m: calibration error {row['calibration_error']:.4f} (asked: at "
            f"most {ERROR_MAX}; a perfect model of as many rows: {row['calibration_limit']:.4f}), "
            f"Brier skill {row['brier_skill']:+.2%}",
            f"  {row['rows']:,} rows over {row['days']:.0f} days out of sample, base rate "
            f"{row['base_rate']:.3f}, AUC {row['auc']:.3f}, trades {row['trades']}",
            "  predicted  " + " ".join(f"{b['predicted']:6.3f}" for b in row["reliability"]),
            "  observed   " + " ".join(f"{b['observed']:6.3f}" for b in row["reliability"]),
            "  rows       " + " ".join(f"{b['rows']:6d}" for b in row["reliability"]),
        ]
    return "\n".join([*lines, "met" if met(seen) else "NOT MET", ""])


def _figures(instrument: str, metrics: Any) -> dict[str, Any]:
    return {
        "instrument": instrument,
        "rows": metrics.rows,
        "days": round(metrics.days, 1),
        "base_rate": round(metrics.base_rate, 4),
        "calibration_error": round(metrics.calibration_error, 4),
        "calibration_limit": round(metrics.calibration_limit, 4),
        "brier_skill": round(metrics.brier_skill or 0.0, 5),
        "auc": round(metrics.auc or 0.5, 4),
        "trades": metrics.trades,
        "reliability": [
            {"predicted": round(b.predicted, 4), "observed": round(b.observed, 4), "rows": b.rows}
            for b in metrics.reliability
        ],
    }


def _store(workspace: Any, symbol: str, bars: int) -> None:
    import polars as pl

    from ares.domain.instrument import Instrument, InstrumentSpec
    from ares.kernel.bars import Bars
    from ares.store.candles import CandleStore
    from ares.store.database import open_database

    path = data() / f"{symbol.replace('/', '')}_5m.parquet"
    newest = pl.read_parquet(path).tail(bars)
    columns = [newest[name].to_numpy() for name in ("ts", "open", "high", "low", "close", "volume")]
    engine = open_database(workspace.db_url)
    spec = InstrumentSpec(Instrument("binance", symbol), 2, 5, 5.0)
    CandleStore(engine, workspace.cache_dir).save(spec, "5m", Bars.make(*columns), path.name)
    engine.dispose()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bars", type=int, default=BARS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
