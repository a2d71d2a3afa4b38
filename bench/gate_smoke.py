"""A short run of the gate's benchmark, for ``make test``: the same code on small markets.

    python -m bench.gate_smoke worlds|calibration       the second needs the real candles

It does not support the claims of ``make bench-gate``, which need four years and three recipes. Ten
markets of noise of 3,000 hours and ten of skill of 4,000 with six times the pull, one recipe each,
show that the path from candles to a verdict works, that noise does not pass and skill does. The
leaks are complete, on fewer bars; calibration is that of BTC's newest 15,000 bars.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

from bench import gate_calibration, gate_leaks
from bench.gate_world import play

WORLDS = 10
NOISE_HOURS, SKILL_HOURS = 3_000, 4_000
SKILL_EDGE = 6.0
NOISE_SEED, SKILL_SEED = 101, 1
LIMITS: dict[str, object] = {"plausible_sharpe_max": 100.0}
"""Six times the pull gives Sharpe ratios up to 20, which the gate's default takes for a leak."""

RECIPE: dict[str, object] = {"width": 1.5}
BARS = 15_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("worlds", "calibration"))
    what = parser.parse_args().what
    warnings.simplefilter("ignore")
    output = worlds() if what == "worlds" else gate_calibration.run(BARS, ("BTC/USDT",))
    sys.stdout.write(json.dumps(output) + "\n")


def worlds() -> dict[str, Any]:
    """Return the results of the markets, and of the leaks."""
    with tempfile.TemporaryDirectory(prefix="gate_smoke_") as name:
        folder = Path(name)
        noise = [
            play(NOISE_SEED + k, 0.0, folder, NOISE_HOURS, k == 0, [RECIPE]) for k in range(WORLDS)
        ]
        skill = [
            play(SKILL_SEED + k, SKILL_EDGE, folder, SKILL_HOURS, k == 0, [RECIPE], LIMITS)
            for k in range(WORLDS)
        ]
    leaks = gate_leaks.figures(*gate_leaks.run(quick=True))
    return {"noise": noise, "skill": skill, "leaks": leaks}


if __name__ == "__main__":
    main()
