"""Measures the numbers that Ares has to hold, side by side with its peers, and writes them down.

python -m bench.run                  everything (about 15 minutes); installs the peers if needed
python -m bench.run --only trade     one row again; the results of the others are kept
python -m bench.run --resume         only what has not been measured at this commit
python -m bench.run --quick          one process each, nothing is written
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from typing import Any

from bench.agreement import agreement, reference_holds
from bench.bars import ROOT, source
from bench.machine import commit, stamped
from bench.measure import Row, RowFailedError, measure
from bench.report import as_markdown, as_text
from bench.table import rows

RESULTS = ROOT / "bench" / "results.json"
PAGE = ROOT / "docs" / "BENCHMARKS.md"
TRIED = ROOT / "bench" / "tried.md"
"""A section of the page that is written by hand."""
AGREEMENT = "agreement"
SECONDS_MAX = 22 * 60.0
"""No further turn begins after this; what has begun is finished."""


def main() -> int:
    known = {row.key: row for row in rows()}
    args = _arguments([AGREEMENT, *known])
    _install_peers()
    started = time.perf_counter()
    results = _load()
    order = [AGREEMENT, *known]
    wanted = [key for key in order if not args.only or key in args.only]
    failed = False
    for key in wanted:
        if args.resume and _is_current(results, key):
            continue
        try:
            result = _result(known.get(key), args.quick, started + SECONDS_MAX)
        except RowFailedError as broken:
            failed = True
            result = {"failed": str(broken)}
        failed = failed or result.get("agrees") is False
        results["rows"][key] = _stamped(result)
        if not args.quick:
            _write(results)
    shown = wanted if args.quick else order
    results["rows"] = {key: results["rows"][key] for key in shown if key in results["rows"]}
    sys.stdout.write(as_text(results))
    if not args.quick:
        PAGE.write_text(as_markdown(results, TRIED.read_text()))
    return 1 if failed else 0


def _result(row: Row | None, quick: bool, until: float) -> dict[str, Any]:
    """Return the result of one row; no row: the agreement of the engines."""
    if row is not None:
        return measure(row, 1 if quick else row.processes, until, _say)
    _say("agreement: every engine once on the same candles")
    outcomes = agreement()
    holds = reference_holds(outcomes)
    agrees = holds is not False and all(outcome["agrees"] for outcome in outcomes)
    return {"outcomes": outcomes, "reference_holds": holds, "agrees": agrees}


def _stamped(result: dict[str, Any]) -> dict[str, Any]:
    """Return the result with time, place and machine."""
    return {**stamped(result), "candles": source()}


def _is_current(results: dict[str, Any], key: str) -> bool:
    row = results["rows"].get(key, {})
    return row.get("commit") == commit() and "failed" not in row


def _load() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"rows": {}}
    return found


def _write(results: dict[str, Any]) -> None:
    unfinished = RESULTS.with_suffix(".tmp")
    unfinished.write_text(json.dumps(results, indent=2) + "\n")
    unfinished.replace(RESULTS)


def _install_peers() -> None:
    command = [sys.executable, str(ROOT / "bench" / "peers" / "setup.py")]
    subprocess.run(command, check=True, stdout=sys.stderr)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _arguments(keys: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", choices=keys, metavar="ROW", help=str(keys))
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--quick", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
