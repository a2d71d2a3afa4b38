"""The aggregation of an instrument's packages into an ensemble, as a worker process does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ares.domain.instrument import Instrument
from ares.domain.model import Ensemble, Member
from ares.domain.package import Package
from ares.domain.timeframe import Timeframe
from ares.kernel.ensemble import Scores
from ares.kernel.trade import Rules
from ares.learn.calibration import Payoff, Platt
from ares.learn.ensemble import (
    AggregateCalibration,
    anchor_of,
    calibrate_aggregate,
    ensemble_recipe_hash,
    uncalibrated,
)
from ares.learn.evaluate import OosMetrics, evaluate
from ares.learn.gate.account import AccountTerms, EvidenceAccount
from ares.learn.gate.oos_scores import EnsembleScores
from ares.learn.gate.paired import trade_pair
from ares.learn.recipe import LabelRecipe, Recipe
from ares.learn.walk_forward import TooFewRowsError
from ares.runtime.training.instrument_history import HistorySource, store_of
from ares.runtime.training.job import PackageScores, SkippedTraining


@dataclass(frozen=True, slots=True)
class AggregateJob:
    """Aggregate the scores of one instrument's packages.

    scores, weights : by timeframe; ``label`` is the anchor's.
    rules, cash_quote : on which the scores are traded, to be counted among the trials.
    """

    instrument: Instrument
    scores: Mapping[Timeframe, PackageScores]
    weights: Mapping[Timeframe, float]
    label: LabelRecipe
    edge_bps_min: float
    seed: int
    source: HistorySource
    rules: Rules
    cash_quote: float


@dataclass(frozen=True, slots=True)
class AggregateDone:
    """The calibration after aggregation, with its evidence.

    first_day, daily : see ``domain.trial.Trial``.
    """

    platt: Platt
    payoff: Payoff
    metrics: OosMetrics
    first_day: int
    daily: bytes


def aggregate_members(job: AggregateJob) -> AggregateDone | SkippedTraining:
    """Calibrate and evaluate the aggregate of an instrument's members."""
    interval = min(job.scores, key=lambda timeframe: timeframe.ms)
    finest = job.scores[interval]
    scores = {timeframe: member.scores for timeframe, member in job.scores.items()}
    try:
        aggregated = calibrate_aggregate(
            scores, job.weights, job.label, finest.path_bars, finest.path_interval_ms
        )
    except TooFewRowsError as error:
        return SkippedTraining(str(error))
    rows = aggregated.out_of_sample.rows
    bars = finest.path_bars.between(int(rows.decided_ms[0]), int(rows.ends_ms.max()))
    holding = float(bars.close[-1] / bars.open[0]) - 1.0 if len(bars) else 0.0
    metrics = evaluate(
        aggregated.out_of_sample,
        edge_bps_min=job.edge_bps_min,
        interval_ms=interval.ms,
        seed=job.seed,
        buy_hold_bps=1e4 * holding - job.label.cost_bps,
    )
    account = _account(job, aggregated, scores, finest)
    first_day = int(account.days[0]) if len(account.days) else 0
    daily = account.daily.astype("<f8").tobytes()
    return AggregateDone(aggregated.platt, aggregated.payoff, metrics, first_day, daily)


def ensemble_of(
    job: AggregateJob,
    result: AggregateDone,
    members: Mapping[Timeframe, tuple[Package, Recipe]],
    created_at: str,
) -> Ensemble:
    """Return the ensemble of these members with the calibration of their aggregate."""
    recipes = {timeframe: recipe.hash for timeframe, (_, recipe) in members.items()}
    first = next(iter(members.values()))[0]
    return Ensemble(
        instrument=job.instrument.key,
        members=tuple(
            _member(members[timeframe][0], weight) for timeframe, weight in job.weights.items()
        ),
        anchor=anchor_of(job.weights),
        platt_a=result.platt.a,
        platt_b=result.platt.b,
        horizon_bars=job.label.horizon_bars,
        width_sigmas=job.label.width_sigmas,
        width_min_bps=job.label.width_min_bps,
        gain=result.payoff.gain,
        loss=result.payoff.loss,
        cost_bps=job.label.cost_bps,
        recipe_hash=ensemble_recipe_hash(recipes, job.weights, job.label),
        features_hash=first.card.features_hash,
        validation=result.metrics.validation,
        created_at=created_at,
    )


def _account(
    job: AggregateJob,
    aggregated: AggregateCalibration,
    scores: Mapping[Timeframe, Scores],
    finest: PackageScores,
) -> EvidenceAccount:
    """Return the account that trades the ensemble's out-of-sample scores, as the gate does."""
    spec = store_of(job.source).spec(job.instrument)
    ensemble_scores = EnsembleScores(
        ensemble=uncalibrated(job.weights, job.label),
        label=job.label,
        scores=scores,
        steps=aggregated.steps,
        train_end_ms=int(finest.path_bars.ts_ms[-1]) + finest.path_interval_ms,
        folds_ms=(),
        path_bars=finest.path_bars,
        path_interval_ms=finest.path_interval_ms,
    )
    terms = AccountTerms(spec, job.rules, job.cash_quote)
    return trade_pair(ensemble_scores, None, terms).first_account


def _member(package: Package, weight: float) -> Member:
    card = package.card
    return Member(card.timeframe, card.name, card.version, package.hash, weight)
