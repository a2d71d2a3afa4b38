"""Compiles the kernel into the cache, so that no first command stands still while it does.

Run by ``make setup``. A small synthetic market goes through features, a backtest, a strategy's
calibration, the gate and a history run, in a folder that is then removed.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ares import api, bootstrap
from ares.adapters.strategy_file import read_strategy
from ares.adapters.worker_pool import InlinePool
from ares.bootstrap.lifecycle import promote
from ares.bootstrap.training import train
from ares.bootstrap.validation import validate_model
from ares.config.workspace import Workspace
from ares.domain.timeframe import HOUR_MS, Timeframe
from ares.kernel.trade import Rules
from ares.runtime.training.plan import TrainingRequest
from ares.sim.hours import FROM_MS, hours
from ares.store.candles import CandleStore
from ares.store.database import open_database

BARS = 1_500
SETTINGS = """venue: simulated
symbols: [BTC/USDT]
timeframes:
  intervals:
    - {interval: 1h, weight: 1.0}
learning: {workers: 1, folds: 3}
"""
RULE = """from ares.kernel.features.strategy import strategy
@strategy(warmup_bars=1)
def reversal(bars, features):
    return -features["bollinger_20"]
"""


def main() -> None:
    """Run every step in a temporary workspace; print one line for each."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        steps: dict[str, Callable[[], object]] = {
            "features and backtest": _research,
            "calibration": lambda: _calibrate(root),
            "gate": lambda: _judge(root),
            "engine": lambda: _run(root),
        }
        for number, (name, step) in enumerate(steps.items(), 1):
            begun = time.perf_counter()
            step()
            took = time.perf_counter() - begun
            line = f"setup: compiling the kernel, {number} of {len(steps)}: {name}, {took:.0f} s"
            print(line, file=sys.stderr, flush=True)


def _research() -> None:
    market = hours(1, 2.0, BARS)
    candles = api.Candles(market.spec, Timeframe.H1, market.bars)
    api.features_of(candles)
    api.labels_of(candles)
    rule = api.sma_cross(candles, 5, 20)
    api.backtest(candles, rule)
    api.backtest(candles, rule, rules=Rules(gate_mode=False))


def _calibrate(root: Path) -> None:
    Workspace.init(root)
    (root / "ares.yaml").write_text(SETTINGS)
    (root / "rules.py").write_text(RULE)
    market = hours(1, 4.0, BARS)
    engine = open_database(f"sqlite:///{root / 'ares.db'}")
    CandleStore(engine).save(market.spec, "1h", market.bars, "compiled")
    engine.dispose()
    request = TrainingRequest(strategy=read_strategy("rules.py", root))
    with InlinePool() as pool:
        train(Workspace(root), request, pool=pool)


def _judge(root: Path) -> None:
    with InlinePool() as pool:
        validate_model(Workspace(root), "BTC/USDT", pool=pool)


def _run(root: Path) -> None:
    workspace = Workspace(root)
    promote(workspace, "BTC/USDT", "history", force=True, reason="to compile the engine")
    from_ms = FROM_MS + (BARS - 200) * HOUR_MS
    bootstrap.history_run(workspace, bootstrap.RunRequest(None, from_ms, None, "compiled"))


if __name__ == "__main__":
    main()
