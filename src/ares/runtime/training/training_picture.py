"""From the evidence of a training to the plain values of its picture."""

from __future__ import annotations

import numpy as np

from ares.adapters.training_plot import (
    EquityPlot,
    LearningCurvePlot,
    ReliabilityPlot,
    ThresholdLine,
    TrainingPlot,
    draw_training,
)
from ares.domain.utc import utc_day
from ares.learn.evaluate import OosMetrics, Threshold, sentence, shows_edge
from ares.learn.package import TrainingEvidence


def training_picture(evidence: TrainingEvidence) -> bytes:
    """Return ``training.png`` of a package; the same evidence gives the same bytes."""
    return draw_training(plot_of(evidence))


def plot_of(evidence: TrainingEvidence) -> TrainingPlot:
    """Return what the picture of this evidence shows."""
    metrics, curve, held = evidence.metrics, evidence.curve, evidence.held
    bins = metrics.reliability
    emphasis = "edge" if shows_edge(metrics) else "no_edge"
    strategy = evidence.recipe.strategy
    named = () if strategy is None else (strategy.name,)
    return TrainingPlot(
        title="  ".join((" + ".join(evidence.instruments), evidence.recipe.timeframe, *named)),
        headline=sentence(metrics),
        emphasis="no_trades" if metrics.net_bps is None else emphasis,
        about=_about(evidence),
        curve=None
        if strategy is not None
        else LearningCurvePlot(curve.fitted, curve.stopping, curve.stopping_base, curve.epochs),
        reliability=ReliabilityPlot(
            predicted=np.array([b.predicted for b in bins]),
            observed=np.array([b.observed for b in bins]),
            rows=np.array([b.rows for b in bins], np.float64),
            base_rate=metrics.base_rate,
            overlap=metrics.overlap,
            p=evidence.p,
        ),
        equity=EquityPlot(
            model_ms=evidence.traded.ts_ms,
            model=evidence.traded.value,
            held_ms=None if held is None else held.ts_ms,
            held=None if held is None else held.value,
            trades=metrics.trades,
            edge_bps_min=metrics.edge_bps_min,
        ),
        metrics=_metrics(metrics),
        thresholds=tuple(_line(row, metrics.edge_bps_min) for row in metrics.thresholds),
        importance=evidence.importance,
    )


def _about(evidence: TrainingEvidence) -> str:
    recipe, label = evidence.recipe, evidence.recipe.label
    return (
        f"trained on {evidence.rows:,} rows, {_period(*evidence.trained_ms)}"
        f" · evaluated {_period(*evidence.evaluated_ms)} · trade: {label.kind.replace('_', ' ')}, "
        f"at most {label.horizon_bars} bars, {label.cost_bps:.1f} bps of costs"
        f" · recipe {recipe.hash[:8]}"
    )


def _period(from_ms: int, to_ms: int) -> str:
    return f"{utc_day(from_ms)} to {utc_day(to_ms)}"


def _metrics(metrics: OosMetrics) -> tuple[tuple[str, str], ...]:
    skill, held = metrics.brier_skill, metrics.buy_hold_bps
    return (
        ("decisions", f"{metrics.rows:,}"),
        ("days", f"{metrics.days:.0f}"),
        ("accuracy", f"{metrics.accuracy:.1%}"),
        ("  of the majority class", f"{metrics.accuracy_base:.1%}"),
        ("Brier score", f"{metrics.brier:.4f}"),
        ("  skill over base rate", "–" if skill is None else f"{skill:+.2%}"),
        ("calibration error", f"{metrics.calibration_error:.3f}"),
        ("  limit (chance, 95%)", f"{metrics.calibration_limit:.3f}"),
        ("area under ROC", "–" if metrics.auc is None else f"{metrics.auc:.3f}"),
        ("trades", f"{metrics.trades:,}"),
        ("  won", "–" if metrics.hit_rate is None else f"{metrics.hit_rate:.1%}"),
        ("  mean net return", "–" if metrics.net_bps is None else f"{metrics.net_bps:+.1f} bps"),
        ("  total net return", f"{metrics.net_total_bps / 100:+.1f}%"),
        ("buy and hold", "–" if held is None else f"{held / 100:+.1f}%"),
    )


def _line(row: Threshold, edge_bps_min: float) -> ThresholdLine:
    edge = row.kind == "edge_bps"
    return ThresholdLine(
        cells=(
            f"edge > {row.value:g} bps" if edge else f"p > {row.value:.2f}",
            f"{row.signals_per_day:,.1f}",
            f"{row.trades:,}",
            "–" if row.hit_rate is None else f"{row.hit_rate:.0%}",
            "–" if row.net_bps is None else f"{row.net_bps:+.1f}",
        ),
        net_bps=row.net_bps,
        chosen=edge and row.value == edge_bps_min,
    )
