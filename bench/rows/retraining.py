"""Row: the time to retrain a model on a warm worker, to validate it, and to train 24 of them.

    python -m bench.rows.retraining

4,821 rows to fit and 1,205 held out are 6,026; the product's walk-forward holds out more than that,
in six folds, each purged and calibrated by those before. Timed are: ``train_package`` (rows from
the store, features, walk-forward, calibration, export, parity, evaluation, picture); the same in
``train`` (stored, counted, combined) followed by ``validate_model``; ``train`` of 24 instruments on
two warm processes.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

from ares.adapters.worker_pool import Task, WorkerPool
from ares.bootstrap.training import train
from ares.bootstrap.validation import validate_model
from ares.config.workspace import Workspace
from ares.domain.instrument import Instrument
from ares.runtime.training.job import PackageDone, train_package
from ares.runtime.training.plan import TrainingRequest
from ares.runtime.training.train import training_pool
from ares.sim.hours import hours
from ares.sim.prices import VENUE
from ares.store.candles import CandleStore
from ares.store.database import open_database

ROWS = 4_821 + 1_205
SPARE_BARS = 300
MODELS = 24


class Timed(WorkerPool):
    """Runs every task in this process, and measures how long the training of a package takes."""

    package_s = 0.0
    package_cpu_s = 0.0

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Any]]:
        """Yield each task with its result."""
        for task in tasks:
            start, start_cpu = time.perf_counter(), time.process_time()
            result = task.function(task.argument)
            if task.function is train_package:
                assert isinstance(result, PackageDone), result
                self.package_s = time.perf_counter() - start
                self.package_cpu_s = time.process_time() - start_cpu
            yield task, result


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="retraining_") as folder:
        workspace = made(Path(folder) / "w", MODELS)
        each, pool = TrainingRequest(symbols=("S00/USDT",)), Timed(1)
        first = train(workspace, each, pool=pool)  # warm: everything imported and compiled
        validate_model(workspace, first.ensembles[0].hash, pool=pool)
        start, start_cpu = time.perf_counter(), time.process_time()
        again = train(workspace, each, pool=pool)
        validate_model(workspace, again.ensembles[0].hash, pool=pool)
        with_verdict_s = time.perf_counter() - start
        with_verdict_cpu_s = time.process_time() - start_cpu
        with training_pool(2) as workers:
            train(workspace, TrainingRequest(symbols=("S01/USDT", "S02/USDT")), pool=workers)
            start = time.perf_counter()
            whole = train(workspace, TrainingRequest(), pool=workers)
            all_s = time.perf_counter() - start
    figures = {
        "one_s": pool.package_s,
        "one_cpu_s": pool.package_cpu_s,
        "with_verdict_s": with_verdict_s,
        "with_verdict_cpu_s": with_verdict_cpu_s,
        "all_s": all_s,
    }
    output = {"figures": figures, "rows": again.packages[0].rows, "models": len(whole.packages)}
    sys.stdout.write(json.dumps(output) + "\n")


def made(root: Path, instruments: int) -> Workspace:
    """Return a workspace with hourly candles of that many instruments."""
    Workspace.init(root)
    symbols = [f"S{k:02d}/USDT" for k in range(instruments)]
    settings = {
        "venue": VENUE,
        "symbols": symbols,
        "timeframes": {"intervals": [{"interval": "1h", "weight": 1.0}]},
        "learning": {"rows_max": ROWS},
    }
    (root / "ares.yaml").write_text(yaml.safe_dump(settings))
    workspace = Workspace(root)
    engine = open_database(workspace.db_url)
    store = CandleStore(engine, workspace.cache_dir)
    for k, symbol in enumerate(symbols):
        world = hours(k, 1.0, ROWS + SPARE_BARS)
        spec = msgspec.structs.replace(world.spec, instrument=Instrument(VENUE, symbol))
        store.save(spec, "1h", world.bars, "ares.sim.hours")
    engine.dispose()
    return workspace


if __name__ == "__main__":
    main()
