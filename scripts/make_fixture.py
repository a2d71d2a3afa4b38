"""Makes the workspace that later versions of Ares must open: ``tests/fixtures/workspace.tar.xz``.

Run whenever a format is added: ``.venv/bin/python scripts/make_fixture.py``. It holds a year of
synthetic hourly candles, a trained package and its ensemble, a verdict, a champion and a run over
ten days. What can be made again (cache, MLflow) is left out.
"""

from __future__ import annotations

import io
import os
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "tests" / "fixtures" / "workspace.tar.xz"
LEFT_OUT = {
    *(
        "cache",
        "logs",
        "mlflow",
        "mlflow.db",
        "market.parquet",
        "lock",
        "ares.db-wal",
        "ares.db-shm",
    ),
    *(".env.example", ".gitignore"),
}
SETTINGS = """\
venue: simulated
symbols: [BTC/USDT]
timeframes: {intervals: [{interval: 1h, weight: 1.0}]}
"""
COMMANDS = (
    "sim candles market.parquet --years 1 --seed 20001",
    "data import market.parquet --venue simulated --symbol BTC/USDT --interval 1h",
    "train --to 2020-10-01",
    "models validate BTC/USDT",
    "models promote BTC/USDT --force --reason fixture",
    "run --env history --from 2020-10-01 --to 2020-10-11 --run fixture",
)
ANSWER_NO = 1


def main() -> int:
    """Make the workspace and pack it; the files have no times, owners or absolute paths."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "w"
        ares(Path(name), "init", "w")
        (folder / "ares.yaml").write_text(SETTINGS)
        for command in COMMANDS:
            ares(folder, *command.split())
        forget_paths(folder / "ares.db")
        pack(folder)
    print(f"{TARGET.relative_to(ROOT)}: {TARGET.stat().st_size / 1000:.0f} kB")
    return 0


def ares(folder: Path, *words: str) -> None:
    """Run a command in ``folder``; its answer may be no."""
    environ = {**os.environ, "USER": "fixture", "LOGNAME": "fixture"}
    environ.pop("ARES_WORKSPACE", None)
    done = subprocess.run(
        [sys.executable, "-m", "ares", *words],
        cwd=folder, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode > ANSWER_NO:
        raise SystemExit(f"ares {' '.join(words)}: exit code {done.returncode}\n{done.stderr}")


def forget_paths(database: Path) -> None:
    """Keep of the candles' source its file name: where it lay says nothing to anybody else."""
    connection = sqlite3.connect(database)
    with connection:
        connection.execute("UPDATE candle_sources SET name = 'market.parquet'")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.execute("VACUUM")
    connection.close()


def pack(folder: Path) -> None:
    """Pack the workspace, name by name."""
    TARGET.parent.mkdir(exist_ok=True)
    with tarfile.open(TARGET, "w:xz", preset=9) as archive:
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder)
            if (
                path.is_dir()
                or LEFT_OUT & set(inside.parts)
                or path.name in {"lock", "ares.db-wal"}
            ):
                continue
            content = path.read_bytes()
            entry = tarfile.TarInfo(str(inside))
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


if __name__ == "__main__":
    sys.exit(main())
