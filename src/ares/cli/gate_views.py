"""What the gate shows: a verdict as a table, two models side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ares.cli.output import count, number, percent, print_facts, print_table, say, utc
from ares.learn.gate.verdict_text import limit_of, name_of, number_of, sentence_of

if TYPE_CHECKING:
    from ares.learn.gate.evidence import Figures
    from ares.learn.gate.sentiment_ablation import AblationResult
    from ares.runtime.validation.compare import ComparedEnsemble, EnsembleComparison
    from ares.runtime.validation.validate import ValidationResult
    from ares.runtime.validation.verdict_file import SavedVerdict

PASSED = {True: "yes", False: "NO", None: ""}


def show_verdict(judgement: ValidationResult, kept: SavedVerdict) -> None:
    """Print the verdict: a line for each number, then what it comes to."""
    verdict, evidence = judgement.verdict, judgement.examined.evidence
    champion = evidence.champion_hash[:12] or "none"
    print_facts(
        {
            "judged": f"{utc(evidence.from_ms)} to {utc(evidence.to_ms)}, out of sample, "
            f"{count(evidence.decisions)} decisions",
            "champion": f"{champion} in {judgement.environment}",
            "recipes tried": evidence.trials,
        },
        title=f"{judgement.ensemble.instrument}  {judgement.ensemble.hash[:12]}",
    )
    rows = [
        (
            name_of(line),
            number_of(line, line.number),
            limit_of(line),
            PASSED[line.passed],
            line.note,
        )
        for line in verdict.lines
    ]
    print_table(("line", "number", "limit", "pass", ""), rows)
    if judgement.sentiment is not None:
        show_sentiment(judgement.sentiment)
    say(sentence_of(verdict, evidence), style="green" if verdict.passed else "red")
    say(f"verdict {verdict.hash[:12]}: {kept.path}")


def show_sentiment(found: AblationResult) -> None:
    """Print what sentiment added over prices alone, on the same bars."""
    print_table(
        ("", "with sentiment", "by prices alone"),
        _figures_of(found.own, found.twin),
        title="What sentiment adds",
        footer=f"{utc(found.from_ms)} to {utc(found.to_ms)}, both walked; e that it is better "
        f"{found.e_better:.3g}, worse {found.e_worse:.3g} (enough: {found.e_enough:g}); Sharpe "
        f"ratio of the difference {number(found.sharpe_of_difference, 2)}; "
        f"{count(found.decisions)} decisions of both.",
    )
    say(found.sentence)


def show_comparison(found: EnsembleComparison) -> None:
    """Print both models, what differs, and the paired result."""
    a, b = found.a, found.b
    rows = [
        ("status", a.status, b.status),
        ("made", a.created_at, b.created_at),
        ("recipe", a.recipe_hash[:12], b.recipe_hash[:12]),
        ("features", a.features_hash[:12], b.features_hash[:12]),
        *((f"data {name}", _data(a, name), _data(b, name)) for name in sorted({*a.data, *b.data})),
        *_figures(a, b),
    ]
    print_table(("", a.hash[:12], b.hash[:12]), rows, title=a.instrument)
    if found.recipe:
        print_table(("in the recipe", a.hash[:12], b.hash[:12]), found.recipe)
    elif a.recipe_hash == b.recipe_hash:
        say("the same recipe: one is a refit of the other")
    else:
        say("other recipes, by their hashes: what differs is not on the cards (imported models)")
    ratio = number(found.sharpe_of_difference, 2)
    print_facts(
        {
            "same bars": f"{utc(found.from_ms)} to {utc(found.to_ms)}, {count(found.steps)} hours",
            "first less second": f"{found.mean_bps:+.4f} bps an hour (deviation "
            f"{found.sd_bps:.3f}); Sharpe ratio of the difference {ratio}",
            "first is better": f"e {found.e_a_better:.3g} (enough: {found.e_enough:g})",
            "second is better": f"e {found.e_b_better:.3g}",
        },
        title="On the same bars",
    )
    say(found.sentence)


def _data(side: ComparedEnsemble, timeframe: str) -> str:
    data = side.data.get(timeframe)
    if data is None:
        return "–"
    return f"{count(data['rows'])} rows, {utc(data['from_ms'])} to {utc(data['to_ms'])}"


def _figures(a: ComparedEnsemble, b: ComparedEnsemble) -> list[tuple[str, object, object]]:
    return _figures_of(a.figures, b.figures)


def _figures_of(one: Figures, two: Figures) -> list[tuple[str, object, object]]:
    return [
        ("trades", count(one.trades), count(two.trades)),
        ("net bps a trade", number(one.net_bps, 1), number(two.net_bps, 1)),
        ("net return", percent(one.net_return, 2), percent(two.net_return, 2)),
        ("Sharpe", number(one.sharpe, 2), number(two.sharpe, 2)),
        ("drawdown", percent(one.max_drawdown, 2), percent(two.max_drawdown, 2)),
        ("accuracy", percent(one.accuracy, 1), percent(two.accuracy, 1)),
        ("precision", percent(one.precision, 1), percent(two.precision, 1)),
        ("F1", percent(one.f1, 1), percent(two.f1, 1)),
        ("Brier score", number(one.brier, 4), number(two.brier, 4)),
        ("Brier skill", percent(one.brier_skill, 2), percent(two.brier_skill, 2)),
    ]
