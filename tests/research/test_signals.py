"""Signals of ensembles over history: the last closed bars speak, the future does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from ares.domain.errors import UserError
from ares.domain.model import Ensemble, Member
from ares.domain.package import Package
from ares.domain.timeframe import Timeframe
from ares.kernel.bars import F64, Bars
from ares.kernel.features import FEATURE_NAMES, WARMUP_BARS, features_of
from ares.kernel.resample import fill_gaps, resample
from ares.research.backtest_request import scorer
from ares.research.market import Candles
from ares.research.signals import EnsembleMembers, HistoryOf, ensemble_strategy
from ares.research.strategy import Strategy

CandlesMaker = Callable[..., Candles]
PackageMaker = Callable[..., Package]
N = 8_000


def history_of(*candles: Candles) -> HistoryOf:
    """Return histories resampled from one-minute candles."""
    by_key = {each.key: each for each in candles}

    def read(key: str, timeframe: Timeframe, from_ms: int, to_ms: int) -> Bars:
        if key not in by_key:
            return Bars.empty()
        base = by_key[key]
        bars = fill_gaps(base.bars, base.timeframe.ms)
        bars = resample(bars, base.timeframe.ms, timeframe.ms)
        return bars.between(from_ms, to_ms - timeframe.ms + 1)

    return read


def two_members(packages: list[Package]) -> EnsembleMembers:
    """Return the ensemble of a 1m and a 5m package, weighted 1 to 3."""
    alone = packages[1].alone("test:AAA/USDT", "now")
    members = tuple(
        Member(p.card.timeframe, p.card.name, p.card.version, p.hash, weight)
        for p, weight in zip(packages, (0.25, 0.75), strict=True)
    )
    ensemble: Ensemble = msgspec.structs.replace(alone, members=members, platt_a=1.5, platt_b=-0.1)
    return EnsembleMembers(ensemble, tuple(packages))


@pytest.fixture(scope="module")
def ensembles(tiny_package: PackageMaker) -> EnsembleMembers:
    return two_members(
        [tiny_package(timeframe=Timeframe.M1), tiny_package(timeframe=Timeframe.M5, slope=-300.0)]
    )


def strategy(
    each: Candles, whole: Candles, ensembles: EnsembleMembers, cost_bps: float = 0.0
) -> Strategy:
    return ensemble_strategy([each], [ensembles], history_of(whole), scorer, cost_bps, 0.25, "x")


def probability(x: F64, slope: float) -> F64:
    return np.asarray(1.0 / (1.0 + np.exp(-slope * x)))


def test_each_close_uses_the_last_closed_bar_of_each_timeframe(
    walk: CandlesMaker, ensembles: EnsembleMembers
) -> None:
    whole = walk(n=N, seed=1)
    window = whole.between(int(whole.bars.ts_ms[3_000]), int(whole.bars.ts_ms[6_000]))
    got = strategy(window, whole, ensembles)
    parts = []
    for timeframe, slope in ((Timeframe.M1, 200.0), (Timeframe.M5, -300.0)):
        bars = resample(whole.bars, 60_000, timeframe.ms)
        table = features_of(bars, timeframe, None)
        x = table.values[:, FEATURE_NAMES.index("return_1")].astype(np.float64)
        closed = np.searchsorted(bars.ts_ms + timeframe.ms, window.close_ms, side="right") - 1
        parts.append(probability(x, slope)[closed])
    mean = 0.25 * parts[0] + 0.75 * parts[1]
    expected = 1.0 / (1.0 + np.exp(-(1.5 * np.log(mean / (1.0 - mean)) - 0.1)))
    np.testing.assert_allclose(got.signals.p[:, 0], expected, atol=2e-6)
    assert got.horizon_ms == (12 * 300_000,)
    assert got.validation == ((25.0, 5.0, 40.0),)


def test_the_future_moves_nothing(walk: CandlesMaker, ensembles: EnsembleMembers) -> None:
    whole = walk(n=N, seed=2)
    start, cut, end = (int(whole.bars.ts_ms[k]) for k in (3_000, 5_003, 7_000))
    full = strategy(whole.between(start, end), whole, ensembles)
    short = strategy(whole.between(start, cut), whole.between(None, cut), ensembles)
    n = len(short.signals.p)
    assert np.isfinite(short.signals.edge_bps).all()
    for name in ("p", "edge_bps", "barrier_bps"):
        np.testing.assert_array_equal(getattr(full.signals, name)[:n], getattr(short.signals, name))


def test_dearer_trading_lowers_the_edge_by_just_that(
    walk: CandlesMaker, ensembles: EnsembleMembers
) -> None:
    whole = walk(n=N, seed=3)
    window = whole.between(int(whole.bars.ts_ms[4_000]), None)
    free, dear = (strategy(window, whole, ensembles, cost).signals.edge_bps for cost in (0.0, 22.0))
    np.testing.assert_allclose(free - dear, 22.0)


def test_without_enough_history_there_is_no_score_and_a_warning(
    walk: CandlesMaker, ensembles: EnsembleMembers
) -> None:
    whole = walk(n=WARMUP_BARS, seed=4)
    got = strategy(whole, whole, ensembles)
    assert np.isnan(got.signals.edge_bps).all()
    assert any("has no score in the window" in text for text in got.warnings)


def test_a_window_inside_the_training_data_is_called_out(
    walk: CandlesMaker, tiny_package: PackageMaker
) -> None:
    whole = walk(n=N, seed=5)
    times = whole.bars.ts_ms
    window = whole.between(int(times[4_000]), int(times[6_000]))
    clean = tiny_package(data=(int(times[0]), int(times[4_000])))
    half = tiny_package(data=(int(times[0]), int(times[5_000])))
    for package, loud in ((clean, False), (half, True)):
        ensembles = EnsembleMembers(package.alone("test:AAA/USDT", "now"), (package,))
        got = strategy(window, whole, ensembles)
        assert any("50% of the window is training data" in t for t in got.warnings) is loud
        assert got.models[0]["members"][0]["data_to_ms"] == package.card.data_to_ms


def test_a_model_of_another_instrument_is_called_out(
    walk: CandlesMaker, tiny_package: PackageMaker
) -> None:
    whole = walk(n=3_000, seed=6)
    package = tiny_package(instrument="test:ZZZ/USDT")
    got = strategy(whole, whole, EnsembleMembers(package.alone("test:AAA/USDT", "now"), (package,)))
    assert any("trained for test:ZZZ/USDT" in text for text in got.warnings)


def test_other_features_are_refused(walk: CandlesMaker, tiny_package: PackageMaker) -> None:
    whole = walk(n=3_000)
    package = tiny_package(features_hash="old")
    with pytest.raises(UserError, match="other features"):
        strategy(whole, whole, EnsembleMembers(package.alone("test:AAA/USDT", "now"), (package,)))


def test_two_instruments_speak_for_themselves(
    walk: CandlesMaker, tiny_package: PackageMaker
) -> None:
    a, b = walk("AAA/USDT", N, 7), walk("BBB/USDT", N, 8, price=5.0)
    packages = [tiny_package(), tiny_package(instrument="test:BBB/USDT", slope=-100.0)]
    members = [
        EnsembleMembers(package.alone(each.key, "now"), (package,))
        for package, each in zip(packages, (a, b), strict=True)
    ]
    both = ensemble_strategy([a, b], members, history_of(a, b), scorer, 0.0, 0.25, "two")
    for i, each in enumerate((a, b)):
        alone = ensemble_strategy([each], [members[i]], history_of(a, b), scorer, 0.0, 0.25, "one")
        np.testing.assert_array_equal(both.signals.p[:, i], alone.signals.p[:, 0])
    assert replace(both, name="one").kind == "ensemble"
