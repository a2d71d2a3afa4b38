"""The result of a backtest as plain values, for ``--json`` and the workspace."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from ares.domain.utc import utc_version
from ares.research.backtest import BacktestResult


def as_json(result: BacktestResult) -> dict[str, Any]:
    """Return metrics at the top, then buy & hold, costs, counts, warnings and provenance."""
    virtual = result.virtual_trades
    return {
        "strategy": result.strategy.name,
        "kind": result.strategy.kind,
        "instruments": [each.key for each in result.candles],
        **asdict(result.metrics),
        "costs": asdict(result.costs) | {"total": result.costs.total},
        "monthly": [asdict(month) for month in result.monthly],
        "counts": asdict(result.counts),
        "signals": asdict(result.signals),
        "virtual_trades": virtual.height,
        "virtual_mean_bps": virtual["net_bps"].mean(),
        "buy_hold": asdict(result.hold),
        "warnings": list(result.warnings),
        "provenance": result.provenance,
    }


def keep(result: BacktestResult, folder: Path, at: datetime) -> Path:
    """Write the result into ``folder`` under the time of the backtest; return the file."""
    from ares.adapters.durable import write_file

    stem = f"backtest_{utc_version(at)}_{at.microsecond:06d}"
    path = folder / f"{stem}.json"
    content = msgspec.json.format(msgspec.json.encode(as_json(result)), indent=2)
    write_file(path, content + b"\n")
    return path
