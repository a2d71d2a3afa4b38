"""Evidence from out-of-sample scores: the ensemble traded and measured against its baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from ares.domain.trial import Trial
from ares.kernel.bars import F64, I64, Bools
from ares.learn.calibration_error import CalibrationBin, calibration_error
from ares.learn.gate.account import DAYS_PER_YEAR, AccountTerms, EvidenceAccount, step_ends
from ares.learn.gate.baselines import buy_and_hold, sma_cross
from ares.learn.gate.calibration import CalibrationQuality, brier_skill, calibration_quality
from ares.learn.gate.evidence import Baseline, Evidence, Hypothesis, PerformanceMetrics
from ares.learn.gate.leaks import NOT_TESTED, Leaks
from ares.learn.gate.oos_scores import EnsembleScores
from ares.learn.gate.paired import PairedAccounts, trade_pair
from ares.learn.gate.sharpe import deflate
from ares.learn.gate.trials import TrialStatistics, trial_statistics
from ares.learn.gate.verdict import GateLimits
from ares.learn.rows import Rows

BASELINES = ("buy_and_hold", "sma_cross")


@dataclass(frozen=True, slots=True)
class MemberChecks:
    """What the tests of the members found beside their scores.

    not_reproduced : names of packages that training again does not reproduce.
    parity_rows, parity_difference : exported graphs against trained models, over all members.
    inference_us : latency of one row through all graphs; None: not measured.
    """

    not_reproduced: tuple[str, ...] = ()
    leaks: Leaks = NOT_TESTED
    parity_rows: int = 0
    parity_difference: float | None = None
    inference_us: float | None = None


@dataclass(frozen=True, slots=True)
class EvidencePlots:
    """The series that a picture of the evidence shows.

    accounts : name -> account on the evaluated bars; the candidate's is called ``candidate``.
    step_ms, log_e, log_e_min : (n_steps,) the anytime-valid test over time, and what it must reach.
    """

    accounts: dict[str, EvidenceAccount]
    reliability: tuple[CalibrationBin, ...]
    base_rate: float | None
    step_ms: I64
    log_e: F64
    log_e_min: float


@dataclass(frozen=True, slots=True)
class EvidenceResult:
    """The evidence, and the series behind it."""

    evidence: Evidence
    plots: EvidencePlots


def build_evidence(
    candidate: EnsembleScores,
    champion: EnsembleScores | None,
    checks: MemberChecks,
    terms: AccountTerms,
    limits: GateLimits,
    trials: Sequence[Trial],
) -> EvidenceResult:
    """Return the evidence on the candidate, on the bars on which both are out of sample.

    trials : all of the models' journal.

    Raises ValueError where there are no such bars.
    """
    pair = trade_pair(candidate, champion, terms)
    accounts = _accounts(pair)
    hypothesis = hypothesis_of(candidate, champion)
    test, log_e = pair.e_process(limits, hypothesis)
    rows, p = candidate.decisions(pair.from_ms, pair.to_ms)
    base_rate = float(rows.won.mean()) if len(rows) else None
    evidence = Evidence(
        subject=candidate.ensemble.hash,
        hypothesis=hypothesis,
        metrics=performance(pair.first_account, rows, p),
        from_ms=pair.from_ms,
        to_ms=pair.to_ms,
        members=len(candidate.ensemble.members),
        baselines=tuple(
            Baseline(name, accounts[name].sharpe, accounts[name].net_return) for name in BASELINES
        ),
        champion=_champion_metrics(pair),
        champion_hash="" if champion is None else champion.ensemble.hash,
        decisions=len(rows),
        majority_accuracy=None if base_rate is None else max(base_rate, 1.0 - base_rate),
        e_value=test.e_value,
        steps=test.steps,
        bound_breaches=test.breaches,
    )
    evidence = _with_checks(evidence, checks)
    evidence = _with_calibration(evidence, _calibration(candidate, rows, p))
    evidence = _with_trials(evidence, candidate, pair.first_account, trials)
    step_ms = pair.first_account.close_ms[step_ends(pair.first_account.close_ms)]
    log_e_min = float(np.log(limits.e_value_min(hypothesis)))
    bins = calibration_error(p, rows.won)[1] if len(rows) else ()
    plots = EvidencePlots(accounts, bins, base_rate, step_ms, log_e, log_e_min)
    return EvidenceResult(evidence, plots)


def hypothesis_of(candidate: EnsembleScores, champion: EnsembleScores | None) -> Hypothesis:
    """Return what the test must show: of a first champion, of a new recipe, or of a refit."""
    if champion is None:
        return "beats_flat"
    same = candidate.ensemble.recipe_hash == champion.ensemble.recipe_hash
    return "not_worse" if same else "better"


def performance(account: EvidenceAccount, rows: Rows, p: F64) -> PerformanceMetrics:
    """Return an account's results, and the quality of the probabilities behind them."""
    won = rows.won
    return msgspec.structs.replace(
        _classification(p > 0.5, won),
        trades=len(account.net_bps),
        net_bps=float(account.net_bps.mean()) if len(account.net_bps) else None,
        net_return=account.net_return,
        sharpe=account.sharpe,
        max_drawdown=account.drawdown,
        brier=float(np.mean((p - won) ** 2)) if len(p) else None,
        brier_skill=brier_skill(p, won),
    )


