"""Probability of backtest overfitting: how often the recipe that looked best is not even average.

Bailey, Borwein, López de Prado & Zhu 2017, The Probability of Backtest Overfitting, Journal of
Computational Finance 20(4): combinatorially symmetric cross-validation (CSCV). Time is cut into
blocks; for each way to call half of them the past, the recipe with the best Sharpe ratio of the
past is ranked among all by its Sharpe ratio of the rest.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from ares.kernel.bars import F64

BLOCKS = 16
BLOCKS_MAX = 20
ROWS_PER_BLOCK_MIN = 2
CELLS_MAX = 4_000_000
"""Ways times recipes that are looked at in one go: 32 MB an array."""

SPREAD_MIN = 1e-12
"""Variance below this share of the recipe's mean square is rounding: it did not vary."""


@dataclass(frozen=True, slots=True)
class Overfitting:
    """What CSCV found.

    pbo    : share of the ways in which the best of the past was not above the median of the rest.
    loss   : share of the ways in which it lost money in the rest.
    slope  : what a unit of past Sharpe ratio was worth in the rest (regression over the ways);
             below zero, the better it looked the worse it was. None: the past did not vary.
    logits : (ways,) log-odds of the best one's relative rank in the rest; below zero is bad.
    """

    pbo: float
    loss: float
    slope: float | None
    recipes: int
    ways: int
    logits: F64


def overfitting(returns: F64, blocks: int = BLOCKS) -> Overfitting | None:
    """Return the probability that choosing the best of these recipes is choosing luck.

    returns : (n_rows, n_recipes) of the same rows of time, oldest first, after costs.
    blocks  : even; the rows are cut into as many blocks, equal but for a row.
    returns : None with one recipe, or with fewer than two rows in a block.

    A recipe that does not vary in the rows looked at (it never trades) has a Sharpe ratio of 0.
    Of recipes that tie for the best of the past the first is taken; ties in the rest share a rank.

    >>> draw = np.random.default_rng(0)
    >>> returns = draw.normal(size=(1600, 20))
    >>> returns[:, 3] += 0.2
    >>> overfitting(returns).pbo
    0.0
    """
    if blocks % 2 or not 2 <= blocks <= BLOCKS_MAX:
        raise ValueError(f"{blocks} blocks: an even number from 2 to {BLOCKS_MAX}")
    if returns.ndim != 2 or not np.isfinite(returns).all():
        raise ValueError("returns must be finite, (n_rows, n_recipes)")
    rows, recipes = returns.shape
    if recipes < 2 or rows < ROWS_PER_BLOCK_MIN * blocks:
        return None
    parts = _Blocks(returns, blocks)
    past = _halves(blocks)
    looked, came, rank = (np.empty(len(past)) for _ in range(3))
    step = max(1, CELLS_MAX // recipes)
    for at in range(0, len(past), step):
        now = slice(at, at + step)
        before = parts.sharpe(past[now])
        after = parts.sharpe(1.0 - past[now])
        way = np.arange(len(before))
        best = before.argmax(axis=1)
        looked[now], came[now] = before[way, best], after[way, best]
        rank[now] = _rank(after, came[now])
    share = rank / (recipes + 1)
    logits = np.log(share / (1.0 - share))
    return Overfitting(
        pbo=float(np.mean(logits <= 0.0)),
        loss=float(np.mean(came < 0.0)),
        slope=_slope(looked, came),
        recipes=recipes,
        ways=len(past),
        logits=logits,
    )


class _Blocks:
    """Counts, sums and squares of each block, from which those of any set of blocks follow."""

    def __init__(self, returns: F64, blocks: int) -> None:
        edges = np.linspace(0, len(returns), blocks + 1).astype(np.int64)
        self.centre = returns.mean(axis=0)  # squares of what is left do not cancel
        away = returns - self.centre
        self.rows = np.diff(edges).astype(np.float64)
        self.sums = np.add.reduceat(away, edges[:-1], axis=0)
        self.squares = np.add.reduceat(away**2, edges[:-1], axis=0)
        self.least = SPREAD_MIN * np.mean(returns**2, axis=0)

    def sharpe(self, chosen: F64) -> F64:
        """Return the Sharpe ratios over chosen blocks.

        chosen  : (n_ways, n_blocks) 1 where a block is looked at.
        returns : (n_ways, n_recipes).
        """
        n = (chosen @ self.rows)[:, None]
        drift = chosen @ self.sums / n
        variance = chosen @ self.squares / n - drift**2
        varies = variance > self.least
        sd = np.sqrt(np.where(varies, variance, np.inf))
        ratio: F64 = (self.centre + drift) / sd
        return ratio


def _halves(blocks: int) -> F64:
    """Return every way to choose half of the blocks, ``(n_ways, n_blocks)`` of 0 and 1."""
    half = blocks // 2
    ways = math.comb(blocks, half)
    chosen = np.fromiter(
        itertools.chain.from_iterable(itertools.combinations(range(blocks), half)),
        np.int64,
        ways * half,
    )
    halves = np.zeros((ways, blocks))
    np.put_along_axis(halves, chosen.reshape(ways, half), 1.0, axis=1)
    return halves


def _rank(values: F64, mine: F64) -> F64:
    """Return the rank of ``mine`` (n_ways,) within its row, 1 the worst; ties share their mean."""
    below = np.count_nonzero(values < mine[:, None], axis=1)
    equal = np.count_nonzero(values == mine[:, None], axis=1)
    rank: F64 = below + 0.5 * (equal + 1)
    return rank


def _slope(x: F64, y: F64) -> float | None:
    away = x - x.mean()
    spread = float(away @ away)
    return float(away @ y) / spread if spread > 0.0 else None
