"""What ``ares train`` shows: the evidence of packages and ensembles, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

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
    "cal. error / luck",
    "trades",
    "won",
    "net bps",
    "in all",
)
FOOTER = (
    "Out of sample. base: accuracy of always naming the more frequent outcome. Brier skill: "
    "against always saying the base rate. luck: what a perfectly calibrated model's error stays "
    "under 19 times of 20. net: of a trade, after costs, one trade after the other."
)


def show_training(report: TrainingReport) -> None:
    """Print everything that a training has to say, the plain sentences last."""
    _show_pairs(report.pairs)
    _show_thresholds(report.pairs)
    _show_ensembles(report.ensembles)
    _show_missing(report.missing)
    for one in report.ensembles:
        say(f"{one.instrument}: {one.sentence}")
    if report.pairs:
        say(
            f"{some(len(report.pairs), 'package')} and {some(len(report.ensembles), 'ensemble')}: "
            "candidates now: `ares models list`, `ares backtest`"
        )


def _show_pairs(pairs: Sequence[PackageReport]) -> None:
    if pairs:
        rows = [(one.name, count(one.rows), *evidence(one.metrics)) for one in pairs]
        print_table(("package", "rows", *EVIDENCE), rows, title="Packages", footer=FOOTER)


def _show_thresholds(pairs: Sequence[PackageReport]) -> None:
    """Print what each threshold would have meant, where there was any signal above it."""
    rows = [
        (
            one.name,
            f"edge > {t.value:g} bps" if t.kind == "edge_bps" else f"p > {t.value:g}",
            number(t.signals_per_day, 1),
            count(t.trades),
            percent(t.hit_rate, 0),
            number(t.net_bps, 1),
        )
        for one in pairs
        for t in one.metrics.thresholds
        if t.signals
    ]
    columns = ("package", "trade when", "signals a day", "trades", "won", "net bps")
    mute = [one.name for one in pairs if not any(t.signals for t in one.metrics.thresholds)]
    footer = f"No signal above any threshold: {', '.join(mute)}." if mute else ""
    if rows:
        print_table(
            columns, rows, title="What thresholds would have meant, out of sample", footer=footer
        )
    elif footer:
        say(footer)


def _show_ensembles(ensembles: Sequence[EnsembleReport]) -> None:
    if not ensembles:
        return
    rows = [(one.instrument, count(one.metrics.rows), *evidence(one.metrics)) for one in ensembles]
    print_table(("ensemble", "judged", *EVIDENCE), rows, title="Ensembles")
    for one in ensembles:
        weights = " ".join(f"{name} {weight:.2f}" for name, weight in one.weights.items())
        say(
            f"{one.instrument}  {one.hash[:12]}: weights {weights}; trades by {one.anchor}; "
            f"p = sigmoid({one.platt_a:.2f} logit(mean) {one.platt_b:+.2f})"
        )


def _show_missing(missing: Sequence[MissingPackage]) -> None:
    for one in missing:
        say(f"{'failed' if one.failed else 'left out'}: {one.subject}: {one.reason}")
    out = [one for one in missing if not one.failed and not one.subject.endswith("ensemble")]
    if out:
        note("the weight of a timeframe that is left out is shared among the others")


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
