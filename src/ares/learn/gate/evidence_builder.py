"""The examination: an ensemble's answers, traded and measured beside what it must better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from ares.domain.trial import Trial
from ares.kernel.bars import F64, I64, Bars, Bools
from ares.learn.calibration_error import CalibrationBin, calibration_error
from ares.learn.gate.account import DAYS_PER_YEAR, AccountTerms, EvidenceAccount, step_ends
from ares.learn.gate.baselines import buy_and_hold, sma_cross
from ares.learn.gate.calibration import brier_skill, calibrated
from ares.learn.gate.e_process import EProcessState, bets, follow, standing
from ares.learn.gate.evidence import Baseline, Evidence, Figures, Question
from ares.learn.gate.leaks import NOTHING_TRIED, Leaks
from ares.learn.gate.oos_scores import EnsembleScores
from ares.learn.gate.sharpe import deflate
from ares.learn.gate.trials import TrialStatistics, tried
from ares.learn.gate.verdict import GateLimits
from ares.learn.rows import Rows

GUESS_STEPS_MIN = 50
EXIT_BARS = 3
"""Bars between the decision to enter, or to leave, and the fill, and one to spare."""

SD_GUESSED = 0.005
"""An hour's standard deviation where there are no bars before the judged ones to tell it."""


@dataclass(frozen=True, slots=True)
class MemberChecks:
    """What was found out about the members beside what they said.

    unlike  : names of packages that training again does not give.
    parity_rows, parity_difference : exported graphs against trained models, over all members.
    inference_us : time of one row through all graphs; None: not measured.
    """

    unlike: tuple[str, ...] = ()
    leaks: Leaks = NOTHING_TRIED
    parity_rows: int = 0
    parity_difference: float | None = None
    inference_us: float | None = None


@dataclass(frozen=True, slots=True)
class EvidencePlots:
    """What a picture of the evidence is drawn from.

    accounts : name -> account on the judged bars; the candidate's is called ``candidate``.
    step_ms, log_e : (n_steps,) the anytime-valid test over time, with the log of its goal.
    """

    accounts: dict[str, EvidenceAccount]
    reliability: tuple[CalibrationBin, ...]
    base_rate: float | None
    step_ms: I64
    log_e: F64
    log_goal: float


@dataclass(frozen=True, slots=True)
class EvidenceResult:
    """The evidence, its exhibit, and what was tried."""

    evidence: Evidence
    exhibit: EvidencePlots
    tried: TrialStatistics


def examine(
    candidate: EnsembleScores,
    champion: EnsembleScores | None,
    checked: MemberChecks,
    terms: AccountTerms,
    limits: GateLimits,
    trials: Sequence[Trial],
) -> EvidenceResult:
    """Return the evidence on the candidate, on the bars on which both can be judged.

    trials : all of the journal.

    Raises ValueError where there are no bars on which all of them were out of sample.
    """
    terms = terms.judging()
    from_ms, to_ms = window(candidate, champion)
    bars, before = judged_bars(candidate, from_ms, to_ms)
    length = candidate.watched_ms
    mine = candidate.account(bars, length, terms)
    theirs = None if champion is None else champion.account(bars, length, terms)
    rows, p = candidate.decisions(from_ms, to_ms)
    accounts = {
        "candidate": mine,
        **({} if theirs is None else {"champion": theirs}),
        "buy_and_hold": buy_and_hold(bars, length, terms),
        "sma_cross": sma_cross(bars, before, length, candidate.ensemble.anchor, terms),
    }
    asked = question(candidate, champion)
    bet, log_e = paired(candidate, champion, mine, theirs, before, terms, limits, asked)
    alone = len(candidate.ensemble.members) == 1 and not candidate.joined
    known = tried(
        trials, candidate.ensemble.instrument, candidate.ensemble.recipe_hash, mine, alone=alone
    )
    deflated = deflate(mine.daily, known.recipes, known.variance)
    finest_ms = min(candidate.scores, key=lambda timeframe: timeframe.ms).ms
    calibration = calibrated(
        p,
        rows.won,
        lane=rows.lane,
        overlap=rows.overlap(finest_ms),
        fold=candidate.fold_of(rows),
    )
    base = float(rows.won.mean()) if len(rows) else None
    evidence = Evidence(
        subject=candidate.ensemble.hash,
        question=asked,
        figures=figures(mine, rows, p),
        from_ms=from_ms,
        to_ms=to_ms,
        members=len(candidate.ensemble.members),
        unlike=checked.unlike,
        baselines=tuple(
            Baseline(name, accounts[name].sharpe, accounts[name].net_return)
            for name in ("buy_and_hold", "sma_cross")
        ),
        champion=None
        if champion is None or theirs is None
        else figures(theirs, *champion.decisions(from_ms, to_ms)),
        champion_hash="" if champion is None else champion.ensemble.hash,
        decisions=len(rows),
        leak_values=checked.leaks.values,
        leaking=checked.leaks.leaking,
        parity_rows=checked.parity_rows,
        parity_difference=checked.parity_difference,
        accuracy_base=None if base is None else max(base, 1.0 - base),
        calibration_error=None if calibration is None else calibration.error,
        calibration_limit=None if calibration is None else calibration.limit,
        constant_share=None if calibration is None else calibration.constant_share,
        dsr=None if deflated is None else deflated.dsr,
        dsr_hurdle=None if deflated is None else deflated.hurdle * DAYS_PER_YEAR**0.5,
        trials=known.recipes,
        pbo=known.pbo,
        e_value=bet.e_value,
        steps=bet.steps,
        breaches=bet.breaches,
        inference_us=checked.inference_us,
    )
    exhibit = EvidencePlots(
        accounts,
        calibration_error(p, rows.won)[1] if len(rows) else (),
        base,
        mine.close_ms[step_ends(mine.close_ms)],
        log_e,
        float(np.log(limits.e_value_min(asked))),
    )
    return EvidenceResult(evidence, exhibit, known)


