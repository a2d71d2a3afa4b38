"""`make bench-gate`: false positives, power, calibration, leaks and speed of the gate.

python -m bench.gate_run                    what is missing, then the whole table
python -m bench.gate_run --only leaks       one part again: noise_and_skill, peeking, leaks,
                                            calibration, retraining
python -m bench.gate_run --show             only the table of what was measured

Seeds are fixed, in the files of the parts. The parts write to ``bench/gate.json``, the markets to
``bench/gate_worlds.jsonl``, one line each; an interrupted run continues. The section of the page
``docs/EVIDENCE.md`` between its two marks is written again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from bench import gate_calibration, gate_leaks, gate_worlds
from bench.bars import ROOT
from bench.gate_page import section
from bench.machine import stamped
from bench.measure import measure
from bench.table import retraining

RESULTS = ROOT / "bench" / "gate.json"
PEEKING = ROOT / "bench" / "gate_peeking.json"
PAGE = ROOT / "docs" / "EVIDENCE.md"


def main() -> int:
    args = _arguments()
    results: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in [] if args.show else args.only or PARTS:
        if name in results and not args.only and results[name].get("met"):
            continue
        sys.stderr.write(f"{name}\n")
        results[name] = stamped(PARTS[name]())
        _write(results)
    if args.show or "noise_and_skill" not in results:
        results["noise_and_skill"] = _worlds_figures()
    text, page = section(results)
    sys.stdout.write(text)
    if not args.show:
        _put(page)
    return 0 if all(results.get(name, {}).get("met") for name in PARTS) else 1


def _worlds() -> dict[str, Any]:
    gate_worlds.run(gate_worlds.RESULTS, gate_worlds.WORLDS, processes=2)
    return _worlds_figures()


def _worlds_figures() -> dict[str, Any]:
    seen = gate_worlds.read(gate_worlds.RESULTS)
    return {"kinds": gate_worlds.figures(seen), "met": gate_worlds.met(seen)}


def _peeking() -> dict[str, Any]:
    subprocess.run([sys.executable, "-m", "bench.gate_peeking"], cwd=ROOT, check=False)
    found: dict[str, Any] = json.loads(PEEKING.read_text())
    return found


def _leaks() -> dict[str, Any]:
    found, alarms = gate_leaks.run()
    sys.stdout.write(gate_leaks.table(found, alarms, 0.0))
    return gate_leaks.figures(found, alarms)


def _calibration() -> dict[str, Any]:
    seen = gate_calibration.run()
    return {"ensembles": seen, "met": gate_calibration.met(seen)}


def _retraining() -> dict[str, Any]:
    row = retraining()
    result = measure(row, row.processes, time.perf_counter() + 900.0, _say)
    return {**result, "met": all(limit["met"] for limit in result["limits"])}


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "leaks": _leaks,
    "peeking": _peeking,
    "calibration": _calibration,
    "retraining": _retraining,
    "noise_and_skill": _worlds,
}


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _write(results: dict[str, Any]) -> None:
    unfinished = RESULTS.with_suffix(".tmp")
    unfinished.write_text(json.dumps(results, indent=2) + "\n")
    unfinished.replace(RESULTS)


def _put(page: str) -> None:
    """Write the section between its marks; the rest of the page is not changed."""
    begin, end = "<!-- bench-gate -->\n", "<!-- end of bench-gate -->\n"
    whole = PAGE.read_text()
    if begin in whole and end in whole:
        head, _, rest = whole.partition(begin)
        PAGE.write_text(f"{head}{begin}{page}{end}{rest.partition(end)[2]}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", choices=list(PARTS))
    parser.add_argument("--show", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
