"""Files and folders into the store: one transaction a file, a bad one stops no other."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from ares.adapters.candle_columns import CandleFormatError
from ares.domain.errors import ExternalError, UserError
from ares.domain.instrument import Instrument
from ares.domain.timeframe import MINUTE_MS, Timeframe
from ares.observe.candle_check import Kind, check_store
from ares.runtime.ingest.candle_import import import_candles
from ares.store.candles import CandleStore
from ares.store.database import open_database, writing
from ares.store.history import history

START_MS = 1_679_004_900_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CandleStore]:
    engine = open_database(tmp_path / "ares.db", busy_ms=50)
    yield CandleStore(engine)
    engine.dispose()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "candles"
    made.mkdir()
    return made


def write(path: Path, first: int, count: int, price: float = 100.0) -> Path:
    minutes = range(first, first + count)
    close = [price + m % 50 / 4 for m in minutes]
    pl.DataFrame(
        {
            "ts": [START_MS + m * MINUTE_MS for m in minutes],
            "open": close,
            "high": [c + 0.5 for c in close],
            "low": [c - 0.5 for c in close],
            "close": close,
            "volume": [float(m % 7) for m in minutes],
        }
    ).write_parquet(path)
    return path


def test_a_folder_is_imported_file_by_file(store: CandleStore, folder: Path) -> None:
    write(folder / "BTCUSDT_1m_a.parquet", 0, 100)
    write(folder / "BTCUSDT_1m_b.parquet", 50, 100)
    write(folder / "ETHUSDT_1m.parquet", 0, 10)
    (folder / "README.md").write_text("# candles")
    pl.DataFrame({"ts": [1], "price": [2.0]}).write_parquet(folder / "BTCUSDT_trades.parquet")
    seen: list[str] = []
    totals: list[int] = []
    report = import_candles(store, folder, "binance", on_start=totals.append, on_file=seen.append)
    assert [(f.name, f.new, f.same) for f in report.imported] == [
        ("BTCUSDT_1m_a.parquet", 100, 0),
        ("BTCUSDT_1m_b.parquet", 50, 50),
        ("ETHUSDT_1m.parquet", 10, 0),
    ]
    assert report.skipped == ("BTCUSDT_trades.parquet", "README.md")
    assert report.refused == ()
    assert (totals, len(seen)) == ([4], 4)
    again = import_candles(store, folder, "binance")
    assert [(f.new, f.same) for f in again.imported] == [(0, 100), (0, 100), (0, 10)]


def test_an_invalid_file_among_others_is_reported_and_stores_nothing(
    store: CandleStore, folder: Path
) -> None:
    good = write(folder / "BTCUSDT_1m.parquet", 0, 100)
    (folder / "ADAUSDT_1m.parquet").write_bytes(good.read_bytes()[:500])
    write(folder / "XRPUSDT_1m.parquet", 0, 5)
    report = import_candles(store, folder, "binance")
    assert [f.name for f in report.imported] == ["BTCUSDT_1m.parquet", "XRPUSDT_1m.parquet"]
    ((name, reason),) = report.refused
    assert name == "ADAUSDT_1m.parquet"
    assert reason.startswith("ADAUSDT_1m.parquet: damaged, or not Parquet")
    assert [s.instrument.symbol for s in store.series()] == ["BTC/USDT", "XRP/USDT"]


def test_an_invalid_file_alone_is_a_user_error(store: CandleStore, folder: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        import_candles(store, folder / "nowhere", "binance")
    pl.DataFrame({"ts": [1], "price": [2.0]}).write_parquet(folder / "BTCUSDT_trades.parquet")
    with pytest.raises(CandleFormatError):
        import_candles(store, folder / "BTCUSDT_trades.parquet", "binance")
    nothing = import_candles(store, folder, "binance")
    assert (nothing.imported, nothing.skipped) == ((), ("BTCUSDT_trades.parquet",))
    with pytest.raises(UserError, match="unknown venue"):
        import_candles(store, write(folder / "BTCUSDT_1m.parquet", 0, 5), "../x")


def test_the_folder_of_freqtrade_is_imported_at_once(store: CandleStore, tmp_path: Path) -> None:
    """Spot candles of every format come in under their venue; the rest is named with its reason."""
    data = tmp_path / "user_data" / "data"
    for name in ("binance/futures", "kraken", "backtest_results"):
        (data / name).mkdir(parents=True)
    rows = [[START_MS + m * MINUTE_MS, 100, 101, 99, 100.5, 3.25] for m in range(30)]
    frame = pl.DataFrame(
        rows, orient="row", schema=["date", "open", "high", "low", "close", "volume"]
    ).with_columns(pl.from_epoch("date", time_unit="ms").dt.replace_time_zone("UTC"))
    frame.write_ipc(data / "binance" / "BTC_USDT-1m.feather")
    (data / "binance" / "ETH_USDT-1m.json").write_text(json.dumps(rows))
    (data / "binance" / "SOL_USDT-1m.json.gz").write_bytes(gzip.compress(json.dumps(rows).encode()))
    frame.write_ipc(data / "binance" / "BTC_USDT-30m.feather")
    for kind in ("futures", "mark", "funding_rate"):
        frame.write_ipc(data / "binance" / "futures" / f"BTC_USDT_USDT-1m-{kind}.feather")
    frame.write_parquet(data / "kraken" / "BTC_EUR-1m.parquet")
    pl.DataFrame({"timestamp": [1], "id": ["x"], "price": [1.0]}).write_ipc(
        data / "kraken" / "BTC_EUR-trades.feather"
    )
    (data / "backtest_results" / ".last_result.json").write_text("{}")
    report = import_candles(store, data, None, venue_default="bybit")
    assert [(s.instrument.key, s.bars) for s in store.series()] == [
        ("binance:BTC/USDT", 30), ("binance:ETH/USDT", 30), ("binance:SOL/USDT", 30),
        ("kraken:BTC/EUR", 30),
    ]  # fmt: skip
    assert report.refused == ()
    assert report.skipped == ("kraken/BTC_EUR-trades.feather",)
    reasons = dict(report.unsupported)
    assert len(reasons) == 4
    assert "unknown interval '30m'" in reasons["binance/BTC_USDT-30m.feather"]
    perpetual = reasons["binance/futures/BTC_USDT_USDT-1m-futures.feather"]
    assert "a derivative (BTC/USDT:USDT)" in perpetual


def test_several_paths_patterns_and_folders_below(store: CandleStore, folder: Path) -> None:
    write(folder / "BTCUSDT_1m.parquet", 0, 10)
    write(folder / "ETHUSDT_1m.parquet", 0, 10)
    (folder / "more" / "deep").mkdir(parents=True)
    (folder / ".cache").mkdir()
    write(folder / "more" / "deep" / "ADAUSDT_1m.parquet", 0, 10)
    write(folder / ".cache" / "XRPUSDT_1m.parquet", 0, 10)
    paths = [folder / "B*.parquet", folder / "BTCUSDT_1m.parquet", folder / "more"]
    report = import_candles(store, paths, "binance")
    assert [f.name for f in report.imported] == ["BTCUSDT_1m.parquet", "deep/ADAUSDT_1m.parquet"]
    everything = import_candles(store, folder / "**" / "*.parquet", "binance")
    assert len(everything.imported) + len(everything.refused) >= 3
    with pytest.raises(UserError, match="no file matches"):
        import_candles(store, folder / "*.xlsx", "binance")


def test_an_unsupported_file_alone_is_a_user_error(store: CandleStore, folder: Path) -> None:
    for name in ("BTCUSDT_PERP-1m.parquet", "BINANCE_BTCUSDT.P, 1.csv", "BTCUSDT-1s.parquet"):
        with pytest.raises(UserError, match=r"spot only|unknown interval"):
            import_candles(store, write(folder / name, 0, 5), None, venue_default="binance")
    assert store.series() == []


def test_symbol_and_interval_of_a_folder_are_checked_against_the_names(
    store: CandleStore, folder: Path
) -> None:
    write(folder / "BTCUSDT_1m.parquet", 0, 10)
    write(folder / "ETHUSDT_1m.parquet", 0, 10)
    write(folder / "export.parquet", 10, 10)
    for venue, symbol, interval in (("?", None, None), ("x1", "?", None), ("x1", None, "7m")):
        with pytest.raises(UserError):
            import_candles(store, folder, venue, symbol, interval)
    report = import_candles(store, folder, "binance", "BTC/USDT")
    assert [f.name for f in report.imported] == ["BTCUSDT_1m.parquet", "export.parquet"]
    assert "the file is named after ETH/USDT, not BTC/USDT" in report.refused[0][1]
    assert [(s.instrument.symbol, s.bars) for s in store.series()] == [("BTC/USDT", 20)]


def test_two_sources_that_differ_are_reported_with_both_values(
    store: CandleStore, folder: Path
) -> None:
    first = write(folder / "BTCUSDT_1m_a.parquet", 0, 10)
    second = write(folder / "BTCUSDT_1m_b.parquet", 8, 4, price=200.0)
    (each, other) = import_candles(store, folder, "binance").imported
    assert (each.conflict_count, other.conflict_count, other.new) == (0, 2, 2)
    conflict = other.conflicts[0]
    assert (conflict.ts_ms, conflict.column) == (START_MS + 8 * MINUTE_MS, "open")
    assert (conflict.stored, conflict.offered) == (102.0, 202.0)
    assert (conflict.stored_source, conflict.offered_source) == (
        str(first.resolve()),
        str(second.resolve()),
    )


def test_gaps_inside_a_file_are_counted_with_the_first_place(
    store: CandleStore, folder: Path
) -> None:
    path = write(folder / "BTCUSDT_1m.parquet", 0, 100)
    kept = pl.read_parquet(path).with_row_index().filter(~pl.col("index").is_in([9, 10, 50]))
    kept.drop("index").write_parquet(path)
    (each,) = import_candles(store, path, "binance").imported
    assert (each.rows, each.gaps, each.missing) == (97, 2, 3)
    assert each.first_gap_ms == START_MS + 9 * MINUTE_MS


def test_a_failing_database_stops_and_keeps_the_files_before(
    store: CandleStore, folder: Path, tmp_path: Path
) -> None:
    write(folder / "ADAUSDT_1m.parquet", 0, 10)
    write(folder / "BTCUSDT_1m.parquet", 0, 10)
    blocker = open_database(tmp_path / "ares.db")

    def block(name: str) -> None:
        held.enter_context(writing(blocker))

    with ExitStack() as held, pytest.raises(ExternalError, match="locked by another process"):
        import_candles(store, folder, "binance", on_file=block)
    blocker.dispose()
    assert [s.instrument.symbol for s in store.series()] == ["ADA/USDT"]


@pytest.mark.data
@pytest.mark.slow
def test_the_real_folder_is_imported_whole_and_is_sound(ares_data: Path, tmp_path: Path) -> None:
    engine = open_database(tmp_path / "ares.db")
    store = CandleStore(engine, tmp_path / "cache")
    report = import_candles(store, ares_data / "binance", "binance")
    assert report.refused == ()
    assert [name.split("_")[1] for name in report.skipped] == [
        *("bookticker", "depth", "depth", "trades"),
    ]
    assert sum(f.new for f in report.imported) == 2_417_640
    assert sum(f.conflict_count for f in report.imported) == 0
    btc = Instrument("binance", "BTC/USDT")
    assert (store.spec(btc).price_decimals, store.intervals(btc)) == (2, ["1m", "5m", "1h"])
    found = [finding for each in check_store(store) for finding in each.findings]
    assert not [finding for finding in found if finding.kind.is_error]
    halt = [f for f in found if f.instrument == btc and f.interval == "1m" and f.kind is Kind.GAP]
    assert (halt[0].from_ms, halt[0].count) == (1_679_661_600_000, 80)  # 2023-03-24 12:40
    days = history(store, btc, Timeframe.D1)
    assert days.disagreements == ()
    assert days.sources == ("1m", "5m", "1h")
    assert len(days.bars) > 3_000
    engine.dispose()


def test_bars_of_the_future_are_imported_from_the_simulator_only(
    store: CandleStore, tmp_path: Path
) -> None:
    path = write(tmp_path / "BTCUSDT_1m.parquet", 0, 10)
    before = datetime(2020, 1, 1, tzinfo=UTC)
    with pytest.raises(UserError, match="the time is in the future"):
        import_candles(store, path, "binance", now=lambda: before)
    assert store.series() == []
    assert import_candles(store, path, "simulated", now=lambda: before).imported
