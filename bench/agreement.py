"""What each engine's result of the same rule is: speeds compare only where the results agree."""

from __future__ import annotations

import json
import sys
from typing import Any

from bench.bars import ROOT, data_folder, minutes
from bench.measure import json_output

PEERS = ROOT / "bench" / "peers"
REFERENCE = PEERS / "reference.json"
ENGINES = {
    "loop": ("backtesting", "rule.py"),
    "backtesting.py": ("backtesting", "run_backtesting.py"),
    "vectorbt": ("vectorbt", "run_vectorbt.py"),
    "nautilus_trader": ("nautilus_trader", "run_nautilus_trader.py"),
    "freqtrade": ("freqtrade", "run_freqtrade.py"),
}
AGREE_WITHIN = 1e-9  # relative, on the final equity
COUNTS = ("entries", "trades_closed")


def agreement() -> list[dict[str, Any]]:
    """Return each engine's result on the candles, run once, and its difference to the plain loop.

    ``off`` is the relative difference to the loop with the same fill; ``agrees`` is True where the
    counts are equal and ``off`` is within 1e-9.
    """
    parquet = str(minutes())
    outcomes = [
        json_output(name, [_python(environment), str(PEERS / script), parquet, "--times", "1"])
        for name, (environment, script) in ENGINES.items()
    ]
    outcomes.append(json_output("ares", [sys.executable, "-m", "bench.rows.agreement", parquet]))
    return [_compared(outcome, outcomes[0]) for outcome in outcomes]


def reference_holds(outcomes: list[dict[str, Any]]) -> bool | None:
    """Return whether ``reference.json`` is reproduced; None without the real candles."""
    if data_folder() is None:
        return None
    written = json.loads(REFERENCE.read_text())["windows"]["whole"]
    found = {outcome["engine"]: outcome for outcome in outcomes}
    return all(
        abs(found[name]["final_equity"] / equity - 1) <= AGREE_WITHIN
        and all(found[name][key] == written[key] for key in COUNTS)
        for name, equity in written["final_equity"].items()
    )


def _compared(outcome: dict[str, Any], loop: dict[str, Any]) -> dict[str, Any]:
    """Return the result with that of the loop with the same fill."""
    at_close = outcome.get("loop_at_close")
    off = abs(outcome["final_equity"] / (at_close or loop)["final_equity"] - 1)
    same = all(outcome[key] == loop[key] for key in COUNTS)
    names = ("engine", "version", "bars", *COUNTS, "final_equity")
    return {
        **{name: outcome[name] for name in names},
        "fill": "close" if at_close else "next open",
        "off": off,
        "agrees": same and off <= AGREE_WITHIN,
        "notes": outcome.get("notes", ""),
    }


def _python(environment: str) -> str:
    return str(ROOT / ".bench" / environment / "bin" / "python")
