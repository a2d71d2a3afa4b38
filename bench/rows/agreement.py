"""What the kernel's trade half makes of the rule that the peers run, as one JSON line.

python -m bench.rows.agreement PARQUET
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from bench.rows.crossing import PLAIN, UNITS_PER_QUOTE, crossing, trade

from ares import __version__
from ares.kernel.trade.layout import ENTRY, EXIT

CASH_QUOTE = 1e6


def main() -> None:
    market, signals = crossing(Path(sys.argv[1]))
    log = trade(market, signals, PLAIN, CASH_QUOTE)
    said = {
        "engine": "ares",
        "version": __version__,
        "bars": len(market.close_ms),
        "entries": int(np.sum(log.fills["kind"] == ENTRY)),
        "trades_closed": int(np.sum(log.fills["kind"] == EXIT)),
        "final_equity": int(log.equity[-1]) / UNITS_PER_QUOTE,
    }
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main()
