"""The demo's parts: where candles come from, and a clean folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ares import demo
from ares.domain.errors import ExternalError, UserError
from ares.domain.timeframe import MINUTE_MS
from ares.kernel.resample import resample
from ares.learn.gate.verdict import GateLimits
from ares.sim.reversion import reverting
from ares.store.candles import CandleStore


def nothing(_share: float, _remark: str) -> None:
    """Ignore progress."""


def write_candles(path: Path, days: int, start_ms: int = 1_704_067_200_000) -> None:
    n = days * 24
    close = 100.0 + np.round(np.cumsum(np.sin(np.arange(n) / 7.0)), 2)
    pl.DataFrame(
        {
            "ts": start_ms + 3_600_000 * np.arange(n),
            "open": close,
            "high": close + 1,
            "low": close - 1,
            "close": close,
            "volume": np.ones(n),
        }
    ).write_parquet(path)


@pytest.fixture(scope="module")
def market() -> demo.DemoCandles:
    """Return a synthetic market of 60 days: that of the demo, but faster to train on."""
    made = reverting(demo.SYMBOLS, days=60, edge=demo.PLANTED_EDGE)

    def load(store: CandleStore, _progress: demo.Progress) -> None:
        for symbol in demo.SYMBOLS:
            bars = resample(made.bars[symbol], MINUTE_MS, 5 * MINUTE_MS)
            store.save(made.specs[symbol], "5m", bars, "test")

    return replace(demo.source(None, simulated=True, now_ms=0), load=load)


def test_files_of_two_symbols_of_one_currency_are_chosen_btc_and_eth_first(tmp_path: Path) -> None:
    folder = tmp_path / "kraken"
    folder.mkdir()
    for name in ("XRPUSDT_1h", "ETHUSDT_1h", "BTCUSDT_1h", "ETHEUR_1h", "notes"):
        write_candles(folder / f"{name}.parquet", 1)
    got = demo.source(folder, simulated=False, now_ms=0)
    assert got.symbols == ("BTC/USDT", "ETH/USDT")
    assert got.venue == "kraken"
    assert "candles of kraken" in got.description


def test_files_without_names_are_an_error(tmp_path: Path) -> None:
    write_candles(tmp_path / "candles.parquet", 1)
    with pytest.raises(UserError, match="no file is named after a symbol"):
        demo.source(tmp_path, simulated=False, now_ms=0)


def test_too_few_days_are_an_error_and_leave_no_folder(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for name in ("BTCUSDT_1h", "ETHUSDT_1h"):
        write_candles(data / f"{name}.parquet", 20)
    source = demo.source(data, simulated=False, now_ms=0)
    with pytest.raises(UserError, match="have 20 days of candles in common"):
        demo.prepare(source, tmp_path, nothing)
    assert not (tmp_path / demo.FOLDER).exists()


def test_a_venue_that_stops_answering_is_replaced_by_the_simulation(
    tmp_path: Path, market: demo.DemoCandles
) -> None:
    def breaks(_store: CandleStore, _progress: demo.Progress) -> None:
        raise ExternalError("binance does not answer")

    venue = replace(market, kind="venue", venue="binance", load=breaks)
    source, stage = demo.prepare(venue, tmp_path, nothing)
    assert source.kind == "simulated"
    assert "binance does not answer; so a synthetic market" in source.description
    assert [p.name for p in tmp_path.iterdir()] == [demo.FOLDER]
    assert stage.workspace.settings.venue == "simulated"
    files = replace(venue, kind="files")
    with pytest.raises(ExternalError):
        demo.prepare(files, tmp_path, nothing)


def test_the_folder_of_an_earlier_demo_is_not_touched(
    tmp_path: Path, market: demo.DemoCandles
) -> None:
    (tmp_path / demo.FOLDER).mkdir()
    (tmp_path / demo.FOLDER / "mine.txt").write_text("kept")
    _, stage = demo.prepare(market, tmp_path, nothing)
    assert stage.workspace.root.name == f"{demo.FOLDER}-2"
    assert (tmp_path / demo.FOLDER / "mine.txt").read_text() == "kept"
    assert [t.value for t in stage.workspace.settings.weights] == list(demo.WEIGHTS)


@pytest.mark.slow
@pytest.mark.timeout(1_800)  # minutes where the machine is busy
def test_the_gate_lets_the_models_of_the_synthetic_market_pass_by_its_own_rules(
    tmp_path: Path,
) -> None:
    source, stage = demo.prepare(demo.source(None, simulated=True, now_ms=0), tmp_path, nothing)
    assert source.kind == "simulated"
    report = demo.train(stage, lambda _done, _total, _what: None)
    found = demo.evaluate(stage, report, lambda _done, _total, _what: None)
    assert [each.result.ensemble.instrument for each in found] == [
        f"simulated:{symbol}" for symbol in demo.SYMBOLS
    ]
    for each in found:
        assert each.result.verdict.passed, each.result.verdict.failed
        assert each.result.limits == GateLimits()
        assert not each.forced
        assert not each.refused
        assert each.saved.record.plausible_by == ""
