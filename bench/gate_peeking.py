"""Peeking is allowed: pairs of equal skill, with the anytime-valid test read after every step.

    python -m bench.gate_peeking                    all pairs; the table, and a JSON file
    python -m bench.gate_peeking --pairs 10 --json  a short run; JSON on standard output, no file

For each kind of difference between a challenger and a champion: how many of the pairs without a
difference in skill are ever declared better within 10,000 steps (at most 5% may be), and how many
with one are found within 8,000 (at 0.05 standard deviations a step, 90% must be). Every pair has
its own seed, ``[SEED, world, pair]``, so that a smaller run is the beginning of a larger one.

All differences have a standard deviation of 1 (printed as measured) and a hard bound, as with a
stop; they are cut on both sides, or the mean after the cut is known exactly, so that equal skill is
a mean of exactly 0. The test's first estimate of the standard deviation is wrong by a factor of up
to 2 either way. The result of a z-test with the same peeking is listed for comparison.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr

from ares.kernel.bars import F64
from ares.kernel.jit import allocating, njit
from ares.learn.gate.e_process import new_e_processes, scan, state_of
from bench.bars import ROOT
from bench.machine import commit, machine

SEED = 20261003
PAIRS = 2_000
STEPS = 10_000
STEPS_FOUND = 8_000
ALPHA = 0.05
FALSE_MAX = 0.05
FOUND_MIN = 0.90
EDGES_SDS = (0.05, 0.1, 0.2)
RESULTS = ROOT / "bench" / "gate_peeking.json"

Draw = Callable[[np.random.Generator, int], F64]


@dataclass(frozen=True)
class World:
    """One kind of difference: how ``n`` of them are drawn, and the largest loss, in its sd."""

    name: str
    title: str
    bound: float
    draw: Draw


@dataclass
class Tally:
    """The results of the pairs of one world.

    declared : steps at which equals were declared better; found: by edge, when it was found.
    naive    : equals that a z-test declared better.
    largest, squares : largest loss, and the mean square of the differences of equals.
    """

    declared: list[int]
    naive: int
    found: dict[float, list[int]]
    largest: float
    squares: float


def main() -> int:
    args = _arguments()
    started = time.perf_counter()
    worlds = []
    for index, world in enumerate(WORLDS):
        worlds.append(_figures(world, _played(index, world, args.pairs), args.pairs))
    met = all(
        world["declared_share"] <= FALSE_MAX and world["edges"]["0.05"]["found_share"] >= FOUND_MIN
        for world in worlds
    )
    result = {
        "seed": SEED,
        "alpha": ALPHA,
        "pairs": args.pairs,
        "steps": STEPS,
        "steps_found": STEPS_FOUND,
        "met": met,
        "worlds": worlds,
        "seconds": round(time.perf_counter() - started, 1),
        "commit": commit(),
        "machine": machine(),
    }
    written = json.dumps(result, indent=2) + "\n"
    if args.json:
        sys.stdout.write(written)
        return 0 if met else 1
    sys.stdout.write(_table(result))
    if args.pairs == PAIRS:
        unfinished = RESULTS.with_suffix(".tmp")
        unfinished.write_text(written)
        unfinished.replace(RESULTS)
    return 0 if met else 1


def _played(index: int, world: World, pairs: int) -> Tally:
    """Return the test's result for every pair of a world."""
    tally = Tally([], 0, {edge: [] for edge in EDGES_SDS}, 0.0, 0.0)
    log_e = np.empty(STEPS)
    for pair in range(pairs):
        chance = np.random.default_rng([SEED, index, pair])
        sd_guess = 2.0 ** chance.uniform(-1.0, 1.0)
        equal = world.draw(chance, STEPS)
        tally.naive += _naive(equal)
        tally.largest = max(tally.largest, float(-equal.min()))
        tally.squares += float(equal @ equal) / STEPS / pairs
        for edge in (0.0, *EDGES_SDS):
            n = STEPS if edge == 0.0 else STEPS_FOUND
            state = new_e_processes(1, alpha=ALPHA, bound=world.bound, sd_guess=sd_guess)
            scan(state, 0, equal[:n] + edge, log_e[:n])
            step = state_of(state).crossed_step
            if step is not None:
                (tally.declared if edge == 0.0 else tally.found[edge]).append(step)
    return tally


@njit
def _naive(differences: F64) -> bool:
    """Return whether mean / (sd / sqrt(n)) is ever above the 95% quantile, from step 50 on."""
    total, squares = 0.0, 0.0
    for i in range(len(differences)):
        total += differences[i]
        squares += differences[i] ** 2
        if i >= 49 and total > 1.6449 * math.sqrt(squares):
            return True
    return False


