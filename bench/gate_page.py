"""Results of the gate's benchmark, as a table for the terminal and a section of the docs."""

from __future__ import annotations

from typing import Any

Results = dict[str, Any]


def section(results: Results) -> tuple[str, str]:
    """Return the table for the terminal, and the section of the page."""
    rows: list[tuple[str, str, str, bool | None]] = []
    details: list[str] = []
    _worlds(results.get("noise_and_skill", {}), rows, details)
    _peeking(results.get("peeking", {}), rows)
    _leaks(results.get("leaks", {}), rows, details)
    _calibration(results.get("calibration", {}), rows, details)
    _retraining(results.get("retraining", {}), rows)
    text = [f"{'what':<58} {'measured':<34} {'required':<22}"]
    page = ["| what | measured | required | |", "|---|---|---|---|"]
    for what, measured, limit, met in rows:
        word = {True: "met", False: "MISSED", None: ""}[met]
        text.append(f"{what:<58} {measured:<34} {limit:<22} {word}")
        page.append(f"| {what} | {measured} | {limit} | {word} |")
    for name, result in results.items():
        if "measured" in result:
            machine = result["machine"]
            did = "counted" if "kinds" in result else "measured"
            details.append(
                f"- {name}: {did} {result['measured']} at commit {_commits(result)}, "
                f"{machine['processor']}, {machine['cores']} cores"
                + (
                    f", load average up to {result['load_average_max']}"
                    if "load_average_max" in result
                    else ""
                )
                + "."
            )
    return "\n".join([*text, "", *details, ""]), "\n".join([*page, "", *details, ""])


def _worlds(result: Results, rows: list[Any], details: list[str]) -> None:
    for kind, seen in result.get("kinds", {}).items():
        whole = seen["worlds"] >= seen["of"]
        noise = kind == "noise"
        good = seen["promoted"] <= 1 if noise else seen["promoted"] >= 90
        rows.append(
            (
                "noise markets promoted" if noise else "skill markets promoted",
                f"{seen['promoted']} of {seen['worlds']}",
                "at most 1 of 200" if noise else "at least 90 of 100",
                good if whole else None,
            )
        )
        rows.append((f"  the same under the rule `simple` ({kind})", f"{seen['simple']}", "", None))
        details.append(
            f"- {kind}: the rule that knows the truth has a Sharpe ratio of "
            f"{seen['rule_sharpe']:.2f} a year "
            f"after costs ({seen['rule_trades_a_year']:.0f} trades a year of "
            f"{seen['rule_net_bps']:.1f} bps net), the {seen['traded']} chosen ensembles that "
            f"traded at all {seen['sharpe']:.2f} over {seen['days_judged']:.0f} days out of sample "
            f"({seen['trades']:.1f} trades a market, of {seen['net_bps']:.1f} bps "
            "net). First recipe "
            f"passed: {seen['first_recipe_passed']}. Refused by: {_counted(seen['refused_by'])}. "
            f"Reproduced byte for byte: {seen['trained_again_alike']}. "
            f"{seen['cpu_seconds']:.1f} s of CPU time a market."
        )


def _peeking(result: Results, rows: list[Any]) -> None:
    for world in result.get("worlds", []):
        found = world["edges"]["0.05"]["found_share"]
        rows.append(
            (
                f"peeking, {world['title']}: false alarms among equals",
                f"{world['declared_share']:.2%} of {result['pairs']:,}",
                "at most 5%",
                world["declared_share"] <= 0.05,
            )
        )
        rows.append(
            (
                "  found at 0.05 sd within 8,000 trades",
                f"{found:.1%}",
                "at least 90%",
                found >= 0.90,
            )
        )


def _leaks(result: Results, rows: list[Any], details: list[str]) -> None:
    if not result:
        return
    caught, planted = result["caught"], result["planted"]
    alarms = sum(result["alarms_on_shipped"].values())
    rows.append(
        (
            "planted leaks caught",
            f"{caught} of {planted}",
            "all of 20 or more",
            caught == planted >= 20,
        )
    )
    rows.append(("false alarms on the shipped features", f"{alarms}", "0", alarms == 0))
    details.append(f"- leaks planted: {'; '.join(result['names'])}.")


def _calibration(result: Results, rows: list[Any], details: list[str]) -> None:
    for row in result.get("ensembles", []):
        error, skill = row["calibration_error"], row["brier_skill"]
        rows.append(
            (
                f"calibration error, {row['instrument']} 5m",
                f"{error:.4f}",
                "at most 0.03",
                error <= 0.03,
            )
        )
        rows.append(("  its Brier skill", f"{skill:+.2%}", "above 0", skill > 0.0))
        bins = " · ".join(f"{b['predicted']:.3f}/{b['observed']:.3f}" for b in row["reliability"])
        details.append(
            f"- {row['instrument']} 5m, predicted/observed in deciles of "
            f"{row['rows']:,} rows: {bins} "
            f"(base rate {row['base_rate']:.3f}; error of a perfectly calibrated model: "
            f"{row['calibration_limit']:.4f})."
        )


def _retraining(result: Results, rows: list[Any]) -> None:
    for limit in result.get("limits", []):
        rows.append(
            (
                f"retraining: {limit['title']}",
                f"{limit['value']:.2f} {limit['unit']}",
                f"at most {limit['bound']:g} {limit['unit']}",
                limit["met"],
            )
        )
    median = result.get("contenders", {}).get("ares", {}).get("median", {})
    if median:
        cpu_seconds = f"{median['one_cpu_s']:.2f} s and {median['with_verdict_cpu_s']:.2f} s"
        rows.append(("  CPU time (one model; with verdict)", cpu_seconds, "", None))


def _commits(result: Results) -> str:
    """Return the commit that was measured; of worlds, those that their lines name."""
    worlds = {row for kind in result.get("kinds", {}).values() for row in kind["commits"]}
    if not worlds:
        return str(result["commit"])
    return f"{result['commit']}, run at commit {' and '.join(sorted(worlds))}"


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {n}" for name, n in counts.items()) or "none"
