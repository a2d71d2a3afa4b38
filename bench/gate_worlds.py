"""Noise and skill: hundreds of synthetic markets through the gate, one line of JSON each.

    python -m bench.gate_worlds                     what is missing of 200 + 100, two processes
    python -m bench.gate_worlds --noise 10 --skill 10 --fresh --out /tmp/few.jsonl
    python -m bench.gate_worlds --show              only the results so far

Two markets of noise and one of skill alternate, so that an interrupted run has equal shares of
both. Market ``k`` of a kind has the seed ``SEEDS[kind] + k``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

from ares.adapters.worker_pool import Task, TaskFailed, WorkerPool
from bench.bars import ROOT
from bench.machine import commit

EDITION = 2
"""Raised by hand when something changes what a world comes to; other editions' lines are left."""

SEEDS = {"noise": 10_000, "skill": 20_000}
EDGES = {"noise": 0.0, "skill": 1.0}
WORLDS = {"noise": 200, "skill": 100}
NOISE_MAX = 1
SKILL_MIN = 90
AGAIN = 2
"""So many worlds of each kind are trained again for their validation (see ``gate_world``)."""

RESULTS = ROOT / "bench" / "gate_worlds.jsonl"
NICE = 5


def main() -> int:
    args = _arguments()
    if args.fresh:
        args.out.unlink(missing_ok=True)
    if not args.show:
        run(args.out, {"noise": args.noise, "skill": args.skill}, args.processes)
    results = read(args.out)
    sys.stdout.write(table(results))
    return 0 if met(results) else 1


def run(out: Path, wanted: dict[str, int], processes: int) -> None:
    """Run the markets that are missing, and append each to ``out`` when it is finished."""
    there = {(result["kind"], result["k"]) for result in read(out)}
    missing = [key for key in _in_turn(wanted) if key not in there]
    if not missing:
        return
    _without_rest(out)
    with (
        tempfile.TemporaryDirectory(prefix="gate_worlds_") as folder,
        WorkerPool(processes, nice=NICE) as pool,
        out.open("a", encoding="utf-8") as lines,
    ):
        tasks = [Task(f"{kind} {k}", _play, (folder, kind, k)) for kind, k in missing]
        for done, (task, result) in enumerate(pool.run(tasks), 1):
            if isinstance(result, TaskFailed):
                raise SystemExit(f"world {task.label}: {result.error}")
            lines.write(json.dumps(result) + "\n")
            lines.flush()
            _say(f"{done} of {len(missing)}: {_sentence(result)}")


def _without_rest(out: Path) -> None:
    """Remove an incomplete last line."""
    if out.exists():
        whole = out.read_bytes()
        with out.open("r+b") as lines:
            lines.truncate(whole.rfind(b"\n") + 1)


def read(path: Path) -> list[dict[str, Any]]:
    """Return the results of this edition, in order; of a market that is there twice, the newer.

    An incomplete last line is ignored: its market is run again.
    """
    if not path.exists():
        return []
    known = {}
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if not line.endswith("\n"):
            break
        result = json.loads(line)
        if result["edition"] == EDITION:
            known[result["kind"], result["k"]] = result
    return [known[key] for key in sorted(known)]


