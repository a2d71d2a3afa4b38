"""Views of the gate: a verdict as a table, two models side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ares.cli.computed import COMPARISON, VERDICT
from ares.cli.output import count, number, percent, print_facts, print_table, say, utc
from ares.learn.gate.verdict_text import limit_of, name_of, number_of, sentence_of

if TYPE_CHECKING:
    from ares.learn.gate.evidence import PerformanceMetrics
    from ares.learn.gate.series_ablation import AblationResult
    from ares.runtime.validation.compare import ComparedEnsemble, EnsembleComparison
    from ares.runtime.validation.pipeline import ValidationResult
    from ares.runtime.validation.verdict_file import SavedVerdict

PASSED = {True: "yes", False: "NO", None: ""}


def show_verdict(result: ValidationResult, saved: SavedVerdict, *, brief: bool = False) -> None:
    """Print the verdict: its lines, then the result as a sentence.

    brief : each line in one row; only what failed is explained, below the table.
    """
    verdict, evidence = result.verdict, result.evidence
    champion = evidence.champion_hash[:12] or "none"
    print_facts(
        {
            "evaluated": f"{utc(evidence.from_ms)} to {utc(evidence.to_ms)}, out of sample, "
            f"{count(evidence.decisions)} decisions",
            **({} if brief else {"computed": VERDICT}),
            "champion": f"{champion} in {result.environment}",
            "recipes tried": evidence.trials,
        },
        title=f"{result.ensemble.instrument}  {result.ensemble.hash[:12]}",
    )
    rows = [
        (
            name_of(line),
            number_of(line, line.value),
            limit_of(line),
            PASSED[line.passed],
            *(() if brief else (line.note,)),
        )
        for line in verdict.lines
    ]
    print_table(("line", "value", "limit", "pass", *(() if brief else ("",))), rows)
    for line in verdict.failed if brief else ():
        say(f"{name_of(line)}: {line.note}.")
    for found in result.ablations:
        show_ablation(found)
    say(sentence_of(verdict, evidence), style="green" if verdict.passed else "red")
    say(f"verdict {verdict.hash[:12]}: {saved.path}")


def show_ablation(found: AblationResult) -> None:
    """Print the metrics with an external series and without it, on the same bars."""
    test = found.difference
    print_table(
        ("", f"with {found.series}", "without"),
        _metrics_of(found.with_series, found.without_series),
        title=f"Ablation of {found.series}",
        footer=f"{utc(found.from_ms)} to {utc(found.to_ms)}, both walked forward; e-value that "
        f"it is better {test.e_first_better:.3g}, worse {test.e_second_better:.3g} "
        f"(required: {test.e_value_min:g}); Sharpe ratio of the difference "
        f"{number(test.sharpe, 2)}; {count(found.decisions)} decisions of both.",
    )
    say(found.sentence)


def show_comparison(found: EnsembleComparison) -> None:
    """Print both models, what differs, and the paired result."""
    a, b = found.a, found.b
    rows = [
        ("status", a.status, b.status),
        ("created", utc(a.created_at), utc(b.created_at)),
        ("recipe", a.recipe_hash[:12], b.recipe_hash[:12]),
        ("features", a.features_hash[:12], b.features_hash[:12]),
        *((f"data {name}", _data(a, name), _data(b, name)) for name in sorted({*a.data, *b.data})),
        *_metrics_of(a.metrics, b.metrics),
    ]
    print_table(("", a.hash[:12], b.hash[:12]), rows, title=a.instrument)
    if found.recipe:
        print_table(("in the recipe", a.hash[:12], b.hash[:12]), found.recipe)
    elif a.recipe_hash == b.recipe_hash:
        say("same recipe: one is a refit of the other")
    else:
        say("different recipe hashes; the cards do not list the differences (imported models)")
    test = found.difference
    ratio = number(test.sharpe, 2)
    print_facts(
        {
            "same bars": f"{utc(found.from_ms)} to {utc(found.to_ms)}, {count(test.steps)} hours",
            "computed": COMPARISON,
            "first less second": f"{test.mean_bps:+.4f} bps an hour (deviation "
            f"{test.sd_bps:.3f}); Sharpe ratio of the difference {ratio}",
            "first is better": f"e-value {test.e_first_better:.3g} "
            f"(required: {test.e_value_min:g})",
            "second is better": f"e-value {test.e_second_better:.3g}",
        },
        title="On the same bars",
    )
    say(found.sentence)


def _data(side: ComparedEnsemble, timeframe: str) -> str:
    data = side.data.get(timeframe)
    if data is None:
        return "–"
    return f"{count(data['rows'])} rows, {utc(data['from_ms'])} to {utc(data['to_ms'])}"


def _metrics_of(
    first: PerformanceMetrics, second: PerformanceMetrics
) -> list[tuple[str, object, object]]:
    return [
        ("trades", count(first.trades), count(second.trades)),
        ("net bps per trade", number(first.net_bps, 1), number(second.net_bps, 1)),
        ("net return", percent(first.net_return, 2), percent(second.net_return, 2)),
        ("Sharpe", number(first.sharpe, 2), number(second.sharpe, 2)),
        ("max drawdown", percent(first.max_drawdown, 2), percent(second.max_drawdown, 2)),
        ("accuracy", percent(first.accuracy, 1), percent(second.accuracy, 1)),
        ("precision", percent(first.precision, 1), percent(second.precision, 1)),
        ("F1", percent(first.f1, 1), percent(second.f1, 1)),
        ("Brier score", number(first.brier, 4), number(second.brier, 4)),
        ("Brier skill score", percent(first.brier_skill, 2), percent(second.brier_skill, 2)),
    ]