def _figures(world: World, tally: Tally, pairs: int) -> dict[str, Any]:
    return {
        "name": world.name,
        "title": world.title,
        "bound_sds": world.bound,
        "largest_loss_sds": tally.largest,
        "sd": round(math.sqrt(tally.squares), 4),
        "declared": len(tally.declared),
        "declared_share": len(tally.declared) / pairs,
        "naive_share": tally.naive / pairs,
        "edges": {
            f"{edge:g}": {
                "found_share": len(steps) / pairs,
                # the middle of all pairs: those that were not found come after all others
                "median_steps": sorted(steps)[pairs // 2] if len(steps) > pairs // 2 else None,
            }
            for edge, steps in tally.found.items()
        },
    }


def _table(result: dict[str, Any]) -> str:
    lines = [
        f"{result['pairs']} pairs of each kind, read after every step, alpha {ALPHA}, seed {SEED}",
        "",
        f"{'differences':<42}{'sd':>6}{'bound':>7}{'false':>8}{'z-test':>8}"
        + "".join(f"{f'found at {edge:g} sd':>18}" for edge in EDGES_SDS),
    ]
    for world in result["worlds"]:
        found = "".join(
            f"{edge['found_share']:>11.1%} {edge['median_steps'] or '-':>6}"
            for edge in world["edges"].values()
        )
        lines.append(
            f"{world['title']:<42}{world['sd']:>6.2f}{world['bound_sds']:>7.1f}"
            f"{world['declared_share']:>8.2%}{world['naive_share']:>8.1%}{found}"
        )
    lines += [
        "",
        f"false: equals ever declared better within {STEPS:,} steps; at most {FALSE_MAX:.0%}",
        f"z-test: the same by a one-sided z-test at {ALPHA:.0%}, read as often; no limit",
        f"found: within {STEPS_FOUND:,} steps, and the median; at 0.05 sd at least {FOUND_MIN:.0%}",
        f"{'met' if result['met'] else 'NOT MET'}, in {result['seconds']} s",
        "",
    ]
    return "\n".join(lines)


# --- the worlds: mean 0, standard deviation 1, no loss beyond the bound --------------------------

NORMAL_BOUND = 8.0
HEAVY_BOUND = 20.0
HEAVY_SD = 0.9782
"""Of Student's t with 3 degrees of freedom, scaled to 1, after the cut at 20 (by integration)."""

CLUSTERED_SD = 0.98
SKEW_CUT = 20.0
RARE = 1.0 / 1_000.0
RARE_VARIANCE = 0.5
RARE_LOSS = math.sqrt(RARE_VARIANCE * (1.0 - RARE) / RARE)
HELD = 0.1


def _normal(chance: np.random.Generator, n: int) -> F64:
    return np.clip(chance.standard_normal(n), -NORMAL_BOUND, NORMAL_BOUND)


def _heavy(chance: np.random.Generator, n: int) -> F64:
    scale = 1.0 / math.sqrt(3.0) / HEAVY_SD
    return np.clip(chance.standard_t(3, n) * scale, -HEAVY_BOUND, HEAVY_BOUND)


def _clustered(chance: np.random.Generator, n: int) -> F64:
    noise = chance.standard_t(5, n) * math.sqrt(3.0 / 5.0)
    return np.clip(_garch(noise, 0.10, 0.88) / CLUSTERED_SD, -HEAVY_BOUND, HEAVY_BOUND)


@allocating
def _garch(noise: F64, news: float, memory: float) -> F64:
    """Return GARCH(1,1) differences (Bollerslev 1986) of variance 1 from ``(n,)`` unit noise."""
    out = np.empty_like(noise)
    variance = 1.0
    for i in range(len(noise)):
        out[i] = math.sqrt(variance) * noise[i]
        variance = (1.0 - news - memory) + news * out[i] ** 2 + memory * variance
    return out


def _skewed(chance: np.random.Generator, n: int) -> F64:
    """Return losses as a lognormal number cut at SKEW_CUT, centred by its exact mean."""
    mean, sd = _cut_lognormal()
    return (mean - np.minimum(np.exp(chance.standard_normal(n)), SKEW_CUT)) / sd


def _cut_lognormal() -> tuple[float, float]:
    """Return mean and standard deviation of exp(z), cut at SKEW_CUT."""
    cut = math.log(SKEW_CUT)
    above = float(ndtr(-cut))
    mean = math.exp(0.5) * float(ndtr(cut - 1.0)) + SKEW_CUT * above
    square = math.exp(2.0) * float(ndtr(cut - 2.0)) + SKEW_CUT**2 * above
    return mean, math.sqrt(square - mean**2)


def _rare(chance: np.random.Generator, n: int) -> F64:
    """Return small gains and, once in 1,000 steps, a loss of the same total."""
    usual = math.sqrt(1.0 - RARE_VARIANCE) * np.clip(chance.standard_normal(n), -6.0, 6.0)
    lost = chance.random(n) < RARE
    return usual + np.where(lost, -RARE_LOSS, RARE_LOSS * RARE / (1.0 - RARE))


def _mostly_flat(chance: np.random.Generator, n: int) -> F64:
    """Return the differences of accounts that hold the same position in nine of ten bars."""
    apart = chance.random(n) < HELD
    moves = chance.standard_t(5, n) * math.sqrt(3.0 / 5.0 / HELD)
    return np.where(apart, np.clip(moves, -HEAVY_BOUND, HEAVY_BOUND), 0.0)


WORLDS = (
    World("normal", "normal", NORMAL_BOUND, _normal),
    World("heavy", "heavy-tailed (t, 3 degrees)", HEAVY_BOUND, _heavy),
    World("clustered", "clustered (GARCH, t, 5 degrees)", HEAVY_BOUND, _clustered),
    World(
        "skewed",
        "left-skewed (lognormal losses)",
        (SKEW_CUT - _cut_lognormal()[0]) / _cut_lognormal()[1],
        _skewed,
    ),
    World("rare", "rare big losses (22 sd, one step in 1,000)", RARE_LOSS + 6.0, _rare),
    World("mostly_flat", "mostly flat (nine steps in ten)", HEAVY_BOUND, _mostly_flat),
)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
