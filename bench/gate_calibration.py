"""Calibration on real candles: what 5m models of BTC, ETH and SOL said, and what came.

    python -m bench.gate_calibration                the table of each; exit 1 where one falls short
    python -m bench.gate_calibration --bars 20000   the newest so many bars only

The path is the product's: the newest bars of each file go into a candle store, ``train`` makes a
package and an ensemble of each instrument, and what is read is the ensemble's own evidence out of
sample: the expected calibration error over ten bins of equal counts, and the Brier score saved
against always saying the base rate of those very rows. ``learning.horizon`` is 1/3: a trade lasts
an hour at most. Whether so short a trade earns more than it costs hangs on how far prices move,
and that can be told; that their direction cannot is why none of these models would trade.
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
    """Return the figures of each instrument's ensemble."""
    from ares.bootstrap.training import train
    from ares.config.workspace import Workspace
    from ares.runtime.training.plan import TrainingRequest
    from bench.gate_world import Remembering

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
        report = train(Workspace(root), TrainingRequest(), pool=Remembering())
        return [_figures(one.instrument, one.metrics) for one in report.ensembles]


def met(seen: list[dict[str, Any]]) -> bool:
    """Return whether each is calibrated, and says more than the base rate."""
    return len(seen) > 0 and all(
        one["calibration_error"] <= ERROR_MAX and one["brier_skill"] > 0.0 for one in seen
    )


def table(seen: list[dict[str, Any]]) -> str:
    """Return the figures and the reliability tables for the terminal."""
    lines = []
    for one in seen:
        lines += [
            f"{one['instrument']} 5m: calibration error {one['calibration_error']:.4f} (asked: at "
            f"most {ERROR_MAX}; a perfect model of as many rows: {one['calibration_limit']:.4f}), "
            f"Brier skill {one['brier_skill']:+.2%}",
            f"  {one['rows']:,} rows over {one['days']:.0f} days out of sample, base rate "
            f"{one['base_rate']:.3f}, AUC {one['auc']:.3f}, trades {one['trades']}",
            "  said  " + " ".join(f"{b['said']:6.3f}" for b in one["reliability"]),
            "  seen  " + " ".join(f"{b['seen']:6.3f}" for b in one["reliability"]),
            "  rows  " + " ".join(f"{b['rows']:6d}" for b in one["reliability"]),
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
