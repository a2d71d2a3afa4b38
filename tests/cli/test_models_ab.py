"""``ares models ab``: an arm is called better or worse only at the required evidence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ares.observe.arms_report import Arm, ArmComparison, ArmReport, TradeResults

T = 1_704_067_200_000  # 2024-01-01
OLD, NEW = "a" * 64, "b" * 64
ARM = Arm(OLD, ("champion",), T, None, "", TradeResults(2, 3.14, 0, None, 0.5, None))
COMPARISON = ArmComparison(T, T, 1_200, 5.0, 8.4, 3.0, 0.2, 20.0, OLD, NEW, "canary")


@pytest.fixture
def shown(ares: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what the command prints of reports."""

    def show(*reports: ArmReport) -> str:
        monkeypatch.setattr("ares.bootstrap.arms_of_run", lambda _workspace, _run: reports)
        code, out, err = ares("models", "ab")
        assert (code, err) == (0, "")
        return " ".join(out.split())

    return show


@pytest.mark.parametrize(
    ("evidence", "verdict"),
    [
        ({"e_better": 20.0}, "the canary bbbbbbbbbbbb is better."),
        ({"e_worse": 20.0}, "the canary bbbbbbbbbbbb is worse."),
        ({"e_better": 19.9, "e_worse": 19.9}, "neither is shown to be better."),
        ({"e_better": 1e9, "goal": None}, "neither is shown to be better."),
    ],
)
def test_a_result_needs_the_evidence_that_is_required(
    shown: Any, evidence: dict[str, Any], verdict: str
) -> None:
    text = shown(ArmReport("binance:BTC/USDT", (ARM,), replace(COMPARISON, **evidence)))
    assert text.endswith(verdict)
    assert "On the same 1,200 hours since 2024-01-01 00:00" in text
    assert "champion aaaaaaaaaaaa +5 bps, canary bbbbbbbbbbbb +8 bps" in text


def test_an_arm_that_ended_has_its_reason_and_a_mean_of_nothing_is_a_dash(shown: Any) -> None:
    ended = replace(ARM, until_ms=T, ended="promoted: better")
    text = shown(ArmReport("binance:BTC/USDT", (ended,), None))
    assert "aaaaaaaaaaaa ended: promoted: better" in text
    assert "No two ensembles have run on the same bars yet." in text
    assert "+3.1 bps 0 – 50%" in text


def test_a_run_without_models_is_one_sentence(shown: Any) -> None:
    assert shown() == "No ensemble traded in this run: it had no models."


def test_an_unknown_run_is_one_line(ares: Any) -> None:
    code, out, err = ares("models", "ab", "--run", "nothing")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "no run 'nothing'" in err
