"""Row: 1 M candles imported by ``ares data import``, read from the store, and from its cache.

    python -m bench.rows.candles PARQUET

The import is a process of the command line, from start to end, in a new workspace.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ares.kernel.bars import Bars
from ares.store.candles import CandleStore
from ares.store.database import open_database
from bench.rows.help import ARES


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="ares-bench-") as folder:
        root = Path(folder)
        candles = root / "BTCUSDT_1m.parquet"
        candles.symlink_to(Path(sys.argv[1]).resolve())
        workspace = root / "workspace"
        subprocess.run([str(ARES), "init", str(workspace)], check=True, stdout=subprocess.DEVNULL)
        imported_s = _import(candles, workspace)
        engine = open_database(workspace / "ares.db")
        stored_s, bars = _load(CandleStore(engine, None))
        _load(CandleStore(engine, workspace / "cache"))  # writes the cache
        cached_s, again = _load(CandleStore(engine, workspace / "cache"))
        engine.dispose()
        if bars.hash != again.hash:
            raise SystemExit("the cache and the store differ")
    output = {
        "figures": {"import_s": imported_s, "load_s": stored_s, "load_cached_s": cached_s},
        "bars": len(bars),
    }
    sys.stdout.write(json.dumps(output) + "\n")


def _import(candles: Path, workspace: Path) -> float:
    """Return the seconds that ``ares data import`` took."""
    start = time.perf_counter()
    subprocess.run(
        [str(ARES), "data", "import", str(candles), "--venue", "binance"],
        cwd=workspace,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - start


def _load(store: CandleStore) -> tuple[float, Bars]:
    """Return the seconds of loading all bars, and the bars."""
    instrument = store.resolve("BTC/USDT")
    start = time.perf_counter()
    bars = store.load(instrument, "1m")
    return time.perf_counter() - start, bars


if __name__ == "__main__":
    main()
