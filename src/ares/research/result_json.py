"""The result of a backtest as plain values, for ``--json`` and the workspace."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from ares.domain.utc import utc_version
from ares.research.backtest import BacktestResult
from ares.research.metrics import BacktestMetrics

PREFIX = "backtest_"


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

    stem = f"{PREFIX}{utc_version(at)}_{at.microsecond:06d}"
    path = folder / f"{stem}.json"
    content = msgspec.json.format(msgspec.json.encode(as_json(result)), indent=2)
    write_file(path, content + b"\n")
    return path


@dataclass(frozen=True, slots=True)
class StoredBacktest:
    """A stored result: its id (the time of the backtest), what was stored, and its metrics."""

    id: str
    content: dict[str, Any]
    metrics: BacktestMetrics
    hold: BacktestMetrics

    @property
    def name(self) -> str:
        """Return the name of the strategy."""
        return str(self.content["strategy"])


def stored_backtests(folder: Path) -> list[StoredBacktest]:
    """Return the results in a folder, the newest first; files that hold none are left out."""
    found = []
    for path in sorted(folder.glob(f"{PREFIX}*.json"), reverse=True):
        try:
            content = msgspec.json.decode(path.read_bytes())
            metrics, hold = _metrics(content), _metrics(content["buy_hold"])
        except (msgspec.DecodeError, KeyError, TypeError):
            continue
        found.append(StoredBacktest(path.stem.removeprefix(PREFIX), content, metrics, hold))
    return found


def _metrics(content: dict[str, Any]) -> BacktestMetrics:
    return BacktestMetrics(**{each.name: content[each.name] for each in fields(BacktestMetrics)})
