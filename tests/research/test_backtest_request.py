"""A backtest request: the right candles, models and rules; an error is one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ares.adapters.model_bundle import export
from ares.adapters.model_store import ModelStore
from ares.domain.errors import UserError
from ares.domain.package import Package
from ares.domain.timeframe import DAY_MS, Timeframe
from ares.kernel.trade import Rules
from ares.research import Candles
from ares.research.backtest_request import BacktestRequest, BacktestRunner, OnDrawdown
from ares.research.report_text import rules_text
from ares.store.candles import CandleStore
from ares.store.database import open_database

CandlesMaker = Callable[..., Candles]
PackageMaker = Callable[..., Package]
N = 6 * 1_440


@dataclass(frozen=True)
class Setup:
    """A runner with two stored instruments."""

    runner: BacktestRunner
    candles: tuple[Candles, Candles]
    start_ms: int


@pytest.fixture(scope="module")
def setup(walk: CandlesMaker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setup]:
    root = tmp_path_factory.mktemp("runner")
    candles = (walk("AAA/USDT", N, 1), walk("BBB/USDT", N, 2, price=4.0))
    database = open_database(root / "ares.db")
    store = CandleStore(database, root / "cache")
    for each in candles:
        store.save(each.spec, "1m", each.bars, "test")
    runner = BacktestRunner(
        store, ModelStore(root / "models"), {}, Rules(), 10_000.0,
        ("AAA/USDT", "BBB/USDT", "CCC/USDT"), "test", 0.25,
    )  # fmt: skip
    yield Setup(runner, candles, int(candles[0].bars.ts_ms[0]))
    database.dispose()


@pytest.fixture
def stocked(setup: Setup, tiny_package: PackageMaker, tmp_path: Path) -> Setup:
    """Return the same setup with a package and its ensemble in a model store of its own."""
    models = ModelStore(tmp_path / "models")
    package = models.add(tiny_package(slope=1000.0))
    models.save_ensemble(package.alone("test:AAA/USDT", "2024-01-01T00:00:00Z"))
    return replace(setup, runner=replace(setup.runner, models=models))


def test_configured_symbols_without_candles_are_skipped_by_name(setup: Setup) -> None:
    got = setup.runner.run(BacktestRequest(baseline="buy_hold", days=2))
    assert [each.key for each in got.candles] == ["test:AAA/USDT", "test:BBB/USDT"]
    assert any(text.startswith("CCC/USDT is skipped") for text in got.warnings)
    assert got.metrics.days == 2
    assert got.metrics.entries == 2


def test_the_window_is_cut_to_the_request(setup: Setup) -> None:
    from_ms, to_ms = setup.start_ms + DAY_MS, setup.start_ms + 2 * DAY_MS
    request = BacktestRequest(("AAA/USDT",), baseline="buy_hold", from_ms=from_ms, to_ms=to_ms)
    got = setup.runner.run(request)
    assert (got.metrics.from_ms, got.metrics.to_ms, got.metrics.bars) == (from_ms, to_ms, 1_440)


def test_a_baseline_has_no_limits_but_those_requested(setup: Setup) -> None:
    free = setup.runner.run(BacktestRequest(("AAA/USDT",), baseline="sma_cross", fast_bars=5))
    assert free.rules.drawdown_max == free.rules.win_rate_min == free.rules.daily_loss_max == 0
    assert free.rules.participation_max == 0
    assert not free.rules.stop_enabled
    bound = setup.runner.run(
        BacktestRequest(
            ("AAA/USDT",), baseline="sma_cross", fast_bars=5, position_max=0.2,
            drawdown_max=0.01, daily_loss_max=0.005, stop_bps=50.0, fee_bps=0.0,
        )
    )  # fmt: skip
    assert bound.exposure.max() < 0.22
    assert bound.rules.fee_bps == 0.0
    assert {"stop", "take_profit"} <= set(bound.trades["exit_reason"])
    assert bound.counts.breakers.get("drawdown", 0) + bound.counts.daily_stops > 0


@pytest.mark.parametrize(
    ("on_drawdown", "text"),
    [(None, "no entries, positions stay"), ("close", "everything is sold")],
)
def test_a_drawdown_limit_does_what_the_screen_states(
    setup: Setup, on_drawdown: OnDrawdown | None, text: str
) -> None:
    got = setup.runner.run(
        BacktestRequest(
            ("AAA/USDT",), baseline="buy_hold", drawdown_max=0.01, on_drawdown=on_drawdown
        )
    )
    assert got.counts.breakers["drawdown"] == 1
    assert f"1.0% below the peak {text}" in rules_text(got)
    open_at_end = float(got.exposure[-1]) > 0.0
    assert open_at_end == (on_drawdown is None)


def test_a_models_drawdown_limit_is_that_of_the_settings(stocked: Setup) -> None:
    runner = replace(stocked.runner, rules=replace(stocked.runner.rules, close_on_drawdown=True))
    request = BacktestRequest(("AAA/USDT",), days=3)
    assert runner.run(request).rules.close_on_drawdown
    assert not runner.run(replace(request, on_drawdown="hold")).rules.close_on_drawdown


def test_sma_cross_on_longer_bars_decides_at_their_closes(setup: Setup) -> None:
    got = setup.runner.run(
        BacktestRequest(
            ("AAA/USDT",), baseline="sma_cross", fast_bars=3, slow_bars=9, timeframe=Timeframe.H1
        )
    )
    assert got.metrics.trades > 3
    assert got.strategy.name == "sma_cross 3/9 on 1h"
    for moment in [*got.trades["entry_time"], *got.trades["exit_time"]]:
        assert (moment.minute, moment.second) == (0, 0)


@pytest.mark.parametrize("ref", [None, "test_AAA-USDT_5m", "test_AAA-USDT_5m@20240101_000000"])
def test_a_model_is_found_by_its_names_and_by_default(stocked: Setup, ref: str | None) -> None:
    symbols = () if ref else ("AAA/USDT",)
    got = stocked.runner.run(BacktestRequest(symbols, model=ref, days=3, edge_bps_min=-60.0))
    assert got.strategy.kind == "package"
    assert got.strategy.name == "test_AAA-USDT_5m/20240101_000000"
    assert [each.key for each in got.candles] == ["test:AAA/USDT"]
    assert got.signals.instants == got.metrics.bars
    assert got.metrics.trades > 0
    assert got.rules.drawdown_max == Rules().drawdown_max
    assert got.rules.gate_mode is False
    assert got.rules.edge_bps_exit == -85.0


def test_an_ensemble_by_hash_and_a_package_out_of_a_file(stocked: Setup, tmp_path: Path) -> None:
    ensemble = stocked.runner.models.newest_candidate("test:AAA/USDT")
    assert ensemble is not None
    by_hash = stocked.runner.run(BacktestRequest(model=ensemble.hash[:10], days=2))
    export(stocked.runner.models, "test_AAA-USDT_5m", tmp_path / "out.zip")
    from_file = stocked.runner.run(BacktestRequest(model=str(tmp_path / "out.zip"), days=2))
    assert by_hash.metrics == from_file.metrics


def test_the_champion_is_preferred_to_the_newest(
    stocked: Setup, tiny_package: PackageMaker
) -> None:
    models = stocked.runner.models
    older = models.newest_candidate("test:AAA/USDT")
    assert older is not None
    newer = models.add(tiny_package(slope=-1000.0)).alone("test:AAA/USDT", "2024-02-01T00:00:00Z")
    models.save_ensemble(newer)
    with_champion = replace(stocked.runner, champions={"test:AAA/USDT": older.hash})
    request = BacktestRequest(("AAA/USDT",), days=1)
    assert with_champion.run(request).provenance["models"][0]["ensemble"] == older.hash
    assert stocked.runner.run(request).provenance["models"][0]["ensemble"] == newer.hash


def test_an_instrument_without_a_model_is_skipped(stocked: Setup) -> None:
    got = stocked.runner.run(BacktestRequest(("AAA/USDT", "BBB/USDT"), days=1))
    assert [each.key for each in got.candles] == ["test:AAA/USDT"]
    assert "test:BBB/USDT is skipped: it has no model" in got.warnings


def test_the_gate_is_that_of_the_engine(stocked: Setup) -> None:
    got = stocked.runner.run(BacktestRequest(("AAA/USDT",), days=2, gate=True, edge_bps_min=-60.0))
    assert got.rules.gate_mode is True
    assert "mode_learning" in got.counts.refusals


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (BacktestRequest(("XXX/USDT",), baseline="buy_hold"), "unknown symbol 'XXX/USDT'"),
        (BacktestRequest(("BBB/USDT",)), "there is no model for test:BBB/USDT"),
        (BacktestRequest(model="nobody"), "no model 'nobody'"),
        (BacktestRequest(("AAA/USDT",), baseline="sma_cross", fast_bars=9, slow_bars=9), "fewer"),
        (BacktestRequest(("AAA/USDT",), baseline="buy_hold", size=1e-9), "must be at least"),
        (BacktestRequest(("AAA/USDT",), baseline="buy_hold", size=1, position_max=0.1), "--size"),
        (BacktestRequest(("AAA/USDT",), baseline="buy_hold", from_ms=9, to_ms=9), "is empty"),
        (BacktestRequest(("AAA/USDT",), baseline="buy_hold", from_ms=0, to_ms=DAY_MS), "no candle"),
    ],
)
def test_an_error_is_one_line(setup: Setup, request_: BacktestRequest, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        setup.runner.run(request_)
    assert "\n" not in str(caught.value)
