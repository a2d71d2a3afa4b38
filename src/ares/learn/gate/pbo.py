"""Probability of backtest overfitting: how often the best recipe in sample is below the median out.

Bailey, Borwein, López de Prado & Zhu 2017, The Probability of Backtest Overfitting, Journal of
Computational Finance 20(4): combinatorially symmetric cross-validation (CSCV). Time is cut into
blocks; for each choice of half of them as in-sample, the recipe with the best in-sample Sharpe
ratio is ranked among all by its Sharpe ratio on the other half, out of sample.
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
"""Splits times recipes in one batch: 32 MB an array."""

SPREAD_MIN = 1e-12
"""Variance below this share of the recipe's mean square is rounding error: constant."""


@dataclass(frozen=True, slots=True)
class Overfitting:
    """Result of CSCV; *best* is the recipe with the best Sharpe ratio in sample.

    pbo    : share of the splits in which the best is not above the median out of sample.
    loss_probability : share of the splits in which it loses money out of sample.
    degradation : slope of the out-of-sample on the in-sample Sharpe ratio over the splits; below
             zero, a better past means a worse future. None: the in-sample ratios do not vary.
    logits : (splits,) log-odds of the best recipe's relative rank out of sample.
    """

    pbo: float
    loss_probability: float
    degradation: float | None
    recipes: int
    splits: int
    logits: F64


def overfitting(returns: F64, blocks: int = BLOCKS) -> Overfitting | None:
    """Return the probability that choosing the best of these recipes overfits.

    returns : (n_rows, n_recipes) of the same rows of time, oldest first, after costs.
    blocks  : even; the rows are cut into as many blocks, equal but for a row.
    returns : None with one recipe, or with fewer than two rows in a block.

    A recipe whose returns do not vary in some rows (it never trades) has a Sharpe ratio of 0 there.
    Of recipes that tie for the best in sample the first is taken; ties out of sample share a rank.

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
    halves = _halves(blocks)
    inside, outside, rank = (np.empty(len(halves)) for _ in range(3))
    step = max(1, CELLS_MAX // recipes)
    for at in range(0, len(halves), step):
        now = slice(at, at + step)
        in_sample = parts.sharpe(halves[now])
        out_of_sample = parts.sharpe(1.0 - halves[now])
        split = np.arange(len(in_sample))
        best = in_sample.argmax(axis=1)
        inside[now], outside[now] = in_sample[split, best], out_of_sample[split, best]
        rank[now] = _rank(out_of_sample, outside[now])
    share = rank / (recipes + 1)
    logits = np.log(share / (1.0 - share))
    return Overfitting(
        pbo=float(np.mean(logits <= 0.0)),
        loss_probability=float(np.mean(outside < 0.0)),
        degradation=_slope(inside, outside),
        recipes=recipes,
        splits=len(halves),
        logits=logits,
    )


class _Blocks:
    """Counts, sums and squares of each block; those of a set of blocks are their sums."""

    def __init__(self, returns: F64, blocks: int) -> None:
        edges = np.linspace(0, len(returns), blocks + 1).astype(np.int64)
        self.centre = returns.mean(axis=0)  # centred: no cancellation in the squares
        away = returns - self.centre
        self.rows = np.diff(edges).astype(np.float64)
        self.sums = np.add.reduceat(away, edges[:-1], axis=0)
        self.squares = np.add.reduceat(away**2, edges[:-1], axis=0)
        self.least = SPREAD_MIN * np.mean(returns**2, axis=0)

    def sharpe(self, chosen: F64) -> F64:
        """Return the Sharpe ratios over chosen blocks.

        chosen  : (n_splits, n_blocks) 1 where a block is in the set.
        returns : (n_splits, n_recipes).
        """
        n = (chosen @ self.rows)[:, None]
        drift = chosen @ self.sums / n
        variance = chosen @ self.squares / n - drift**2
        varies = variance > self.least
        sd = np.sqrt(np.where(varies, variance, np.inf))
        ratio: F64 = (self.centre + drift) / sd
        return ratio


def _halves(blocks: int) -> F64:
    """Return every choice of half of the blocks, ``(n_splits, n_blocks)`` of 0 and 1."""
    half = blocks // 2
    splits = math.comb(blocks, half)
    chosen = np.fromiter(
        itertools.chain.from_iterable(itertools.combinations(range(blocks), half)),
        np.int64,
        splits * half,
    )
    halves = np.zeros((splits, blocks))
    np.put_along_axis(halves, chosen.reshape(splits, half), 1.0, axis=1)
    return halves


def _rank(values: F64, best: F64) -> F64:
    """Return the rank of ``best`` (n_splits,) in its row, 1 the worst; ties share their mean."""
    below = np.count_nonzero(values < best[:, None], axis=1)
    equal = np.count_nonzero(values == best[:, None], axis=1)
    rank: F64 = below + 0.5 * (equal + 1)
    return rank


def _slope(x: F64, y: F64) -> float | None:
    away = x - x.mean()
    spread = float(away @ away)
    return float(away @ y) / spread if spread > 0.0 else None
