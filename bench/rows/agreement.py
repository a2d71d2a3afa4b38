"""The result of Ares for the rule that the peers run, by its public API, as one JSON line.

python -m bench.rows.agreement PARQUET
"""

from __future__ import annotations

import json
import sys

from ares import __version__, api

FEE_BPS = 10.0
CASH_QUOTE = 1e6


def main() -> None:
    candles = api.load_bars(sys.argv[1], symbol="BTC/USDT", venue="binance")
    result = api.backtest(
        candles,
        api.sma_cross(candles, 20, 100),
        cash=CASH_QUOTE,
        fee_bps=FEE_BPS,
        spread_bps=0.0,
        slippage_bps=0.0,
        size=1.0,
    )
    output = {
        "engine": "ares",
        "version": __version__,
        "bars": len(candles.bars),
        "entries": result.metrics.entries,
        "trades_closed": result.metrics.trades,
        "final_equity": result.metrics.equity_end,
        "notes": "by `ares.api`; money in whole units of 1e-8",
    }
    sys.stdout.write(json.dumps(output) + "\n")


if __name__ == "__main__":
    main()
