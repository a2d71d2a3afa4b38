"""A workspace for paper rehearsals: a synthetic market with an edge, models promoted by force."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import yaml
from tests.planted import TOO_GOOD

from ares.config.workspace import Workspace
from ares.domain.instrument import Instrument
from ares.domain.timeframe import DAY_MS
from ares.kernel.bars import Bars
from ares.sim.prices import FROM_MS, SYMBOLS, simulate
from ares.store.candles import CandleStore
from ares.store.database import open_database

READY = "ready"


class Market(msgspec.Struct, frozen=True):
    """What is rehearsed on.

    days      : of candles; the first ``history_days`` are stored, the rest is still to come.
    timeframes : of the models, with equal weights.
    rows_min, rows_max : bars of a training.
    """

    symbols: tuple[str, ...] = SYMBOLS
    venue: str = "binance"
    days: int = 91
    history_days: int = 30
    seed: int = 7
    edge: float = 4.0
    timeframes: tuple[str, ...] = ("1m", "5m", "15m", "1h")
    rows_min: int = 100
    rows_max: int = 10_000

    @property
    def from_ms(self) -> int:
        """Return where the market that is still to come begins."""
        return FROM_MS + self.history_days * DAY_MS

    def bars(self) -> list[Bars]:
        """Return all 1m candles, by symbol."""
        made = simulate(self.symbols, days=self.days, seed=self.seed, edge=self.edge)
        return [made.bars[symbol] for symbol in self.symbols]


def make_workspace(
    root: Path, market: Market, environment: str = "paper", **settings: object
) -> Workspace:
    """Return a workspace that has candles and forced champions; one that is ready is taken as it
    is, so that a rehearsal goes on.

    settings : added to those that make small models trade.
    """
    if (root / READY).exists():
        return Workspace(root)
    Workspace.init(root)
    (root / "ares.yaml").write_text(yaml.safe_dump(_settings(market) | settings))
    workspace = Workspace(root)
    _store_history(workspace, market)
    run_ares(root, "train")
    run_ares(root, "models", "promote", "--to", environment, "--force", "--reason", "rehearsal")
    (root / READY).touch()
    return workspace


def run_ares(root: Path, *words: str) -> str:
    """Run a command of ``ares`` in a workspace; return what it prints. Raises where it fails."""
    command = [sys.executable, "-m", "ares", *words]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"ares {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def _settings(market: Market) -> dict[str, object]:
    weight = 1.0 / len(market.timeframes)
    intervals = [{"interval": name, "weight": weight} for name in market.timeframes]
    return {
        "venue": market.venue,
        "symbols": list(market.symbols),
        "timeframes": {"intervals": intervals},
        "learning": {"rows_min": market.rows_min, "rows_max": market.rows_max, "folds": 3,
                     "workers": 1},
        "strategy": {"edge_bps_min": -20.0, "edge_bps_exit": -60.0},
        "costs": {"fee_bps": 0.5, "spread_bps": 0.2, "slippage_bps": 0.1},
        "breakers": {"win_rate_min": 0.0},
        "promotion": TOO_GOOD,
        "challenger": {"confidence_min": 0.0, "false_alarm_trades": 1e6},
        "risk": {"daily_loss_limit": 0.5, "max_drawdown_percent": 50.0,
                 "risk_per_trade": 0.0003, "max_position_size_percent": 0.02},
        "continuous_learning": {
            "confidence": {"trading_threshold": 1e-6, "hysteresis": 0.0},
            "retraining": {"min_interval_hours": 24.0, "budget_per_day": 1},
        },
    }  # fmt: skip


def _store_history(workspace: Workspace, market: Market) -> None:
    made = simulate(market.symbols, days=market.days, seed=market.seed, edge=market.edge)
    engine = open_database(workspace.db_url)
    store = CandleStore(engine, workspace.cache_dir)
    for symbol in market.symbols:
        bars = made.bars[symbol]
        spec = msgspec.structs.replace(
            made.specs[symbol], instrument=Instrument(market.venue, symbol)
        )
        end = int(bars.ts_ms.searchsorted(market.from_ms))
        store.save(spec, "1m", bars[:end], "a synthetic market")
    engine.dispose()