def window(candidate: EnsembleScores, champion: EnsembleScores | None) -> tuple[int, int]:
    """Return the first instant at which both may be judged, and the last that both can be watched.

    Raises ValueError where there is no such time.
    """
    both = [candidate] if champion is None else [candidate, champion]
    from_ms = max(one.from_ms for one in both)
    to_ms = min(one.to_ms for one in both)
    if from_ms >= to_ms:
        raise ValueError("there are no bars on which it is out of sample")
    return from_ms, to_ms


def judged_bars(witness: EnsembleScores, from_ms: int, to_ms: int) -> tuple[Bars, Bars]:
    """Return the bars that close in a window, and those before them."""
    closed_ms = witness.watched.ts_ms + witness.watched_ms
    first, last = np.searchsorted(closed_ms, [from_ms, to_ms + 1]).tolist()
    return witness.watched[first:last], witness.watched[:first]


def question(candidate: EnsembleScores, champion: EnsembleScores | None) -> Question:
    """Return what the paired test asks: a first champion, a new recipe, or a refit."""
    if champion is None:
        return "beats_flat"
    same = candidate.ensemble.recipe_hash == champion.ensemble.recipe_hash
    return "not_worse" if same else "better"


def paired(
    candidate: EnsembleScores,
    champion: EnsembleScores | None,
    mine: EvidenceAccount,
    theirs: EvidenceAccount | None,
    before: Bars,
    terms: AccountTerms,
    limits: GateLimits,
    asked: Question,
) -> tuple[EProcessState, F64]:
    """Return where the anytime-valid test stands after the judged steps, and log K after each.

    before : bars that lead up to the judged ones.
    """
    differences = mine.steps()
    bound = step_bounds(candidate, mine, terms)
    sd = terms.rules.position_max * _hourly_sd(before, candidate.watched_ms)
    if champion is not None and theirs is not None:
        differences = differences - theirs.steps()
        bound = bound + step_bounds(champion, theirs, terms)
    margin = limits.margin_sds * sd if asked == "not_worse" else 0.0
    state = bets(1, alpha=1.0 / limits.e_value_min(asked), bound=1.0, sd_guess=sd, margin=margin)
    log_e = follow(state, 0, differences, bound)
    return standing(state), log_e


def step_bounds(witness: EnsembleScores, account: EvidenceAccount, terms: AccountTerms) -> F64:
    """Return the bound of each step, ``(n_steps,)``, by what was known before it.

    That is the largest position's loss over the widest barrier that an open trade can have: one of
    those that were known while it may have been entered, in the longest time that it is held. A
    trade that falls from its take-profit to its stop within a step loses two widths, which the test
    still holds for (twice its bound). Without stops nothing bounds a loss but the position itself.
    """
    ends = account.close_ms[step_ends(account.close_ms)]
    share = terms.rules.position_max
    if not terms.rules.stop_enabled:
        return np.full(len(ends), share)
    close_ms, width = witness.widths()
    widest = _widest(np.nan_to_num(width), witness.label.horizon_bars + EXIT_BARS)
    starts = np.concatenate([[account.from_ms], ends[:-1]])
    place = np.searchsorted(close_ms, starts, side="right") - 1
    known = np.where(place >= 0, widest[np.maximum(place, 0)], 0.0)
    least = witness.label.width_min_bps / 1e4
    costs = terms.rules.cost_bps / 1e4
    bound: F64 = share * (np.maximum(known, least) + costs)
    return bound


def _widest(width: F64, bars: int) -> F64:
    """Return the largest of the last ``bars`` widths at each place, ``(n,)``."""
    led = np.concatenate([np.zeros(bars - 1), width])
    widest: F64 = np.lib.stride_tricks.sliding_window_view(led, bars).max(axis=1)
    return widest


def figures(account: EvidenceAccount, rows: Rows, p: F64) -> Figures:
    """Return an account's results, and what the probabilities behind it were worth."""
    won = rows.won
    return msgspec.structs.replace(
        _named(p > 0.5, won),
        trades=len(account.net_bps),
        net_bps=float(account.net_bps.mean()) if len(account.net_bps) else None,
        net_return=account.net_return,
        sharpe=account.sharpe,
        max_drawdown=account.drawdown,
        brier=float(np.mean((p - won) ** 2)) if len(p) else None,
        brier_skill=brier_skill(p, won),
    )


def _named(said: Bools, won: Bools) -> Figures:
    """Return accuracy, precision and F1 of naming a trade won."""
    if len(won) == 0:
        return Figures(trades=0)
    right = int(np.count_nonzero(said & won))
    named, there = int(np.count_nonzero(said)), int(np.count_nonzero(won))
    return Figures(
        trades=0,
        accuracy=float(np.mean(said == won)),
        precision=right / named if named else None,
        f1=2.0 * right / (named + there) if named + there else None,
    )


def _hourly_sd(before: Bars, interval_ms: int) -> float:
    """Return the standard deviation of a step's price change, from bars before the judged ones."""
    closes = before.close[step_ends(before.ts_ms + interval_ms)]
    if len(closes) <= GUESS_STEPS_MIN:
        return SD_GUESSED
    return max(float(np.diff(np.log(closes)).std()), 1e-6)
