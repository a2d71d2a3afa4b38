"""The results as a table on the terminal and as a page of the documentation."""

from __future__ import annotations

from typing import Any

BUSY_ABOVE = 0.5
"""A load average further than this above the number of cores is somebody else's work."""

HEAD = """# Benchmarks

Written by `make bench`; do not edit. Every number is the median over fresh processes; where a peer
is named, its processes take turns with those of Ares in the same run. A floor that is not reached
is shown as missed. The floors are those of the design, section 10.

To repeat: `make bench` (installs the peers into `.bench/`, each in an environment of its own, then
measures for about a quarter of an hour); `python -m bench.run --only trade` for one row. Real
candles are read from `ARES_DATA` (else `../shared/data`); without them a simulated walk is used,
and the page says so. Raw results: `bench/results.json`.
"""
AGREEMENT_HEAD = """
## The same rule, the same answer

SMA 20/100 (long one unit while the fast average is above the slow one at the close, else flat),
fills at the next open, 0.1% a side, cash 1,000,000, no slippage. `off` is the relative distance of
the final equity from a plain loop with the engine's own fill. A position that is open after the
last bar is marked at the last close and pays no closing fee.
"""


def as_text(results: dict[str, Any]) -> str:
    """Return the table for the terminal."""
    lines = [f"{'what':<44} {'measured':>18} {'limit':>24}  "]
    for key, row in results["rows"].items():
        if "failed" in row:
            lines.append(f"{key:<44} FAILED: {row['failed']}")
        for limit in row.get("limits", []):
            verdict = "met" if limit["met"] else "MISSED"
            value = _amount(limit["value"], limit["unit"])
            lines.append(f"{limit['title']:<44} {value:>18} {_bound(limit):>24}  {verdict}")
        for peer, ratio in row.get("ratios", {}).items():
            lines.append(f"{f'    times as fast as {peer}':<44} {_times(ratio):>18}")
        for outcome in row.get("outcomes", []):
            result = f"{outcome['entries']} entries, {outcome['final_equity']:,.5f}"
            verdict = "agrees" if outcome["agrees"] else "DIFFERS"
            lines.append(
                f"{outcome['engine'] + ' ' + outcome['version']:<44} {result:>43}  {verdict}"
            )
        if row.get("reference_holds") is False:
            lines.append("bench/peers/reference.json NO LONGER HOLDS")
    return "\n".join(lines) + "\n"


def as_markdown(results: dict[str, Any], tried: str = "") -> str:
    """Return the page.

    tried : what a person wrote of it: numbers that fall short, and what was tried.
    """
    rows = results["rows"]
    parts = [HEAD, _machine(rows), _limits(rows), tried, _ratios(rows)]
    if "agreement" in rows:
        parts.append(_agreement(rows["agreement"]))
    parts.append(_details(rows))
    return "\n".join(part for part in parts if part)


def _machine(rows: dict[str, Any]) -> str:
    """Return place and time, once for each distinct machine and commit."""
    seen: dict[str, list[str]] = {}
    for key, row in rows.items():
        m = row["machine"]
        where = (
            f"{m['processor']}, {m['cores']} cores, {m['memory_gb']} GB, {m['system']}, "
            f"Python {m['python']}, {m['libraries']}; commit {row['commit']}; {row['candles']}"
        )
        seen.setdefault(where, []).append(f"{key} ({row['measured']})")
    lines = [f"- {where}: {', '.join(keys)}" for where, keys in seen.items()]
    busy = [
        f"{key} ({row['load_average_max']})"
        for key, row in rows.items()
        if row.get("load_average_max", 0.0) > row["machine"]["cores"] + BUSY_ABOVE
    ]
    if busy:
        lines.append(
            "- The machine had other work at the same time (load average above its cores) while "
            f"measuring {', '.join(busy)}: these rows say less than they should; measure again."
        )
    return "## Where and when\n\n" + "\n".join(lines) + "\n"


