"""Two ensembles traded on the same out-of-sample bars, and the anytime-valid test between them."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np

from ares.kernel.bars import F64, Bars
from ares.learn.gate.account import AccountTerms, EvidenceAccount, annual_sharpe, step_ends
from ares.learn.gate.e_process import EProcessState, new_e_processes, run_steps, state_of
from ares.learn.gate.evidence import Hypothesis
from ares.learn.gate.oos_scores import EnsembleScores
from ares.learn.gate.verdict import GateLimits

SD_STEPS_MIN = 50
EXIT_BARS = 3
"""Bars between the decision to enter or leave and the fill, and one to spare."""

SD_DEFAULT = 0.005
"""Standard deviation of an hour's return where no earlier bars give an estimate."""


class PairedDifference(msgspec.Struct, frozen=True):
    """The difference between two ensembles on the same bars, first less second.

    steps, mean_bps, sd_bps : hours, and the difference of an hour's return.
    sharpe : annualised, of the daily difference; None where it does not vary.
    e_first_better, e_second_better : e-values of the anytime-valid test in either direction;
             ``e_value_min`` is what is required.
    """

    steps: int
    mean_bps: float
    sd_bps: float
    sharpe: float | None
    e_first_better: float
    e_second_better: float
    e_value_min: float


@dataclass(frozen=True, slots=True)
class PairedAccounts:
    """One or two ensembles traded on the bars on which all of them are out of sample.

    second : None: the first is compared with staying flat.
    bars   : the evaluated bars; ``earlier_bars`` lead up to them; ``interval_ms`` of both.
    """

    first: EnsembleScores
    second: EnsembleScores | None
    from_ms: int
    to_ms: int
    bars: Bars
    earlier_bars: Bars
    interval_ms: int
    terms: AccountTerms
    first_account: EvidenceAccount
    second_account: EvidenceAccount | None

    def e_process(self, limits: GateLimits, hypothesis: Hypothesis) -> tuple[EProcessState, F64]:
        """Return the state of the anytime-valid test after all steps, and log e after each."""
        differences = self.first_account.steps()
        bound = step_bounds(self.first, self.first_account, self.terms)
        sd = self.terms.rules.position_max * _hourly_sd(self.earlier_bars, self.interval_ms)
        if self.second is not None and self.second_account is not None:
            differences = differences - self.second_account.steps()
            bound = bound + step_bounds(self.second, self.second_account, self.terms)
        margin = limits.margin_sds * sd if hypothesis == "not_worse" else 0.0
        alpha = 1.0 / limits.e_value_min(hypothesis)
        state = new_e_processes(1, alpha=alpha, bound=1.0, sd_guess=sd, margin=margin)
        log_e = run_steps(state, 0, differences, bound)
        return state_of(state), log_e

    def difference(self, limits: GateLimits) -> PairedDifference:
        """Return the difference between the two; there must be a second ensemble."""
        if self.second is None or self.second_account is None:
            raise ValueError("a difference needs two ensembles")
        first, second = self.first_account, self.second_account
        apart: F64 = 1e4 * (first.steps() - second.steps())
        return PairedDifference(
            steps=len(apart),
            mean_bps=float(apart.mean()) if len(apart) else 0.0,
            sd_bps=float(apart.std()) if len(apart) else 0.0,
            sharpe=annual_sharpe(first.daily - second.daily),
            e_first_better=self.e_process(limits, "better")[0].e_value,
            e_second_better=self._swapped().e_process(limits, "better")[0].e_value,
            e_value_min=limits.e_value_min("better"),
        )

    def _swapped(self) -> PairedAccounts:
        if self.second is None or self.second_account is None:
            raise ValueError("a difference needs two ensembles")
        return PairedAccounts(
            self.second, self.first, self.from_ms, self.to_ms, self.bars, self.earlier_bars,
            self.interval_ms, self.terms, self.second_account, self.first_account,
        )  # fmt: skip


def trade_pair(
    first: EnsembleScores,
    second: EnsembleScores | None,
    terms: AccountTerms,
    to_ms: int | None = None,
) -> PairedAccounts:
    """Trade one or two ensembles on the bars on which all of them are out of sample.

    terms : their protections (breakers, loss limits) take no part, see ``account``.
    to_ms : no bar that closes later is used; None: as far as there are bars.

    Raises ValueError where there are no such bars.
    """
    both = [first] if second is None else [first, second]
    from_ms = max(scores.from_ms for scores in both)
    last_ms = min(scores.to_ms for scores in both)
    if to_ms is not None:
        last_ms = min(last_ms, to_ms)
    if from_ms >= last_ms:
        raise ValueError("there are no bars on which it is out of sample")
    terms = terms.without_protections()
    interval_ms = first.path_interval_ms
    closed_ms = first.path_bars.ts_ms + interval_ms
    start, end = np.searchsorted(closed_ms, [from_ms, last_ms + 1]).tolist()
    bars = first.path_bars[start:end]
    return PairedAccounts(
        first,
        second,
        from_ms,
        last_ms,
        bars,
        first.path_bars[:start],
        interval_ms,
        terms,
        first.account(bars, interval_ms, terms),
        None if second is None else second.account(bars, interval_ms, terms),
    )


def step_bounds(scores: EnsembleScores, account: EvidenceAccount, terms: AccountTerms) -> F64:
    """Return the bound of each step's loss, ``(n_steps,)``, from what was known before the step.

    The bound is the largest position's loss over the widest barrier that an open trade can have:
    the widest of those known while the trade may have been entered, over the longest holding time.
    A trade that falls from its take-profit to its stop within a step loses two widths, for which
    the test still holds (twice its bound). Without stops only the position itself bounds a loss.
    """
    ends = account.close_ms[step_ends(account.close_ms)]
    share = terms.rules.position_max
    if not terms.rules.stop_enabled:
        return np.full(len(ends), share)
    close_ms, width = scores.barrier_widths()
    widest = _rolling_max(np.nan_to_num(width), scores.label.horizon_bars + EXIT_BARS)
    starts = np.concatenate([[account.from_ms], ends[:-1]])
    row = np.searchsorted(close_ms, starts, side="right") - 1
    known = np.where(row >= 0, widest[np.maximum(row, 0)], 0.0)
    least = scores.label.width_min_bps / 1e4
    costs = terms.rules.cost_bps / 1e4
    bound: F64 = share * (np.maximum(known, least) + costs)
    return bound


def _rolling_max(values: F64, window: int) -> F64:
    """Return the largest of the last ``window`` values in each row, ``(n,)``."""
    padded = np.concatenate([np.zeros(window - 1), values])
    largest: F64 = np.lib.stride_tricks.sliding_window_view(padded, window).max(axis=1)
    return largest


def _hourly_sd(bars: Bars, interval_ms: int) -> float:
    """Return the standard deviation of a step's log return; ``SD_DEFAULT`` with too few bars."""
    closes = bars.close[step_ends(bars.ts_ms + interval_ms)]
    if len(closes) <= SD_STEPS_MIN:
        return SD_DEFAULT
    return max(float(np.diff(np.log(closes)).std()), 1e-6)
