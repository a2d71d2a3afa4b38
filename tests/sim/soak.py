"""Many seeds of the attacking world, resumable: ``python -m tests.sim.soak``; see ``make soak``.

Results are kept in one file by the identity of the code, so that a later call goes on where the
last one stopped. A seed that breaks a promise is shrunk and kept with its faults.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.sim.finding import Finding
from tests.sim.shrink import failure_of, shrink
from tests.sim.world import World
from tests.sim.world_tables import WorldTables

import ares
from ares.domain.code_hash import folders_hash, source_hash
from ares.runtime.engine.code_version import code_hashes

HERE = Path(__file__).parent
SOURCE = Path(ares.__file__).parent
FOLDERS = ("journal", "sim", "store", "runtime/engine")
"""What a world runs of Ares beside the core, the kernel and the domain."""

TABLES_EVERY = 20
"""One world in so many has its tables written beside it; of those whose journal is files."""

BATCH_EVENTS = 15_000
"""About so many events are run between two writes of the results."""


def identity(folders: Sequence[str] = FOLDERS, worlds_at: Sequence[Path] = (HERE,)) -> str:
    """Return the hash of what a seed's run depends on: code by its meaning, worlds, versions."""
    digest = hashlib.sha256(json.dumps(code_hashes(), sort_keys=True).encode())
    digest.update(folders_hash(SOURCE, tuple(folders)).encode())
    found = (path for folder in worlds_at for path in folder.glob("*.py"))
    worlds = (path for path in found if not path.name.startswith("test_"))
    for path in sorted(worlds):
        digest.update(f"{path.name} {source_hash(path.read_bytes())}".encode())
    for path in sorted(HERE.parents[1].glob("requirements/*.lock")):
        digest.update(path.read_bytes())
    digest.update(sys.version.encode())
    return digest.hexdigest()[:16]


def run_batch(seeds: range, n_events: int) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """Run a batch of seeds; return what happened in them, and what they broke."""
    with TemporaryDirectory() as folder:
        return _run_batch(seeds, n_events, Path(folder))


def _run_batch(
    seeds: range, n_events: int, folder: Path
) -> tuple[dict[str, int], list[dict[str, Any]]]:
    counts: Counter[str] = Counter()
    broken: list[dict[str, Any]] = []
    for seed in seeds:
        tables = WorldTables(folder, seed) if seed % TABLES_EVERY == 1 else None
        world = World(seed, n_events, tables=tables)
        try:
            world.run()
        except Finding as found:
            failure = failure_of(seed, n_events)
            least = None if failure is None else shrink(failure)
            broken.append(
                {
                    "seed": seed,
                    "events": n_events,
                    "finding": str(found),
                    "faults": [] if failure is None else list(failure.faults),
                    "least": None if least is None else list(least.faults),
                }
            )
        counts["worlds"] += 1
        counts["events"] += world.state.seq
        counts["orders"] += len(world.sent)
        counts["executions"] += world.venue.executions
        counts["duplicates"] += sum(n - 1 for n in world.venue.received.values())
        counts["losses"] += world.promises.losses
        counts["invented outcomes"] += world.promises.invented
        counts.update(f"fault {name}" for _, name in world.chance.happened)
        for name in ("crashes", "states compared", "folds"):
            counts[name] += world.counts[name]
        if tables is not None:
            counts["worlds with tables"] += 1
            counts["tables taken back"] += tables.taken_back
    return dict(counts), broken


def main(words: Sequence[str] | None = None) -> int:
    """Run batches until the time is over or all seeds are done; 1: a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=300)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--results", type=Path, default=Path("build/soak.json"))
    chosen = parser.parse_args(words)
    key = f"{identity()}/{chosen.events}"
    known = json.loads(chosen.results.read_text()) if chosen.results.exists() else {}
    record = known.setdefault(key, {"next": 0, "counts": {}, "broken": []})
    counts: Counter[str] = Counter(record["counts"])
    size = max(1, BATCH_EVENTS // chosen.events)
    until_s = time.monotonic() + 60.0 * chosen.minutes
    with ProcessPoolExecutor(chosen.workers, get_context("spawn")) as pool:
        while record["next"] < chosen.seeds and time.monotonic() < until_s:
            first = record["next"]
            until = min(chosen.seeds, first + size * chosen.workers)
            batches = [range(n, min(until, n + size)) for n in range(first, until, size)]
            for found, broken in pool.map(run_batch, batches, [chosen.events] * len(batches)):
                counts.update(found)
                record["broken"] += broken
                for failure in broken:
                    sys.stdout.write(f"seed {failure['seed']}: {failure['finding']}\n")
            record["next"], record["counts"] = until, dict(sorted(counts.items()))
            chosen.results.parent.mkdir(parents=True, exist_ok=True)
            chosen.results.write_text(json.dumps(known, indent=1))
    done = ", ".join(f"{counts[name]:,} {name}" for name in ("worlds", "events", "orders"))
    sys.stdout.write(f"{done}; {len(record['broken'])} broken; code {key}\n")
    for name, n in sorted(counts.items()):
        sys.stdout.write(f"  {name}: {n:,}\n")
    return 1 if record["broken"] else 0


if __name__ == "__main__":
    sys.exit(main())
