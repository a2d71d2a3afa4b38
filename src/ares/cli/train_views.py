"""What ``ares train`` shows: the evidence of packages and ensembles, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ares.cli.computed import WALK_FORWARD
from ares.cli.output import count, note, number, percent, print_table, say, some

if TYPE_CHECKING:
    from ares.learn.evaluate import OosMetrics
    from ares.runtime.training.report import (
        EnsembleReport,
        MissingPackage,
        PackageReport,
        TrainingReport,
    )

EVIDENCE = (
    "accuracy / base",
    "Brier skill",
    "cal. error / limit",
    "trades",
    "won",
    "net bps",
    "in all",
)
FOOTER = (
    f"Out of sample, {WALK_FORWARD}. base: accuracy of always predicting the more frequent "
    "outcome. Brier skill: against always predicting the base rate. limit: what a "
    "perfectly calibrated model's error stays under 19 times of 20. net: of a trade, after costs."
)


def show_training(report: TrainingReport) -> None:
    """Print the evidence of a training, the sentences last."""
    _show_packages(report.packages)
    _show_thresholds(report.packages)
    _show_ensembles(report.ensembles)
    _show_missing(report.missing)
    for ensemble in report.ensembles:
        say(f"{ensemble.instrument}: {ensemble.sentence}")
    if report.packages:
        packages = some(len(report.packages), "package")
        ensembles = some(len(report.ensembles), "ensemble")
        say(f"{packages} and {ensembles}: candidates now: `ares models list`, `ares backtest`")


def _show_packages(packages: Sequence[PackageReport]) -> None:
    if packages:
        rows = [(p.name, count(p.rows), *evidence(p.metrics)) for p in packages]
        print_table(("package", "rows", *EVIDENCE), rows, title="Packages", footer=FOOTER)


def _show_thresholds(packages: Sequence[PackageReport]) -> None:
    """Print the result of each threshold that any signal was above."""
    rows = [
        (
            package.name,
            f"edge > {t.value:g} bps" if t.kind == "edge_bps" else f"p > {t.value:g}",
            number(t.signals_per_day, 1),
            count(t.trades),
            percent(t.hit_rate, 0),
            number(t.net_bps, 1),
        )
        for package in packages
        for t in package.metrics.thresholds
        if t.signals
    ]
    columns = ("package", "trade when", "signals a day", "trades", "won", "net bps")
    without = [p.name for p in packages if not any(t.signals for t in p.metrics.thresholds)]
    footer = f"No signal above any threshold: {', '.join(without)}." if without else ""
    if rows:
        print_table(columns, rows, title="Results by threshold, out of sample", footer=footer)
    elif footer:
        say(footer)


def _show_ensembles(ensembles: Sequence[EnsembleReport]) -> None:
    if not ensembles:
        return
    rows = [(e.instrument, count(e.metrics.rows), *evidence(e.metrics)) for e in ensembles]
    print_table(
        ("ensemble", "decisions", *EVIDENCE), rows, title="Ensembles", footer=f"{WALK_FORWARD}."
    )
    for ensemble in ensembles:
        weights = " ".join(f"{name} {weight:.2f}" for name, weight in ensemble.weights.items())
        say(
            f"{ensemble.instrument}  {ensemble.hash[:12]}: weights {weights}; trades by "
            f"{ensemble.anchor}; "
            f"p = sigmoid({ensemble.platt_a:.2f} logit(mean) {ensemble.platt_b:+.2f})"
        )


def _show_missing(missing: Sequence[MissingPackage]) -> None:
    for package in missing:
        say(f"{'failed' if package.failed else 'skipped'}: {package.subject}: {package.reason}")
    if any(not p.failed and not p.subject.endswith("ensemble") for p in missing):
        note("the weight of a skipped timeframe is shared among the others")


def evidence(metrics: OosMetrics) -> tuple[str, ...]:
    """Return the cells under ``EVIDENCE``."""
    return (
        f"{percent(metrics.accuracy, 1)} / {percent(metrics.accuracy_base, 1)}",
        percent(metrics.brier_skill, 2),
        f"{metrics.calibration_error:.3f} / {metrics.calibration_limit:.3f}",
        count(metrics.trades),
        percent(metrics.hit_rate, 0),
        number(metrics.net_bps, 1),
        percent(metrics.net_total_bps / 1e4, 1) if metrics.trades else "–",
    )
