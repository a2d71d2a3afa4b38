"""Measures a row: fresh processes in turn, one at a time on the machine, and their medians."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bench.bars import ROOT

PROCESS_SECONDS_MAX = 300.0


@dataclass(frozen=True)
class Contender:
    """One program of a row; ``figures`` converts the JSON line that it prints to numbers.

    argv    : builds the command (when it is needed, since it may have to make the input first).
    primed  : run once before, unrecorded, so that nothing is compiled while timed.
    """

    name: str
    argv: Callable[[], list[str]]
    figures: Callable[[dict[str, Any]], dict[str, float]]
    primed: bool = True


@dataclass(frozen=True)
class Limit:
    """The limit of a figure of Ares: at least, or at most, a number or another's figure.

    times : so many times the other's figure.
    """

    figure: str
    title: str
    unit: str
    at_least: float | None = None
    at_most: float | None = None
    at_least_peer: str | None = None
    at_most_peer: str | None = None
    times: float = 1.0


@dataclass(frozen=True)
class Row:
    """A row of the table of numbers to hold; the first contender is Ares."""

    key: str
    title: str
    contenders: tuple[Contender, ...]
    limits: tuple[Limit, ...]
    processes: int = 3
    ratio_of: str | None = None
    notes: str = ""


@dataclass
class Samples:
    """The outputs of the processes of one contender."""

    output: list[dict[str, Any]] = field(default_factory=list)
    figures: list[dict[str, float]] = field(default_factory=list)

    def median(self, name: str) -> float:
        """Return the median of a figure over the processes."""
        return statistics.median(each[name] for each in self.figures)

    def spread(self, name: str) -> tuple[float, float]:
        """Return the minimum and the maximum of a figure."""
        values = [each[name] for each in self.figures]
        return min(values), max(values)


class RowFailedError(RuntimeError):
    """A program of a row failed."""


def measure(row: Row, processes: int, until: float, say: Callable[[str], None]) -> dict[str, Any]:
    """Return the row's result; raise RowFailedError where a program fails.

    processes : number per contender, in turn.
    until     : ``time.perf_counter()`` after which no further turn begins; there is always one.
    """
    started = time.perf_counter()
    load_max = 0.0
    samples = {contender.name: Samples() for contender in row.contenders}
    for contender in row.contenders:
        if contender.primed:
            say(f"{row.key}: {contender.name}, once unrecorded")
            json_output(contender.name, contender.argv())
    for turn in range(processes):
        if turn > 0 and time.perf_counter() > until:
            break
        for contender in row.contenders:
            say(f"{row.key}: {contender.name}, {turn + 1} of {processes}")
            load_max = max(load_max, os.getloadavg()[0])
            output = json_output(contender.name, contender.argv())
            samples[contender.name].output.append(output)
            samples[contender.name].figures.append(contender.figures(output))
    return {
        "title": row.title,
        "processes": len(samples[row.contenders[0].name].output),
        "seconds": round(time.perf_counter() - started, 1),
        "load_average_max": round(load_max, 2),
        "notes": row.notes,
        "limits": [_judged(limit, row, samples) for limit in row.limits],
        "contenders": {
            name: {
                "median": {key: each.median(key) for key in each.figures[0]},
                "least_and_greatest": {key: each.spread(key) for key in each.figures[0]},
                "output": {
                    key: value for key, value in each.output[-1].items() if key != "figures"
                },
            }
            for name, each in samples.items()
        },
        "ratios": _ratios(row, samples),
    }


def _judged(limit: Limit, row: Row, samples: dict[str, Samples]) -> dict[str, Any]:
    """Return a limit with the measured number."""
    value = samples[row.contenders[0].name].median(limit.figure)
    peer, bound = limit.at_least_peer or limit.at_most_peer, limit.at_least
    is_most = limit.at_most is not None or limit.at_most_peer is not None
    if peer is not None:
        bound = limit.times * samples[peer].median(limit.figure)
    elif limit.at_most is not None:
        bound = limit.at_most
    met = bound is None or (value <= bound if is_most else value >= bound)
    return {
        "figure": limit.figure,
        "title": limit.title,
        "unit": limit.unit,
        "value": value,
        "bound": bound,
        "direction": "at most" if is_most else "at least",
        "bound_of": peer if limit.times == 1.0 else f"{limit.times:g} x {peer}",
        "met": met,
    }


def _ratios(row: Row, samples: dict[str, Samples]) -> dict[str, float]:
    """Return how many times faster Ares is than each other contender."""
    if row.ratio_of is None:
        return {}
    ares = samples[row.contenders[0].name].median(row.ratio_of)
    return {
        other.name: ares / samples[other.name].median(row.ratio_of) for other in row.contenders[1:]
    }


def json_output(name: str, command: list[str]) -> dict[str, Any]:
    """Return the JSON on the last line of a fresh process's output, or raise RowFailedError."""
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=PROCESS_SECONDS_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise RowFailedError(f"{name} took over {PROCESS_SECONDS_MAX:.0f} s") from late
    except OSError as missing:
        raise RowFailedError(f"{name}: {missing}") from missing
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
        raise RowFailedError(f"{name} ended with code {done.returncode}: {last}")
    output: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return output


def environment() -> dict[str, str]:
    """Return the environment of a measured process: caches on, one thread per library."""
    env = {**os.environ}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    for name in (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMBA_NUM_THREADS",
    ):
        env[name] = "1"
    return env | {
        "ORT_DISABLE_TELEMETRY": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "RAY_USAGE_STATS_ENABLED": "0",
        "PYTHONHASHSEED": "0",
    }
