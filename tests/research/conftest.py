"""Small synthetic candles for the tests of research."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ares import api
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.model import Validation
from ares.domain.package import GRAPH_FILE, Package, PackageCard, sealed
from ares.domain.timeframe import MINUTE_MS, Timeframe
from ares.kernel.bars import Bars
from ares.kernel.features import FEATURE_NAMES, FEATURES_HASH, N_FEATURES
from ares.kernel.trade import Rules, Signals
from ares.research import BacktestResult, Strategy
from ares.research.market import Candles

START_MS = 1_700_000_000_000 // 86_400_000 * 86_400_000


@pytest.fixture(scope="session")
def walk() -> Callable[..., Candles]:
    """Return the maker of random walks (hypothesis wants session fixtures)."""
    return _walk


@pytest.fixture(scope="session")
def baseline(walk: Callable[..., Candles]) -> BacktestResult:
    """Return a backtest of two instruments with several hundred trades."""
    candles = [walk("AAA/USDT", 40_000, 1), walk("BBB/USDT", 40_000, 2, price=3.0)]
    return api.backtest(candles, api.sma_cross(candles, 10, 40))


@pytest.fixture(scope="session")
def modelled(walk: Callable[..., Candles]) -> BacktestResult:
    """Return a backtest of signals with a confidence."""
    candles_ = walk(n=5_000, seed=3)
    chance = np.random.default_rng(3)
    p = chance.beta(8, 8, (5_000, 1))
    strategy = Strategy(
        "<script>alert(1)</script> & co", "ensemble",
        Signals(p, 200 * (p - 0.6), np.full_like(p, 60.0)), (0,), ((0.0, 0.0, 0.0),),
        warnings=("half of the window is training data",),
    )  # fmt: skip
    return api.backtest(candles_, strategy, rules=replace(Rules(), gate_mode=False))


@pytest.fixture(scope="session")
def candles_of() -> Callable[..., Candles]:
    """Return the maker of candles with given closes."""
    return _candles_of


@pytest.fixture(scope="session")
def tiny_package() -> Callable[..., Package]:
    """Return the maker of packages: a logistic line through one feature."""
    return _tiny_package


def _tiny_package(
    instrument: str = "test:AAA/USDT",
    timeframe: Timeframe = Timeframe.M5,
    slope: float = 200.0,
    data: tuple[int, int] = (0, 1),
    features_hash: str = FEATURES_HASH,
    scope: str = "instrument",
) -> Package:
    from onnx import TensorProto, helper

    weights = np.zeros((N_FEATURES, 1), np.float32)
    weights[FEATURE_NAMES.index("return_1")] = slope
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["features", "w"], ["raw"]),
            helper.make_node("Sigmoid", ["raw"], ["probability"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, N_FEATURES])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, [None, 1])],
        [helper.make_tensor("w", TensorProto.FLOAT, weights.shape, weights.ravel())],
    )
    opset = [helper.make_opsetid("", 15)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    symbol = Instrument.parse(instrument)
    card = PackageCard(
        reference=None,
        verdict=None,
        name=f"{symbol.slug if scope == 'instrument' else 'universe'}_{timeframe.value}",
        version="20240101_000000",
        scope=scope,
        instruments=(instrument,),
        timeframe=timeframe,
        origin="trained",
        features=FEATURE_NAMES,
        features_hash=features_hash,
        recipe={},
        recipe_hash="aa",
        horizon_bars=12,
        width_sigmas=1.0,
        width_min_bps=20.0,
        cost_bps=0.0,
        gain=1.0,
        loss=1.0,
        data_from_ms=data[0],
        data_to_ms=data[1],
        data_rows=1,
        data_hash="bb",
        validation=Validation(100, 5.0, 40.0),
        metrics={},
        parity={},
        libraries={},
        git_commit="",
        created_at="2024-01-01T00:00:00Z",
    )
    return sealed(card, {GRAPH_FILE: model.SerializeToString()})


def _walk(
    symbol: str = "AAA/USDT",
    n: int = 500,
    seed: int = 0,
    timeframe: Timeframe = Timeframe.M1,
    start_ms: int = START_MS,
    price: float = 100.0,
    decimals: tuple[int, int] = (2, 3),
    step: float = 0.002,
    gaps: float = 0.0,
) -> Candles:
    """Return candles of a random walk on the grid; ``gaps`` is the share of bars left out."""
    chance = np.random.default_rng(seed)
    close = price * np.exp(np.cumsum(step * chance.standard_t(4, n) / 1.4))
    opens = np.concatenate([[price], close[:-1]]) * (1 + 0.0002 * chance.standard_normal(n))
    high = np.maximum(opens, close) * (1 + 0.3 * step * chance.random(n))
    low = np.minimum(opens, close) * (1 - 0.3 * step * chance.random(n))
    grid = [np.maximum(np.round(x, decimals[0]), 10.0 ** -decimals[0]) for x in (opens, close)]
    top = np.maximum(np.round(high, decimals[0]), np.maximum(*grid))
    bottom = np.maximum(np.minimum(np.round(low, decimals[0]), np.minimum(*grid)), 0.01)
    volume = np.round(chance.exponential(50.0, n), decimals[1])
    ts_ms = start_ms // timeframe.ms * timeframe.ms + np.arange(n) * timeframe.ms
    keep = chance.random(n) >= gaps
    keep[0] = True
    bars = Bars.make(ts_ms, grid[0], top, bottom, grid[1], volume)[keep]
    return Candles(InstrumentSpec(Instrument("test", symbol), *decimals), timeframe, bars)


def _candles_of(closes: list[float], opens: list[float] | None = None) -> Candles:
    """Return one-minute candles with these closes; opens default to the close before."""
    close = np.array(closes)
    first = np.array(opens) if opens is not None else np.concatenate([close[:1], close[:-1]])
    return Candles(
        InstrumentSpec(Instrument("test", "AAA/USDT"), 2, 3),
        Timeframe.M1,
        Bars.make(
            START_MS + np.arange(len(close)) * MINUTE_MS,
            first,
            np.maximum(first, close),
            np.minimum(first, close),
            close,
            np.full(len(close), 1_000.0),
        ),
    )
