"""The picture of a verdict, from the result of a validation."""

from __future__ import annotations

from ares.adapters.verdict_plot import EquityCurve, PlotLine, VerdictPlot, draw_verdict
from ares.domain.model import Ensemble
from ares.domain.utc import utc_day
from ares.learn.gate.verdict_text import limit_of, name_of, number_of, sentence_of
from ares.runtime.validation.pipeline import ValidationResult


def picture_of(result: ValidationResult) -> bytes:
    """Return the picture of a verdict as PNG; the same verdict gives the same bytes.

    Raises ValueError where the result has no plots: it came from a worker.
    """
    plots, verdict = result.plots, result.verdict
    if plots is None:
        raise ValueError("the result has no plots to draw")
    return draw_verdict(
        VerdictPlot(
            title=title_of(result.ensemble),
            sentence=sentence_of(verdict, result.evidence),
            about=_about(result),
            passed=verdict.passed,
            lines=[
                PlotLine(name_of(line), number_of(line, line.value), limit_of(line), line.passed)
                for line in verdict.lines
            ],
            curves={
                name: EquityCurve(account.close_ms, account.equity, account.daily, account.sharpe)
                for name, account in plots.accounts.items()
            },
            step_ms=plots.step_ms,
            log_e=plots.log_e,
            log_e_min=plots.log_e_min,
            reliability=[(bin_.predicted, bin_.observed) for bin_ in plots.reliability],
            base_rate=plots.base_rate,
        )
    )


def title_of(ensemble: Ensemble) -> str:
    """Return the title of an ensemble: ``binance:BTC/USDT  1h 4h``."""
    return f"{ensemble.instrument}  {' '.join(member.timeframe for member in ensemble.members)}"


def _about(result: ValidationResult) -> str:
    """Return a line on what was evaluated, and who answers for results above what is plausible."""
    evidence, attestation = result.evidence, result.attestation
    champion = (
        f"champion {evidence.champion_hash[:12]}" if evidence.champion_hash else "no champion"
    )
    recipes = f"{evidence.trials} recipe{'s' if evidence.trials != 1 else ''} tried"
    return (
        f"ensemble {evidence.subject[:12]}"
        f" · out of sample {utc_day(evidence.from_ms)} to {utc_day(evidence.to_ms)}"
        f" · {evidence.decisions:,} decisions · {champion} · {recipes}"
        + ("" if attestation is None else f" · plausible by {attestation.by}")
    )
