"""Two models side by side: what differs is named, and what is unknown is a dash."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from ares.cli.gate_views import show_ablation, show_comparison, show_verdict
from ares.domain.model import Ensemble, Member
from ares.domain.model_life import VerdictBasis, VerdictRecorded
from ares.domain.timeframe import Timeframe
from ares.learn.gate.evidence import Evidence, PerformanceMetrics
from ares.learn.gate.paired import PairedDifference
from ares.learn.gate.series_ablation import AblationResult
from ares.learn.gate.verdict import GateLimits, judge
from ares.runtime.validation.compare import ComparedEnsemble, EnsembleComparison
from ares.runtime.validation.pipeline import ValidationResult
from ares.runtime.validation.verdict_file import SavedVerdict

T = 1_704_067_200_000  # 2024-01-01
DIFFERENCE = PairedDifference(1_200, 0.1234, 5.0, None, 25.0, 0.1, 20.0)
METRICS = PerformanceMetrics(trades=12, net_bps=3.25, sharpe=1.5)


def side(name: str, recipe: str, rows: int = 900) -> ComparedEnsemble:
    data = {"1h": {"rows": rows, "from_ms": T, "to_ms": T + 3_600_000}}
    return ComparedEnsemble(
        name * 64, "binance:BTC/USDT", "candidate", "2024-01-01", recipe, "features", {"1h": 1.0},
        data, METRICS,
    )  # fmt: skip


def compared(**parts: object) -> EnsembleComparison:
    made = EnsembleComparison(side("a", "r"), side("b", "r"), T, T, (), DIFFERENCE, ())
    return msgspec.structs.replace(made, **parts)


def shown(capsys: pytest.CaptureFixture[str], found: EnsembleComparison) -> str:
    show_comparison(found)
    return " ".join(capsys.readouterr().out.split())


def test_a_refit_is_distinguished_from_another_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert "same recipe: one is a refit of the other" in shown(capsys, compared())
    other = shown(capsys, compared(b=side("b", "other")))
    assert "refit" not in other
    assert "different recipe hashes; the cards do not list the differences" in other
    named = shown(capsys, compared(b=side("b", "other"), recipe=(("folds", "5", "6"),)))
    assert "folds 5 6" in named
    assert "do not list" not in named


def test_the_result_names_the_better_one_and_an_unknown_ratio_is_a_dash(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = shown(capsys, compared())
    assert text.endswith(f"{'a' * 12} is better")
    assert "1,200 hours" in text
    assert "only over the bars on which both models are out of sample" in " ".join(text.split())
    assert "Sharpe ratio of the difference –" in text
    weak = msgspec.structs.replace(DIFFERENCE, e_first_better=19.0)
    assert "neither is shown to be better" in shown(capsys, compared(difference=weak))


def test_a_timeframe_that_only_one_was_trained_on_is_a_dash(
    capsys: pytest.CaptureFixture[str],
) -> None:
    more = side("b", "r")
    more = msgspec.structs.replace(more, data={**more.data, "4h": more.data["1h"]})
    text = shown(capsys, compared(b=more))
    assert "data 4h – 900 rows, 2024-01-01 00:00 to 2024-01-01 01:00" in text


def test_an_ablation_shows_both_models_and_its_result(capsys: pytest.CaptureFixture[str]) -> None:
    without = PerformanceMetrics(trades=0)
    found = AblationResult("rate", T, T, METRICS, without, DIFFERENCE, 500, 0.01)
    show_ablation(found)
    text = " ".join(capsys.readouterr().out.split())
    assert "Ablation of rate" in text
    assert "with rate without" in text
    assert "trades 12 0" in text
    assert "Sharpe 1.50 –" in text
    assert "e-value that it is better 25, worse 0.1 (required: 20)" in text
    assert text.endswith(found.sentence)


def test_a_brief_verdict_has_a_row_for_each_line_and_explains_what_failed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ensemble = Ensemble(
        "binance:BTC/USDT", (Member(Timeframe.H1, "m", "v", "h", 1.0),), Timeframe.H1, 1.0, 0.0,
        12, 1.0, 33.0, 1.0, 1.0, 22.0, recipe_hash="r", features_hash="f",
    )  # fmt: skip
    metrics = PerformanceMetrics(trades=400, sharpe=2.0, net_bps=1e5, brier_skill=0.3)
    evidence = Evidence(subject=ensemble.hash, hypothesis="beats_flat", metrics=metrics)
    verdict, basis = judge(evidence, GateLimits()), VerdictBasis("", "evidence", "l", "t", 1, "c")
    recorded = VerdictRecorded(
        "history", ensemble.instrument, ensemble.hash, False, ("plausible",), verdict.hash,
        evidence.hash, basis, "v.json", "h", "2024-01-01T00:00:00Z", "me",
    )  # fmt: skip
    result = ValidationResult(
        ensemble, "history", verdict, GateLimits(), evidence, basis, (), (), None
    )
    show_verdict(result, SavedVerdict(recorded, Path("v.json"), Path("v.png"), b""), brief=True)
    rows = capsys.readouterr().out.splitlines()
    table = rows[: next(k for k, row in enumerate(rows) if row.startswith("look-ahead leakage: "))]
    assert max(len(row.rstrip()) for row in table) <= 80
    assert sum(row.rstrip().endswith((" yes", " NO")) for row in table) == 15
    text = " ".join(rows)
    assert "plausible: Brier skill 30.0% of at most 25%: look for a leak" in text
    assert "packages that training again reproduces" not in " ".join(table)
