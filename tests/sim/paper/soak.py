"""The long tests of paper trading, one after the other: ``python -m tests.sim.paper.soak``; see
``make soak``. 0 leaves one out; kills go on where the last call ended.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Run; 1: something does not hold, or is out of its bounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="in all, with those of before")
    parser.add_argument("--days", type=int, default=31, help="of the compressed month")
    parser.add_argument("--minutes", type=float, default=20.0, help="that the month takes at least")
    parser.add_argument("--week", type=float, default=7.0, help="days over sockets")
    parser.add_argument("--folder", type=Path, default=Path("build/paper"))
    chosen = parser.parse_args()
    folder: Path = chosen.folder
    month = ["--folder", str(folder / "month"), "--days", str(chosen.days)]
    calls: list[list[str]] = []
    if chosen.kills:
        calls.append(["kills", "--folder", str(folder / "kills"), "--kills", str(chosen.kills)])
    if chosen.days:
        calls += [["month", *month, "--prepare"]]
        calls += [["month", *month, "--minutes", str(chosen.minutes)]]
    if chosen.week:
        calls.append(["week", "--folder", str(folder / "week"), "--days", str(chosen.week)])
    codes = [
        subprocess.run([sys.executable, "-m", f"tests.sim.paper.{name}", *words], check=False)
        for name, *words in calls
    ]
    return int(any(done.returncode for done in codes))


if __name__ == "__main__":
    sys.exit(main())
