"""Noise and skill: hundreds of worlds before the gate, a line of JSON each, to be taken up again.

    python -m bench.gate_worlds                     what is missing of 200 + 100, two processes
    python -m bench.gate_worlds --noise 10 --skill 10 --fresh --out /tmp/few.jsonl
    python -m bench.gate_worlds --show              only what is there

Two worlds of noise and one of skill take turns, so that what is there is an equal beginning of
both. World ``k`` of a kind has the seed ``SEEDS[kind] + k``.
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
    """Play the worlds that are missing, and append each to ``out`` when it is done."""
    there = {(one["kind"], one["k"]) for one in read(out)}
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
    """Take away a last line that was cut off, so that the next one stands on its own."""
    if out.exists():
        whole = out.read_bytes()
        with out.open("r+b") as lines:
            lines.truncate(whole.rfind(b"\n") + 1)


def read(path: Path) -> list[dict[str, Any]]:
    """Return what is there of this edition, in order; of a world twice there, the newer.

    A last line that was cut off is as good as none: its world is played again.
    """
    if not path.exists():
        return []
    known = {}
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if not line.endswith("\n"):
            break
        one = json.loads(line)
        if one["edition"] == EDITION:
            known[one["kind"], one["k"]] = one
    return [known[key] for key in sorted(known)]


def figures(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the counts of both kinds, as they are written down."""
    kinds = {}
    for kind in SEEDS:
        mine = [one for one in results if one["kind"] == kind]
        if not mine:
            continue
        kinds[kind] = {
            "worlds": len(mine),
            "of": WORLDS[kind],
            "promoted": sum(one["promoted"] for one in mine),
            "promoted_seeds": [one["seed"] for one in mine if one["promoted"]],
            "first_recipe_passed": sum(one["first"] for one in mine),
            "simple": sum(one["simple"] for one in mine),
            "rule_sharpe": _mean(mine, "rule_sharpe"),
            "rule_trades_a_year": _mean(mine, "rule_trades") / 4.0,
            "rule_net_bps": _mean(mine, "rule_net_bps"),
            "sharpe": _mean(mine, "sharpe"),
            "net_bps": _mean(mine, "net_bps"),
            "trades": _mean(mine, "trades"),
            "traded": sum(one["trades"] > 0 for one in mine),
            "days_judged": _mean(mine, "days"),
            "refused_by": dict(
                Counter(
                    name for one in mine if not one["promoted"] for name in one["refused_by"][0]
                ).most_common()
            ),
            "trained_again_alike": sum(
                one["reproduced"] is not None and not any(one["reproduced"]) for one in mine
            ),
            "cpu_seconds": _mean(mine, "cpu_seconds"),
            "commits": sorted({one["commit"] for one in mine}),
        }
    return kinds


def met(results: list[dict[str, Any]]) -> bool:
    """Return whether all worlds are there and as many were promoted as should be."""
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
    known = [one[name] for one in results if one[name] is not None]
    return round(fmean(known), 4) if known else 0.0


def _in_turn(wanted: dict[str, int]) -> Iterator[tuple[str, int]]:
    """Yield two worlds of noise and one of skill, in turn, until there are as many as wanted."""
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


def _sentence(one: dict[str, Any]) -> str:
    said = "promoted" if one["promoted"] else f"refused ({', '.join(one['refused_by'][0][:4])})"
    return f"{one['kind']} {one['k']}: {said}, Sharpe {one['sharpe']}, {one['seconds']:.0f} s"


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
