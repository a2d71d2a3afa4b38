"""Rows with a planted skill, and without."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ares.adapters.onnx_model import open_model
from ares.domain.timeframe import Timeframe
from ares.learn.calibration import Platt
from ares.learn.fit import FittedModel, fit
from ares.learn.parity import Parity, compare
from ares.learn.recipe import LabelRecipe, Recipe
from ares.learn.rows import Rows

MakeRows = Callable[..., Rows]
COLUMNS = tuple(f"f{place}" for place in range(12))


def make_rows(n: int = 1500, seed: int = 0, skill: float = 0.6, lanes: int = 1) -> Rows:
    """Return hourly rows whose outcome leans on the first feature by ``skill`` log-odds."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(n, len(COLUMNS))).astype(np.float32)
    x[:, 3] = np.round(x[:, 3], 1)
    x[draw.random(n) < 0.05, 4] = np.nan
    x[:, 5] *= 1e-36
    won = draw.random(n) < 1.0 / (1.0 + np.exp(-skill * x[:, 0]))
    decided = np.arange(n, dtype=np.int64) // lanes * 3_600_000
    ends = decided + draw.integers(1, 13, n) * 3_600_000
    net = np.where(won, 0.008, -0.012) * draw.uniform(0.8, 1.2, n)
    lane = (np.arange(n) % lanes).astype(np.int32)
    return Rows(x, decided, ends, net, np.full(n, 0.01), lane)


@pytest.fixture(scope="session")
def rows() -> MakeRows:
    """Return the maker of rows."""
    return make_rows


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    """Return an hourly recipe over the rows' columns."""
    label = LabelRecipe(horizon_bars=12, width_min_bps=33.0, cost_bps=22.0)
    return Recipe(Timeframe.H1, COLUMNS, "features", label)


@pytest.fixture(scope="session")
def trained(rows: MakeRows, recipe: Recipe) -> tuple[Rows, FittedModel]:
    """Return rows, and the model that was fitted on them."""
    table = rows(3000)
    return table, fit(table.x, table, recipe)


def compare_graph(graph: bytes, fitted: FittedModel, platt: Platt, table: np.ndarray) -> Parity:
    expected = platt.probability(fitted.raw(table))
    return compare(expected, open_model(graph, table.shape[1], "test"), table)


@pytest.fixture(scope="session")
def parity_of() -> Callable[..., Parity]:
    """Return what compares a graph with the model that it was exported from."""
    return compare_graph
