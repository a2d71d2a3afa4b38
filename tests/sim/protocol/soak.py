"""Many seeds over protocol bytes, resumable: ``python -m tests.sim.protocol.soak``; see ``make
soak-protocol``.

Results are kept in one file by the identity of the code, so that a later call goes on where the
last one stopped. A seed that breaks a promise is kept with what was done in its world.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.sim.finding import Finding
from tests.sim.protocol.protocol_world import ProtocolWorld
from tests.sim.soak import FOLDERS, HERE, identity

KEPT = ("crashes", "states compared", "folds", "upgrades")


def run_seed(seed: int, n_events: int) -> tuple[dict[str, int], str]:
    """Run one seed; return what happened in it, and what it broke (empty: nothing)."""
    world, broken = ProtocolWorld(seed, n_events), ""
    try:
        world.run()
    except Finding as found:
        broken = str(found)
    except Exception as error:  # the world's own fault is no reason to lose the others
        broken = f"{type(error).__name__}: {error}"
    counts: Counter[str] = Counter({"worlds": 1})
    if world.epochs:
        counts["events"] += world.state.seq
    venue = world.served_venue
    counts["virtual s"] += int(world.events.time())
    counts["orders"] += len(world.sent)
    counts["executions"] += venue.executions
    counts["requests"] += venue.network.requests
    counts["messages"] += venue.network.messages
    counts["duplicates"] += sum(n - 1 for n in venue.received.values())
    counts["losses"] += world.promises.losses
    counts["invented outcomes"] += world.promises.invented
    counts.update(f"fault {name}" for _, name in world.chance.happened if name != "misbehaves")
    for name, n in world.counts.items():
        if name in KEPT or name.startswith("attack "):
            counts[name] += n
    return dict(counts), broken


def main(words: Sequence[str] | None = None) -> int:
    """Run seeds until the time is over or all are done; 1: a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2_000)
    parser.add_argument("--events", type=int, default=300)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--results", type=Path, default=Path("build/soak-protocol.json"))
    parser.add_argument("--first", type=int, default=0, help="seed to begin with")
    chosen = parser.parse_args(words)
    key = f"{identity((*FOLDERS, 'venues'), (HERE, HERE / 'protocol'))}/{chosen.events}"
    known = json.loads(chosen.results.read_text()) if chosen.results.exists() else {}
    record: dict[str, Any] = known.setdefault(key, {"next": chosen.first, "counts": {}})
    broken: list[dict[str, Any]] = record.setdefault("broken", [])
    counts: Counter[str] = Counter(record["counts"])
    until_s = time.monotonic() + 60.0 * chosen.minutes
    while record["next"] < chosen.seeds and time.monotonic() < until_s:
        seed = record["next"]
        found, failure = run_seed(seed, chosen.events)
        counts.update(found)
        if failure:
            broken.append({"seed": seed, "finding": failure})
            sys.stdout.write(f"seed {seed}: {failure}\n")
            sys.stdout.flush()
        record["next"], record["counts"] = seed + 1, dict(sorted(counts.items()))
        chosen.results.parent.mkdir(parents=True, exist_ok=True)
        chosen.results.write_text(json.dumps(known, indent=1))
    done = ", ".join(f"{counts[name]:,} {name}" for name in ("worlds", "events", "orders"))
    sys.stdout.write(f"{done}; {len(broken)} broken; code {key}\n")
    for name, n in sorted(counts.items()):
        sys.stdout.write(f"  {name}: {n:,}\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
