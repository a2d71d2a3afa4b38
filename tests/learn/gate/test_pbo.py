"""Overfitting by CSCV: luck is a coin, skill is found, and the sums are those of the rows."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from ares.learn.gate import pbo
from ares.learn.gate.pbo import overfitting


def of(returns: np.ndarray, blocks: int = 16) -> pbo.Overfitting:
    found = overfitting(returns, blocks)
    assert found is not None
    return found


def test_the_best_of_noise_is_a_coin() -> None:
    draw = np.random.default_rng(0)
    worlds = [of(draw.standard_t(4, (600, 20)), blocks=10) for _ in range(60)]
    assert np.mean([world.pbo for world in worlds]) == pytest.approx(0.5, abs=0.06)
    slopes = [world.degradation for world in worlds if world.degradation is not None]
    assert np.mean(slopes) < -0.3  # half the rows that were lucky are missing from the rest


def test_a_truly_better_recipe_is_found() -> None:
    returns = np.random.default_rng(1).normal(size=(2_000, 30))
    returns[:, 7] += 0.15
    found = of(returns)
    assert found.pbo < 0.01
    assert found.loss_probability < 0.01
    assert found.splits == math.comb(16, 8)
    assert len(found.logits) == found.splits
    assert np.median(found.logits) == pytest.approx(math.log(30 / 1))


def test_overfitting_is_found() -> None:
    """Recipes that each own one stretch of time and lose in the others."""
    returns = np.random.default_rng(2).normal(0.0, 0.1, (800, 8)) - 0.1
    for recipe in range(8):
        returns[100 * recipe : 100 * (recipe + 1), recipe] += 0.7
    found = of(returns, blocks=8)
    assert found.pbo == 1.0
    assert found.loss_probability == 1.0


def test_it_equals_the_papers_definition_row_by_row() -> None:
    returns = np.random.default_rng(3).normal(0.02, 1.0, (83, 5))
    edges = np.linspace(0, 83, 7).astype(int)
    parts = [np.arange(a, b) for a, b in itertools.pairwise(edges)]
    logits = []
    for way in itertools.combinations(range(6), 3):
        past = np.concatenate([parts[i] for i in way])
        rest = np.setdiff1d(np.arange(83), past)
        before = returns[past].mean(axis=0) / returns[past].std(axis=0)
        after = returns[rest].mean(axis=0) / returns[rest].std(axis=0)
        rank = 1 + int(np.sum(after < after[before.argmax()]))
        logits.append(math.log(rank / (6 - rank)))
    found = of(returns, blocks=6)
    assert found.logits == pytest.approx(np.array(logits))
    assert found.pbo == np.mean(np.array(logits) <= 0.0)


def test_going_through_the_ways_in_parts_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    returns = np.random.default_rng(4).normal(size=(200, 9))
    whole = of(returns, blocks=10)
    monkeypatch.setattr(pbo, "CELLS_MAX", 100)
    assert np.array_equal(of(returns, blocks=10).logits, whole.logits)


def test_recipes_that_never_trade_are_neither_best_nor_an_error() -> None:
    draw = np.random.default_rng(5)
    returns = np.column_stack([np.zeros(400), draw.normal(0.2, 1.0, 400), np.zeros(400)])
    assert of(returns).pbo < 0.05
    idle = of(np.zeros((400, 4)))
    assert idle.pbo == 1.0  # all the same: the best is average
    assert idle.degradation is None


def test_too_little_data_gives_no_number() -> None:
    assert overfitting(np.zeros((400, 1))) is None
    assert overfitting(np.zeros((31, 3))) is None


@pytest.mark.parametrize("blocks", [0, 7, 22])
def test_a_wrong_number_of_blocks_is_an_error(blocks: int) -> None:
    with pytest.raises(ValueError, match="blocks"):
        overfitting(np.zeros((400, 3)), blocks)


def test_returns_that_are_not_numbers_are_an_error() -> None:
    with pytest.raises(ValueError, match="finite"):
        overfitting(np.full((400, 3), np.nan))
