"""Which candles are played: by the files' names, from where most symbols have some."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.sim.serving import FROM_MS, N_BARS, made_bars

from ares.domain.errors import UserError
from ares.domain.timeframe import DAY_MS, MINUTE_MS
from ares.kernel.bars import Bars
from ares.sim.serve.load import load_candles, synthetic_candles


def write(folder: Path, name: str, bars: Bars) -> None:
    columns = ("open", "high", "low", "close", "volume")
    frame = {"open_time": bars.ts_ms, **{c: getattr(bars, c) for c in columns}}
    pl.DataFrame(frame).write_parquet(folder / name)


def shifted(bars: Bars, days: int) -> Bars:
    return Bars.make(bars.ts_ms + days * DAY_MS, *bars.columns[1:6])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    btc, ada = made_bars(1, 37_000.0, 2), made_bars(2, 0.37, 4)
    write(tmp_path, "BTCUSDT_1m_a.parquet", btc[:2_000])
    write(tmp_path, "BTCUSDT_1m_b.parquet", btc[1_900:])
    write(tmp_path, "BTCUSDT_1m_later.parquet", shifted(btc, 400))
    write(tmp_path, "ADAUSDT_1m.parquet", ada)
    write(tmp_path, "ETHUSDT_1m.parquet", shifted(btc, 800))
    write(tmp_path, "ADAUSDT_1h.parquet", ada)
    (tmp_path / "README.md").write_text("x")
    return tmp_path


def test_a_folder_starts_in_the_middle_of_what_most_symbols_share(folder: Path) -> None:
    loaded = load_candles(folder)
    assert list(loaded.bars) == ["ADA/USDT", "BTC/USDT"]
    assert loaded.from_ms == FROM_MS + N_BARS // 2 * MINUTE_MS
    btc = loaded.bars["BTC/USDT"]
    assert np.array_equal(btc.ts_ms, made_bars(1, 37_000.0, 2).ts_ms)  # two files, joined
    assert any("ETH/USDT: no candles at" in line for line in loaded.skipped)
    assert "no 1m candles by their names: ADAUSDT_1h.parquet" in loaded.skipped


def test_symbols_and_start_are_chosen(folder: Path) -> None:
    start_ms = FROM_MS + 400 * DAY_MS + 10 * MINUTE_MS + 5
    loaded = load_candles(folder, ["BTCUSDT"], start_ms)
    assert list(loaded.bars) == ["BTC/USDT"]
    assert loaded.from_ms == start_ms - 5
    assert int(loaded.bars["BTC/USDT"].ts_ms[0]) == FROM_MS + 400 * DAY_MS


def test_a_single_file_may_have_any_name_when_its_symbol_is_given(tmp_path: Path) -> None:
    write(tmp_path, "candles.parquet", made_bars(1, 37_000.0, 2))
    loaded = load_candles(tmp_path / "candles.parquet", ["BTC/USDT"])
    assert len(loaded.bars["BTC/USDT"]) == N_BARS
    with pytest.raises(UserError, match="no 1m candles"):
        load_candles(tmp_path / "candles.parquet")


def test_what_cannot_be_played_is_one_line(folder: Path) -> None:
    with pytest.raises(UserError, match="no 1m candles of SOL/USDT"):
        load_candles(folder, ["SOL/USDT"])
    with pytest.raises(UserError, match="no candles then; the files reach from"):
        load_candles(folder, [], FROM_MS - DAY_MS)


def test_a_synthetic_market_is_the_same_for_the_same_seed() -> None:
    one, two = (synthetic_candles(3, 1.0, 2, ["BTC/USDT"]) for _ in range(2))
    assert one.bars["BTC/USDT"].hash == two.bars["BTC/USDT"].hash
    assert one.from_ms == int(one.bars["BTC/USDT"].ts_ms[0]) + DAY_MS
