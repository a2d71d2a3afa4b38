"""Out-of-sample scores of an ensemble of one hourly member, on bars that drift nowhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.model import Ensemble, Member
from ares.domain.timeframe import HOUR_MS, Timeframe
from ares.kernel.bars import F64, Bars
from ares.kernel.ensemble import Scores
from ares.kernel.trade import Rules
from ares.learn.gate.account import AccountTerms
from ares.learn.gate.oos_scores import EnsembleScores
from ares.learn.recipe import LabelRecipe

N = 400
HORIZON = 12
WIDTH_MIN_BPS = 33.0
SPEC = InstrumentSpec(Instrument("binance", "BTC/USDT"), 4, 4)


def make_ensemble(name: str) -> Ensemble:
    member = Member(Timeframe.H1, name, "version", "hash", 1.0)
    return Ensemble(
        "binance:BTC/USDT", (member,), Timeframe.H1, 1.0, 0.0, HORIZON, 1.0, WIDTH_MIN_BPS,
        1.0, 1.0, 0.0, recipe_hash="recipe", features_hash="features",
    )  # fmt: skip


def path_bars(n: int) -> Bars:
    draw = np.random.default_rng(3)
    close = np.round(100.0 * np.exp(np.cumsum(0.004 * draw.standard_normal(n))), 4)
    open_ = np.concatenate([[100.0], close[:-1]])
    high, low = np.maximum(open_, close), np.minimum(open_, close)
    return Bars.make(np.arange(n) * HOUR_MS, open_, high, low, close, np.full(n, 1e6))


def make_scores(
    name: str = "a",
    sigma: F64 | None = None,
    seed: int = 0,
    p: Sequence[float] | F64 | None = None,
    n: int = N,
    **changes: Any,
) -> EnsembleScores:
    """Return an imported ensemble's scores: out of sample from the first bar on.

    p : (n,) probabilities; None: drawn at random. changes : of the scores' fields.
    """
    close_ms = (np.arange(n, dtype=np.int64) + 1) * HOUR_MS
    chances = np.random.default_rng(seed).random(n) if p is None else np.asarray(p, np.float64)
    spread = np.full(n, 0.002) if sigma is None else sigma
    made = EnsembleScores(
        make_ensemble(name), LabelRecipe(HORIZON, WIDTH_MIN_BPS, 0.0, 1.0),
        {Timeframe.H1: Scores(close_ms, chances, spread)}, (), 0, (), path_bars(n), HOUR_MS,
    )  # fmt: skip
    return replace(made, **changes)


@pytest.fixture
def scores() -> Callable[..., EnsembleScores]:
    """Return the maker of scores."""
    return make_scores


@pytest.fixture
def terms() -> AccountTerms:
    """Return terms without costs, on which half of the equity may be in a position."""
    rules = Rules(fee_bps=0.0, spread_bps=0.0, slippage_bps=0.0, position_max=0.5)
    return AccountTerms(SPEC, rules, 10_000.0)


def make_rising(n: int, step: float = 0.001, interval_ms: int = HOUR_MS) -> Bars:
    close = np.round(100.0 * (1.0 + step) ** np.arange(1, n + 1), 4)
    open_ = np.concatenate([[100.0], close[:-1]])
    high, low = np.maximum(open_, close), np.minimum(open_, close)
    return Bars.make(np.arange(n) * interval_ms, open_, high, low, close, np.full(n, 1e6))


@pytest.fixture
def rising() -> Callable[..., Bars]:
    """Return the maker of bars that rise by the same share each."""
    return make_rising
