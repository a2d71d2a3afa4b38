"""Row: the trade half of the kernel given scores, with stops, limits and breakers, on one core.

    python -m bench.rows.trade PARQUET

Signals are the levels of the SMA cross. Three scans of the same bars: ``bars_per_s`` with every
rule switched on but limits so wide that trading goes on, as in a simulator of signals;
``defaults_bars_per_s`` with the default limits and breakers, which trip, refuse and trade
virtually; ``plain_bars_per_s`` with no stop, limit or breaker, one unit per trade, as the peers
run.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from ares.kernel.trade import Rules, TradeLog
from ares.kernel.trade.layout import ENTRY
from bench.rows.crossing import PLAIN, crossing, head, trade

TIMES = 3
CASH_QUOTE = 1e9  # one unit a trade over 10 M bars of fees does not exhaust it
DEFAULTS = Rules(gate_mode=False)
WIDE = replace(
    DEFAULTS,
    daily_loss_max=0.99,
    drawdown_max=0.999,
    win_rate_min=1e-9,
    win_rate_trades=62,
    failures_max=10**6,
    slippage_sd_max=1e6,
    volatility_ratio_max=1e6,
    volatility_target=10.0,
)


def main() -> None:
    market, signals = crossing(Path(sys.argv[1]))
    bars = len(market.close_ms)
    figures: dict[str, float] = {}
    did: dict[str, dict[str, int]] = {}
    for name, rules in (("", WIDE), ("defaults_", DEFAULTS), ("plain_", PLAIN)):
        trade(*head(market, signals, 5_000), rules, CASH_QUOTE)  # loads the machine code
        seconds = []
        for _ in range(TIMES):
            start = time.perf_counter()
            log = trade(market, signals, rules, CASH_QUOTE)
            seconds.append(time.perf_counter() - start)
        figures[f"{name}bars_per_s"] = bars / min(seconds)
        did[name.rstrip("_") or "wide"] = _counts(log)
    sys.stdout.write(json.dumps({"figures": figures, "bars": bars, "did": did}) + "\n")


def _counts(log: TradeLog) -> dict[str, int]:
    return {
        "entries": int(np.sum(log.fills["kind"] == ENTRY)),
        "fills": len(log.fills),
        "requests": len(log.requests),
        "trades": int(np.sum(log.outcomes["virtual"] == 0)),
        "virtual_trades": int(np.sum(log.outcomes["virtual"] == 1)),
        "notices": len(log.notices),
    }


if __name__ == "__main__":
    main()