def _limits(rows: dict[str, Any]) -> str:
    lines = ["## Numbers to hold", "", "| what | measured | limit | |", "|---|---:|---:|---|"]
    for key, row in rows.items():
        if "failed" in row:
            lines.append(f"| {key} | | | **failed**: {row['failed']} |")
        for limit in row.get("limits", []):
            verdict = "met" if limit["met"] else "**missed**"
            value = _amount(limit["value"], limit["unit"])
            lines.append(f"| {limit['title']} | {value} | {_bound(limit)} | {verdict} |")
    return "\n".join(lines) + "\n"


def _ratios(rows: dict[str, Any]) -> str:
    """Return how many times faster Ares is, for each row with peers."""
    parts = []
    for row in rows.values():
        if not row.get("ratios"):
            continue
        lines = [
            f"## Against peers: {row['title']}",
            "",
            "| engine | | Ares is |",
            "|---|---:|---:|",
        ]
        for name, contender in row["contenders"].items():
            speed = _amount(contender["median"]["bars_per_s"], "bars/s")
            ratio = row["ratios"].get(name)
            version = contender["output"].get("version", "")
            times = f"{_times(ratio)} times as fast" if ratio else ""
            lines.append(f"| {f'{name} {version}'.strip()} | {speed} | {times} |")
        parts.append("\n".join([*lines, "", row["notes"]]) + "\n")
    return "\n".join(parts)


def _times(ratio: float) -> str:
    """Return a ratio with a sensible number of digits."""
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:,.0f}"


def _agreement(row: dict[str, Any]) -> str:
    if "failed" in row:
        return f"{AGREEMENT_HEAD}\n**failed**: {row['failed']}\n"
    lines = [
        "| engine | bars | entries | closed | final equity | fill | off |",
        "|---|---:|---:|---:|---:|---|---:|",
    ]
    notes = []
    for outcome in row["outcomes"]:
        off = f"{outcome['off']:.0e}" + ("" if outcome["agrees"] else " **differs**")
        lines.append(
            f"| {outcome['engine']} {outcome['version']} | {outcome['bars']:,} | "
            f"{outcome['entries']:,} | {outcome['trades_closed']:,} | "
            f"{outcome['final_equity']:,.8f} | {outcome['fill']} | {off} |"
        )
        if outcome["notes"]:
            notes.append(f"- {outcome['engine']}: {outcome['notes']}")
    holds = {True: "still holds", False: "**no longer holds**", None: "was not compared"}
    notes.append(f"- `bench/peers/reference.json` {holds[row['reference_holds']]}.")
    return "\n".join([AGREEMENT_HEAD, *lines, "", *notes]) + "\n"


def _details(rows: dict[str, Any]) -> str:
    """Return how each row was measured, and the spread of its processes."""
    lines = [
        "## How far the processes were apart",
        "",
        "| row | program | figure | processes | least | median | greatest | load average |",
        "|---|---|---|---:|---:|---:|---:|---:|",
    ]
    for key, row in rows.items():
        for name, contender in row.get("contenders", {}).items():
            for figure, median in contender["median"].items():
                least, greatest = contender["least_and_greatest"][figure]
                numbers = " | ".join(f"{value:,.4g}" for value in (least, median, greatest))
                lines.append(
                    f"| {key} | {name} | {figure} | {row['processes']} | {numbers} | "
                    f"{row['load_average_max']} |"
                )
    return "\n".join(lines) + "\n"


def _bound(limit: dict[str, Any]) -> str:
    text = f"{limit['direction']} {_amount(limit['bound'], limit['unit'])}"
    return f"{text} ({limit['bound_of']})" if limit["bound_of"] else text


def _amount(value: float, unit: str) -> str:
    """Return a number with its unit.

    >>> _amount(15_300_000.0, "bars/s"), _amount(0.1472, "s")
    ('15.3 M bars/s', '0.147 s')
    """
    for size, letter in ((1e6, " M"), (1e3, " k")):
        if abs(value) >= size:
            return f"{value / size:,.3g}{letter} {unit}"
    return f"{value:.3g} {unit}"