def figures(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the counts of both kinds, as they are stored."""
    kinds = {}
    for kind in SEEDS:
        rows = [result for result in results if result["kind"] == kind]
        if not rows:
            continue
        kinds[kind] = {
            "worlds": len(rows),
            "of": WORLDS[kind],
            "promoted": sum(result["promoted"] for result in rows),
            "promoted_seeds": [result["seed"] for result in rows if result["promoted"]],
            "first_recipe_passed": sum(result["first"] for result in rows),
            "simple": sum(result["simple"] for result in rows),
            "rule_sharpe": _mean(rows, "rule_sharpe"),
            "rule_trades_a_year": _mean(rows, "rule_trades") / 4.0,
            "rule_net_bps": _mean(rows, "rule_net_bps"),
            "sharpe": _mean(rows, "sharpe"),
            "net_bps": _mean(rows, "net_bps"),
            "trades": _mean(rows, "trades"),
            "traded": sum(result["trades"] > 0 for result in rows),
            "days_judged": _mean(rows, "days"),
            "refused_by": dict(
                Counter(
                    name
                    for result in rows
                    if not result["promoted"]
                    for name in result["refused_by"][0]
                ).most_common()
            ),
            "trained_again_alike": sum(
                result["reproduced"] is not None and not any(result["reproduced"])
                for result in rows
            ),
            "cpu_seconds": _mean(rows, "cpu_seconds"),
            "commits": sorted({result["commit"] for result in rows}),
        }
    return kinds


def met(results: list[dict[str, Any]]) -> bool:
    """Return whether all markets are there and the limits hold."""
    kinds = figures(results)
    whole = all(kind in kinds and kinds[kind]["worlds"] >= WORLDS[kind] for kind in SEEDS)
    return (
        whole
        and kinds["noise"]["promoted"] <= NOISE_MAX
        and kinds["skill"]["promoted"] >= SKILL_MIN
    )


def table(results: list[dict[str, Any]]) -> str:
    """Return the counts for the terminal."""
    lines = []
    for kind, seen in figures(results).items():
        limit = f"at most {NOISE_MAX}" if kind == "noise" else f"at least {SKILL_MIN}"
        lines += [
            f"{kind}: {seen['promoted']} promoted of {seen['worlds']} worlds "
            f"(asked: {limit} of {seen['of']}); under the rule simple {seen['simple']}",
            f"  first recipe tried {seen['first_recipe_passed']}; the rule that knows: Sharpe "
            f"{seen['rule_sharpe']:.2f}, {seen['rule_trades_a_year']:.0f} trades a year of "
            f"{seen['rule_net_bps']:.1f} bps net",
            f"  the model: Sharpe {seen['sharpe']:.2f}, {seen['trades']:.0f} trades of "
            f"{seen['net_bps']:.1f} bps net in {seen['days_judged']:.0f} days out of sample",
            f"  refused by (best recipe): {_counted(seen['refused_by'])}",
            f"  trained again to the byte: {seen['trained_again_alike']}; "
            f"{seen['cpu_seconds']:.1f} s of processor a world",
        ]
    return "\n".join([*lines, ""])


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {n}" for name, n in counts.items()) or "none"


def _mean(results: list[dict[str, Any]], name: str) -> float:
    known = [result[name] for result in results if result[name] is not None]
    return round(fmean(known), 4) if known else 0.0


def _in_turn(wanted: dict[str, int]) -> Iterator[tuple[str, int]]:
    """Yield two markets of noise and one of skill, in turn, up to the numbers wanted."""
    for turn in range(max((wanted["noise"] + 1) // 2, wanted["skill"])):
        for k in (2 * turn, 2 * turn + 1):
            if k < wanted["noise"]:
                yield "noise", k
        if turn < wanted["skill"]:
            yield "skill", turn


_OWN: list[Path] = []
"""The folder of this process, once it has one."""


def _play(job: tuple[str, str, int]) -> dict[str, Any]:
    from ares.sim.hours import HOURS
    from bench.gate_world import play

    folder, kind, k = job
    if not _OWN:
        warnings.simplefilter("ignore")
        _OWN.append(Path(tempfile.mkdtemp(dir=folder)))
    result = play(SEEDS[kind] + k, EDGES[kind], _OWN[0], HOURS, again=k < AGAIN)
    return {"edition": EDITION, "kind": kind, "k": k, **result, "commit": commit()}


def _sentence(result: dict[str, Any]) -> str:
    outcome = (
        "promoted" if result["promoted"] else f"refused ({', '.join(result['refused_by'][0][:4])})"
    )
    name, sharpe = f"{result['kind']} {result['k']}", result["sharpe"]
    return f"{name}: {outcome}, Sharpe {sharpe}, {result['seconds']:.0f} s"


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--noise", type=int, default=WORLDS["noise"])
    parser.add_argument("--skill", type=int, default=WORLDS["skill"])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--fresh", action="store_true", help="throw away what is there")
    parser.add_argument("--show", action="store_true", help="only print what is there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
