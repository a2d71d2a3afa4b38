"""Writes the results of the rule in the peers that fill at the next open, if they agree.

python bench/peers/reference.py DATA_FOLDER            compare reference.json with a fresh run
python bench/peers/reference.py DATA_FOLDER --write    write it again
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = HERE.parent.parent / ".bench"
REFERENCE = HERE / "reference.json"
FILE = "binance/BTCUSDT_1m_20260301_20260531.parquet"
WINDOWS = {"whole": None, "first_130000": 130_000}  # the second one ends with a position open
RUNNERS = {
    "loop": ("backtesting", "rule.py"),
    "backtesting.py": ("backtesting", "run_backtesting.py"),
    "vectorbt": ("vectorbt", "run_vectorbt.py"),
    "freqtrade": ("freqtrade", "run_freqtrade.py"),
}
COUNTS = ("bars", "entries", "trades_closed")
AGREE_WITHIN = 1e-9  # relative, on the final equity
CONVENTION = (
    "sma_cross 20/100: long 1 unit while SMA20 > SMA100 at the close, flat otherwise (a level, "
    "not a crossing); fills at the next bar's open; 0.1% of notional on both sides; "
    "cash 1,000,000; no slippage. entries counts opened positions, trades_closed those closed "
    "again. A position open after the last bar stays open: final_equity marks it at the last "
    "close, no closing fee."
)


def run(engine: str, parquet: Path, bars: int | None) -> dict[str, Any]:
    """Return the output of a runner, in its own environment."""
    environment, script = RUNNERS[engine]
    command = [str(ENVIRONMENTS / environment / "bin" / "python"), str(HERE / script), str(parquet)]
    command += ["--times", "1"] + (["--bars", str(bars)] if bars else [])
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    result: dict[str, Any] = json.loads(printed.strip().splitlines()[-1])
    return result


def fresh(data: Path) -> dict[str, Any]:
    """Return the reference computed again; raise ValueError where the engines disagree."""
    windows: dict[str, Any] = {}
    versions: dict[str, str] = {}
    for name, bars in WINDOWS.items():
        results = {engine: run(engine, data / FILE, bars) for engine in RUNNERS}
        output = results["loop"]
        for engine, result in results.items():
            versions[engine] = result["version"]
            off = abs(result["final_equity"] / output["final_equity"] - 1)
            if off > AGREE_WITHIN or any(result[key] != output[key] for key in COUNTS):
                raise ValueError(f"{engine} disagrees on {name}: {result} against {output}")
        windows[name] = {
            "bars": output["bars"],
            "entries": output["entries"],
            "trades_closed": output["trades_closed"],
            "position_open_at_end": output["entries"] > output["trades_closed"],
            "final_equity": {engine: result["final_equity"] for engine, result in results.items()},
        }
    return {
        "file": FILE,
        "convention": CONVENTION,
        "obtained": (
            "bench/peers/run_backtesting.py, run_vectorbt.py, run_freqtrade.py and the loop of "
            "rule.py, each in its own environment from the .lock files beside them, all within "
            "1e-9 of each other; "
            "afresh: python bench/peers/reference.py DATA_FOLDER --write"
        ),
        "versions": versions,
        "windows": windows,
    }


def agrees(new: dict[str, Any], old: dict[str, Any]) -> bool:
    """Return whether two references are equal within the tolerance."""
    for name, window in new["windows"].items():
        then = old["windows"][name]
        if any(window[key] != then[key] for key in COUNTS):
            return False
        for engine, equity in window["final_equity"].items():
            if abs(equity / then["final_equity"][engine] - 1) > AGREE_WITHIN:
                return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the folder that has binance/")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    new = fresh(args.data)
    if args.write:
        REFERENCE.write_text(json.dumps(new, indent=2) + "\n")
        return 0
    same = agrees(new, json.loads(REFERENCE.read_text()))
    sys.stdout.write("agrees\n" if same else f"reference.json is out of date: {json.dumps(new)}\n")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
