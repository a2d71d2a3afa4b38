"""Optuna's samplers: which point a sweep tries next."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from ares.domain.sweep import Point, SweepParameter, SweepPlan


class PointSampler:
    """Points of a plan, in an order that depends on the plan and on the scores given so far."""

    def __init__(self, plan: SweepPlan) -> None:
        """Take the plan; nothing is written anywhere."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._plan = plan
        self._study = optuna.create_study(direction="maximize", sampler=_sampler(plan))
        self._distributions = {
            parameter.name: _distribution(parameter) for parameter in plan.parameters
        }
        self._left = list(plan.grid) if plan.sampler == "grid" else []
        self._open: list[Any] = []

    def ask(self, n: int) -> list[Point]:
        """Return the next ``n`` points; fewer where the grid has no more."""
        n = min(n, len(self._left)) if self._plan.sampler == "grid" else n
        made = []
        for _ in range(n):
            trial = self._study.ask(self._distributions)
            point: Point = {parameter.name: trial.params[parameter.name]
                            for parameter in self._plan.parameters}  # fmt: skip
            self._open.append(trial)
            made.append(point)
        if self._plan.sampler == "grid":
            self._left = self._left[n:]
        return made

    def tell(self, scores: Sequence[float]) -> None:
        """Take the scores of the points that were asked for last, in their order.

        A grid's points do not depend on them, and Optuna's grid ends a loop that there is not here.
        """
        if self._plan.sampler != "grid":
            for trial, score in zip(self._open, scores, strict=True):
                self._study.tell(trial, score)
        self._open = []


def _sampler(plan: SweepPlan) -> Any:
    from optuna import samplers

    if plan.sampler == "grid":
        space = {parameter.name: list(parameter.choices) for parameter in plan.parameters}
        return samplers.GridSampler(space, seed=plan.seed)
    if plan.sampler == "random":
        return samplers.RandomSampler(seed=plan.seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the liar is called experimental
        return samplers.TPESampler(seed=plan.seed, n_startup_trials=5, constant_liar=True)


def _distribution(parameter: SweepParameter) -> Any:
    from optuna import distributions

    if parameter.choices:
        return distributions.CategoricalDistribution(parameter.choices)
    if parameter.whole:
        return distributions.IntDistribution(int(parameter.low), int(parameter.high))
    return distributions.FloatDistribution(parameter.low, parameter.high)
