"""A verdict as text: each line with its value and its limit, and one sentence over all."""

from __future__ import annotations

from typing import Any

import pytest

from ares.learn.gate.evidence import Evidence, PerformanceMetrics
from ares.learn.gate.verdict import GateLimits, Verdict, VerdictLine, judge
from ares.learn.gate.verdict_text import (
    COUNTS,
    NAMES,
    SHARES,
    limit_of,
    name_of,
    number_of,
    sentence_of,
)

NOTHING = Evidence(subject="e", hypothesis="beats_flat", metrics=PerformanceMetrics(trades=0))


def line(name: str, value: float | None = None, **more: Any) -> VerdictLine:
    return VerdictLine(name, value, more.pop("limit", None), more.pop("passed", None), **more)


@pytest.mark.parametrize("rule", ["evidence", "simple"])
def test_every_line_of_a_verdict_has_a_name_for_people(rule: Any) -> None:
    limits = GateLimits(pbo_max=0.5, drawdown_max=0.2)
    names = [one.name for one in judge(NOTHING, limits, rule).lines]
    assert set(names) <= set(NAMES)
    assert {*SHARES, *COUNTS} <= set(NAMES)
    assert name_of(line("of_a_later_version")) == "of_a_later_version"


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("accuracy", 0.5834, "58.3%"),
        ("max_drawdown", 0.0, "0.0%"),
        ("parity", 2.34e-7, "2.3e-07"),
        ("trades", 12_345.0, "12,345"),
        ("e_value", 9.99949, "9.999"),
        ("e_value", 123.44, "123.4"),
        ("e_value", 123_456.0, "1.23e+05"),
        ("net_bps", -12_345.0, "-1.23e+04"),
        ("net_bps", -1.5, "-1.500"),
        ("pbo", None, "–"),
    ],
)
def test_a_number_is_written_as_its_line_is_read(name: str, value: float | None, text: str) -> None:
    assert number_of(line(name, value), value) == text


def test_a_limit_is_written_with_its_sign_and_a_reported_line_has_none() -> None:
    limited = {"limit": 0.3, "passed": True}
    assert limit_of(line("max_drawdown", 0.1, comparison="at most", **limited)) == "≤ 30.0%"
    assert limit_of(line("net_bps", 0.1, comparison="above", limit=0.0, passed=True)) == "> 0.000"
    assert limit_of(line("pbo", 0.1, comparison="reported")) == ""


def test_the_sentence_counts_the_lines_that_decide() -> None:
    verdict = judge(NOTHING, GateLimits())
    decided = [one for one in verdict.lines if one.passed is not None]
    failed = [name_of(one) for one in verdict.failed]
    assert len(decided) < len(verdict.lines)
    assert len(failed) > 5
    assert sentence_of(verdict, NOTHING) == (
        f"Refused: {len(failed)} of {len(decided)} lines failed "
        f"({', '.join(failed[:4])} and {len(failed) - 4} more)."
    )


def test_the_sentence_of_a_verdict_that_passed_names_what_was_shown() -> None:
    lines = (line("trades", 40.0, limit=30.0, passed=True, comparison="at least"), line("pbo", 0.1))
    verdict = Verdict("e", "evidence", True, lines, NOTHING.hash)
    text = sentence_of(verdict, NOTHING)
    assert text == "Passed: all 1 lines (rule evidence; beats staying flat)."
