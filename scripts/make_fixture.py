"""Builds the small workspace that later versions must open: tests/fixtures/workspace.tar.xz.

A synthetic market with a planted edge, one training, a verdict, a forced promotion and a short run.
The archive has no path and no time of this machine, and its members are sorted: the same code makes
the same archive, except for the inference latency in the verdict, which is measured. Run it when
formats change on purpose, and not otherwise:

    .venv/bin/python scripts/make_fixture.py
"""

from __future__ import annotations

import io
import json
import lzma
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

TARGET = Path(__file__).parents[1] / "tests" / "fixtures" / "workspace.tar.xz"
BYTES_MAX = 600_000
NOW = datetime(2026, 1, 1, tzinfo=UTC)
USER = "fixture"
RUN = "fixture"
SYMBOL = "BTC/USDT"
RUN_HOURS = 24 * 10
HOURS, SEED, EDGE = 3_600, 1, 2.0
SETTINGS = """\
venue: simulated
symbols: [BTC/USDT]
timeframes:
  intervals:
    - {interval: 1h, weight: 0.6}
    - {interval: 4h, weight: 0.4}
costs: {fee_bps: 1.0, spread_bps: 0.5}
strategy: {edge_bps_min: 1.0}
learning: {workers: 1, folds: 3, leaves: 4, rows_min: 200}
continuous_learning:
  confidence: {trading_threshold: 0.5, hysteresis: 0.05}
"""
PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
    "3a7e9b550000000a49444154789c636000000002000148afa4710000000049454e44ae426082"
)
"""A grey pixel as PNG, in place of pictures that would be nine tenths of the archive."""

LEFT_OUT = ("cache", "logs", "mlflow", "mlflow.db", "reports", "lock")
"""Files and folders that Ares makes again, or that hold only exports."""


def main() -> None:
    """Build the workspace and write the archive."""
    if len(sys.argv) == 3 and sys.argv[1] == "--build":
        build(Path(sys.argv[2]))
        return
    user = {"LOGNAME": USER, "USER": USER}
    with TemporaryDirectory(ignore_cleanup_errors=True) as place:
        root = Path(place) / "workspace"
        command = [sys.executable, __file__, "--build", str(root)]  # its end closes its databases
        subprocess.run(command, env=os.environ | user, check=True)
        content = archive(root)
    found = machine_paths(content, place)
    if found:
        sys.exit(f"make_fixture: {', '.join(found)} hold a path or name of this machine")
    if len(content) > BYTES_MAX:
        sys.exit(f"make_fixture: {len(content):,} bytes, more than {BYTES_MAX:,}")
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_bytes(content)
    sys.stdout.write(f"{TARGET.name}: {len(content):,} bytes\n")


def build(root: Path) -> None:
    """Make the workspace, and ``fixture.json`` with what a later version must find in it."""
    from ares.adapters.worker_pool import Task, WorkerPool
    from ares.bootstrap import candle_store, history_run, lifecycle, training, validation
    from ares.bootstrap.runs import RunRequest
    from ares.bootstrap.values import model_paths
    from ares.config.workspace import Workspace
    from ares.domain.instrument import Instrument, InstrumentSpec
    from ares.domain.timeframe import HOUR_MS
    from ares.domain.utc import utc_iso
    from ares.runtime.training import training_picture
    from ares.runtime.training.plan import TrainingRequest
    from ares.runtime.validation.verdict_file import save_verdict
    from ares.sim.hours import hours

    class InlinePool(WorkerPool):
        """Runs its tasks in this process, where pictures are replaced."""

        def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Any]]:
            for task in tasks:
                yield task, task.function(task.argument)

    training_picture.draw_training = lambda _plot: PICTURE
    root.mkdir(parents=True)
    (root / "ares.yaml").write_text(SETTINGS, encoding="utf-8")
    workspace, _ = Workspace.init(root)
    bars = hours(SEED, EDGE, HOURS).bars
    with candle_store(workspace) as store:
        spec = InstrumentSpec(Instrument("simulated", SYMBOL), 2, 5)
        store.save(spec, "1h", bars, "synthetic")
    to_ms = int(bars.ts_ms[-1]) + HOUR_MS
    split_ms = to_ms - RUN_HOURS * HOUR_MS
    report = training.train(
        workspace, TrainingRequest(to_ms=split_ms), now=lambda: NOW, pool=InlinePool()
    )
    (trained,) = report.ensembles
    ensemble_hash = trained.hash
    result = validation.validate_model(workspace, ensemble_hash)
    saved = save_verdict(model_paths(workspace), result, PICTURE, utc_iso(NOW), USER)
    promotion = lifecycle.promote(
        workspace, ensemble_hash, "history", True, "the fixture needs a champion", lambda: NOW
    )
    assert not promotion.refused, promotion
    ran = history_run(
        workspace, RunRequest(symbols=(SYMBOL,), from_ms=split_ms, to_ms=to_ms, name=RUN)
    )
    assert ran.end.finished
    facts = found_in(ran.report, ensemble_hash, result.verdict.passed)
    facts["verdict_file"] = saved.path.name
    (root / "fixture.json").write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n")


def found_in(report: Any, ensemble_hash: str, passed: bool) -> dict[str, Any]:
    """Return what a later version must find."""
    (instrument,) = report.instruments
    return {
        "ensemble": ensemble_hash,
        "verdict_passed": passed,
        "run": RUN,
        "symbol": SYMBOL,
        "events": report.events,
        "orders": report.orders,
        "fills": report.fills,
        "equity_end": report.equity_end,
        "real_trades": instrument.real.trades,
        "virtual_trades": instrument.virtual.trades,
    }


def archive(root: Path) -> bytes:
    """Return the workspace as a tar.xz whose bytes depend on names and content alone."""
    _compact(root / "ares.db")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(root.rglob("*")):
            parts = path.relative_to(root).parts
            if path.is_dir() or any(part in LEFT_OUT for part in parts):
                continue
            content = path.read_bytes()
            member = tarfile.TarInfo("/".join(parts))
            member.size, member.mode = len(content), 0o644
            tar.addfile(member, io.BytesIO(content))
    return lzma.compress(buffer.getvalue(), preset=9 | lzma.PRESET_EXTREME)


def _compact(database: Path) -> None:
    import sqlite3

    connection = sqlite3.connect(database)
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.execute("UPDATE candle_sources SET created_at = ?", (f"{NOW:%Y-%m-%d %H:%M:%S}",))
    connection.commit()
    connection.execute("VACUUM")
    connection.close()
    for suffix in ("-wal", "-shm"):
        Path(f"{database}{suffix}").unlink(missing_ok=True)


def machine_paths(content: bytes, place: str) -> list[str]:
    """Return the members that hold a path or a name of this machine."""
    words = {place, str(Path.home()), str(Path(__file__).parents[1]), os.uname().nodename}
    needles = [word.encode() for word in words if len(word) > 4]
    found = []
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:xz") as tar:
        for member in tar:
            file = tar.extractfile(member)
            assert file is not None
            raw = file.read()
            if any(needle in raw for needle in needles):
                found.append(member.name)
    return found


if __name__ == "__main__":
    main()