def _accounts(pair: PairedAccounts) -> dict[str, EvidenceAccount]:
    """Return the accounts on the evaluated bars by name, the baselines' among them."""
    champion = {} if pair.second_account is None else {"champion": pair.second_account}
    anchor, terms = pair.first.ensemble.anchor, pair.terms
    return {
        "candidate": pair.first_account,
        **champion,
        "buy_and_hold": buy_and_hold(pair.bars, pair.interval_ms, terms),
        "sma_cross": sma_cross(pair.bars, pair.earlier_bars, pair.interval_ms, anchor, terms),
    }


def _champion_metrics(pair: PairedAccounts) -> PerformanceMetrics | None:
    if pair.second is None or pair.second_account is None:
        return None
    return performance(pair.second_account, *pair.second.decisions(pair.from_ms, pair.to_ms))


def _calibration(candidate: EnsembleScores, rows: Rows, p: F64) -> CalibrationQuality | None:
    finest_ms = min(candidate.scores, key=lambda timeframe: timeframe.ms).ms
    return calibration_quality(
        p,
        rows.won,
        lane=rows.lane,
        overlap=rows.overlap(finest_ms),
        fold=candidate.fold_numbers(rows),
    )


def _with_checks(evidence: Evidence, checks: MemberChecks) -> Evidence:
    """Return the evidence with what the tests of the members found."""
    return msgspec.structs.replace(
        evidence,
        not_reproduced=checks.not_reproduced,
        leak_values=checks.leaks.values,
        leaking=checks.leaks.leaking,
        parity_rows=checks.parity_rows,
        parity_difference=checks.parity_difference,
        inference_us=checks.inference_us,
    )


def _with_calibration(evidence: Evidence, quality: CalibrationQuality | None) -> Evidence:
    """Return the evidence with the quality of the probabilities; unchanged where it is unknown."""
    if quality is None:
        return evidence
    return msgspec.structs.replace(
        evidence,
        calibration_error=quality.error,
        calibration_limit=quality.limit,
        constant_share=quality.constant_share,
    )


def _with_trials(
    evidence: Evidence,
    candidate: EnsembleScores,
    account: EvidenceAccount,
    trials: Sequence[Trial],
) -> Evidence:
    """Return the evidence with the Deflated Sharpe ratio and PBO over all recipes tried."""
    ensemble = candidate.ensemble
    tried: TrialStatistics = trial_statistics(
        trials,
        ensemble.instrument,
        ensemble.recipe_hash,
        account,
        single_package=len(ensemble.members) == 1 and not candidate.aggregated,
    )
    deflated = deflate(account.daily, tried.recipes, tried.variance)
    expected = None if deflated is None else deflated.expected_max * DAYS_PER_YEAR**0.5
    return msgspec.structs.replace(
        evidence,
        deflated_sharpe=None if deflated is None else deflated.probability,
        expected_max_sharpe=expected,
        trials=tried.recipes,
        pbo=tried.pbo,
    )


def _classification(predicted: Bools, won: Bools) -> PerformanceMetrics:
    """Return accuracy, precision and F1 of predicting that a trade wins."""
    if len(won) == 0:
        return PerformanceMetrics(trades=0)
    hits = int(np.count_nonzero(predicted & won))
    positives, actual = int(np.count_nonzero(predicted)), int(np.count_nonzero(won))
    return PerformanceMetrics(
        trades=0,
        accuracy=float(np.mean(predicted == won)),
        precision=hits / positives if positives else None,
        f1=2.0 * hits / (positives + actual) if positives + actual else None,
    )
