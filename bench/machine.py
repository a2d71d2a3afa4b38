"""The machine of a measurement: processor, memory, versions, commit."""

from __future__ import annotations

import datetime
import functools
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from bench.bars import ROOT

LIBRARIES = ("numpy", "numba", "lightgbm", "onnxruntime", "polars", "sqlalchemy")


@functools.cache
def machine() -> dict[str, str | int]:
    """Return a short description of the machine."""
    versions = " ".join(f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES)
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "libraries": versions,
    }


@functools.cache
def commit() -> str:
    """Return the short commit, with a mark if the sources differ from it."""
    head = _git("rev-parse", "--short", "HEAD")
    return f"{head}-changed" if _git("status", "--porcelain", "--", "src") else head


def _git(*command: str) -> str:
    done = subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or ("unknown" if command[0] == "rev-parse" else "")


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def stamped(result: dict[str, Any]) -> dict[str, Any]:
    """Return a result with its time, commit and machine."""
    now = datetime.datetime.now(datetime.UTC)
    return {
        **result,
        "measured": now.strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(),
        "machine": machine(),
    }
