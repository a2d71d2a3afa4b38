"""What a person asks for becomes the right candles, models, rules; mistakes become one line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ares.adapters.model_bundle import export
from ares.adapters.model_store import ModelStore
from ares.domain.errors import UserError
from ares.domain.package import Package
from ares.domain.timeframe import DAY_MS, Timeframe
from ares.kernel.trade import Rules
from ares.research import Candles
from ares.research.backtest_request import BacktestRequest, BacktestRunner
from ares.research.cli_values import bps, share, size_of
from ares.research.result_json import keep
from ares.research.window import parse_utc, window
from ares.store.candles import CandleStore
from ares.store.database import open_database

CandlesMaker = Callable[..., Candles]
PackageMaker = Callable[..., Package]
N = 6 * 1_440


@dataclass(frozen=True)
class Place:
    """A desk with two stored instruments, and what lies on it."""

    desk: BacktestRunner
    candles: tuple[Candles, Candles]
    start_ms: int


@pytest.fixture(scope="module")
def place(walk: CandlesMaker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    root = tmp_path_factory.mktemp("desk")
    candles = (walk("AAA/USDT", N, 1), walk("BBB/USDT", N, 2, price=4.0))
    database = open_database(root / "ares.db")
    store = CandleStore(database, root / "cache")
    for one in candles:
        store.save(one.spec, "1m", one.bars, "made up")
    desk = BacktestRunner(
        store, ModelStore(root / "models"), {}, Rules(), 10_000.0,
        ("AAA/USDT", "BBB/USDT", "CCC/USDT"), "test", 0.25,
    )  # fmt: skip
    yield Place(desk, candles, int(candles[0].bars.ts_ms[0]))
    database.dispose()


@pytest.fixture
def stocked(place: Place, tiny_package: PackageMaker, tmp_path: Path) -> Place:
    """Return the same place with a package and its ensemble in a model store of its own."""
    models = ModelStore(tmp_path / "models")
    package = models.add(tiny_package(slope=1000.0))
    models.save_ensemble(package.alone("test:AAA/USDT", "2024-01-01T00:00:00Z"))
    return replace(place, desk=replace(place.desk, models=models))


def test_configured_symbols_without_candles_are_left_out_by_name(place: Place) -> None:
    got = place.desk.run(BacktestRequest(baseline="buy_hold", days=2))
    assert [one.key for one in got.candles] == ["test:AAA/USDT", "test:BBB/USDT"]
    assert any(text.startswith("CCC/USDT is left out") for text in got.warnings)
    assert got.metrics.days == 2
    assert got.metrics.entries == 2


def test_the_window_is_cut_to_what_was_asked(place: Place) -> None:
    from_ms, to_ms = place.start_ms + DAY_MS, place.start_ms + 2 * DAY_MS
    request = BacktestRequest(("AAA/USDT",), baseline="buy_hold", from_ms=from_ms, to_ms=to_ms)
    got = place.desk.run(request)
    assert (got.metrics.from_ms, got.metrics.to_ms, got.metrics.bars) == (from_ms, to_ms, 1_440)


def test_a_baseline_has_no_limits_but_those_asked_for(place: Place) -> None:
    free = place.desk.run(BacktestRequest(("AAA/USDT",), baseline="sma_cross", fast_bars=5))
    assert free.rules.drawdown_max == free.rules.win_rate_min == free.rules.daily_loss_max == 0
    assert free.rules.participation_max == 0
    assert not free.rules.stop_enabled
    bound = place.desk.run(
        BacktestRequest(
            ("AAA/USDT",), baseline="sma_cross", fast_bars=5, position_max=0.2,
            drawdown_max=0.01, daily_loss_max=0.005, stop_bps=50.0, fee_bps=0.0,
        )
    )  # fmt: skip
    assert bound.exposure.max() < 0.22
    assert bound.rules.fee_bps == 0.0
    assert {"stop", "take_profit"} <= set(bound.trades["exit_reason"])
    assert bound.counts.breakers.get("drawdown", 0) + bound.counts.daily_stops > 0


def test_sma_cross_on_longer_bars_decides_at_their_closes(place: Place) -> None:
    got = place.desk.run(
        BacktestRequest(
            ("AAA/USDT",), baseline="sma_cross", fast_bars=3, slow_bars=9, timeframe=Timeframe.H1
        )
    )
    assert got.metrics.trades > 3
    assert got.strategy.name == "sma_cross 3/9 on 1h"
    for moment in [*got.trades["entry_time"], *got.trades["exit_time"]]:
        assert (moment.minute, moment.second) == (0, 0)


@pytest.mark.parametrize("ref", [None, "test_AAA-USDT_5m", "test_AAA-USDT_5m@20240101_000000"])
def test_a_model_is_found_by_its_names_and_by_default(stocked: Place, ref: str | None) -> None:
    symbols = () if ref else ("AAA/USDT",)
    got = stocked.desk.run(BacktestRequest(symbols, model=ref, days=3, edge_bps_min=-60.0))
    assert got.strategy.kind == "package"
    assert got.strategy.name == "test_AAA-USDT_5m/20240101_000000"
    assert [one.key for one in got.candles] == ["test:AAA/USDT"]
    assert got.said.instants == got.metrics.bars
    assert got.metrics.trades > 0
    assert got.rules.drawdown_max == Rules().drawdown_max
    assert got.rules.gate_mode is False
    assert got.rules.edge_bps_exit == -85.0


def test_an_ensemble_by_hash_and_a_package_out_of_a_file(stocked: Place, tmp_path: Path) -> None:
    ensemble = stocked.desk.models.newest_candidate("test:AAA/USDT")
    assert ensemble is not None
    by_hash = stocked.desk.run(BacktestRequest(model=ensemble.hash[:10], days=2))
    export(stocked.desk.models, "test_AAA-USDT_5m", tmp_path / "out.zip")
    from_file = stocked.desk.run(BacktestRequest(model=str(tmp_path / "out.zip"), days=2))
    assert by_hash.metrics == from_file.metrics


def test_the_champion_goes_before_the_newest(stocked: Place, tiny_package: PackageMaker) -> None:
    models = stocked.desk.models
    older = models.newest_candidate("test:AAA/USDT")
    assert older is not None
    newer = models.add(tiny_package(slope=-1000.0)).alone("test:AAA/USDT", "2024-02-01T00:00:00Z")
    models.save_ensemble(newer)
    crowned = replace(stocked.desk, champions={"test:AAA/USDT": older.hash})
    request = BacktestRequest(("AAA/USDT",), days=1)
    assert crowned.run(request).provenance["models"][0]["ensemble"] == older.hash
    assert stocked.desk.run(request).provenance["models"][0]["ensemble"] == newer.hash


def test_an_instrument_without_a_model_is_left_out(stocked: Place) -> None:
    got = stocked.desk.run(BacktestRequest(("AAA/USDT", "BBB/USDT"), days=1))
    assert [one.key for one in got.candles] == ["test:AAA/USDT"]
    assert "test:BBB/USDT is left out: it has no model" in got.warnings


def test_the_gate_is_the_engines(stocked: Place) -> None:
    got = stocked.desk.run(BacktestRequest(("AAA/USDT",), days=2, gate=True, edge_bps_min=-60.0))
    assert got.rules.gate_mode is True
    assert "mode_learning" in got.counts.refusals


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (BacktestRequest(("XXX/USDT",), baseline="buy_hold"), "unknown symbol 'XXX/USDT'"),
        (BacktestRequest(("BBB/USDT",)), "there is no model for test:BBB/USDT"),
        (BacktestRequest(model="nobody"), "no model 'nobody'"),
        (BacktestRequest(("AAA/USDT",), baseline="sma_cross", fast_bars=9, slow_bars=9), "fewer"),
        (BacktestRequest(("AAA/USDT",), baseline="buy_hold", size=1e-9), "smallest size"),
        (BacktestRequest(("AAA/USDT",), baseline="buy_hold", size=1, position_max=0.1), "--size"),
        (BacktestRequest(("AAA/USDT",), baseline="buy_hold", from_ms=9, to_ms=9), "is empty"),
        (BacktestRequest(("AAA/USDT",), baseline="buy_hold", from_ms=0, to_ms=DAY_MS), "no candle"),
    ],
)
def test_mistakes_are_one_line(place: Place, request_: BacktestRequest, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        place.desk.run(request_)
    assert "\n" not in str(caught.value)


def test_a_result_is_kept_as_json(place: Place, tmp_path: Path) -> None:
    got = place.desk.run(BacktestRequest(("AAA/USDT",), baseline="sma_cross", days=2))
    path = keep(got, tmp_path, datetime(2024, 1, 2, tzinfo=UTC))
    kept = json.loads(path.read_text())
    for name in (
        "bars", "trades", "equity_start", "equity_end", "net_return", "sharpe", "max_drawdown",
        "fees", "win_rate",
    ):  # fmt: skip
        assert kept[name] == getattr(got.metrics, name)
    assert kept["provenance"]["data"][0]["hash"] == got.candles[0].bars.hash


def test_the_default_window_ends_where_all_have_candles(walk: CandlesMaker, tmp_path: Path) -> None:
    database = open_database(tmp_path / "ares.db")
    store = CandleStore(database, None)
    long, short = walk("AAA/USDT", 3_000), walk("BBB/USDT", 2_000)
    for one in (long, short):
        store.save(one.spec, "1m", one.bars, "made up")
    keys = [one.spec.instrument for one in (long, short)]
    from_ms, to_ms = window(store, keys, None, None, 1.0)
    assert to_ms == short.close_ms[-1]
    assert from_ms == to_ms - DAY_MS
    database.dispose()


@pytest.mark.parametrize("text", ["x", "-1", "nan", "inf", "200%", "20000"])
def test_costs_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="--fee"):
        bps("--fee", text)


def test_shares_above_one_are_refused_with_a_hint() -> None:
    with pytest.raises(UserError, match="15%"):
        share("--drawdown", "15")
    assert share("--drawdown", "1") == 1.0


@pytest.mark.parametrize("text", ["0", "-1", "some", "nan"])
def test_sizes_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="--size"):
        size_of(text)


def test_dates_that_are_none_are_refused() -> None:
    assert parse_utc("2023-04-20T02:00+02:00") == parse_utc("2023-04-20")
    with pytest.raises(UserError, match="is no date"):
        parse_utc("20.4.2023")
