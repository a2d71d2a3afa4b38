"""The candle store: each bar once, idempotent, conflicts told, caches never stale."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from ares.domain.errors import ExternalError, UserError
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.timeframe import MINUTE_MS
from ares.kernel.bars import F64, Bars
from ares.store.candles import CONFLICTS_SHOWN, CandleStore
from ares.store.database import open_database, reading, writing
from ares.store.rows import checksum_of

BTC = Instrument("binance", "BTC/USDT")
SPEC = InstrumentSpec(BTC, price_decimals=2, qty_decimals=5)
START_MS = 1_679_004_900_000


def bars_at(minutes: list[int], price: float = 100.0) -> Bars:
    """Return 1m bars whose prices tell their minute."""
    n = np.array(minutes, np.int64)
    close: F64 = np.asarray(price + n * 0.01, np.float64)
    up, down, volume = (np.asarray(x, np.float64) for x in (close + 1, close - 1, n * 0.5))
    return Bars.make(START_MS + n * MINUTE_MS, close, up, down, close, volume)


def test_what_was_saved_is_loaded(store: CandleStore) -> None:
    bars = bars_at([0, 1, 2, 5, 6])
    assert store.save(SPEC, "1m", bars, "a.csv").new == 5
    loaded = store.load(BTC, "1m")
    assert loaded.hash == bars.hash
    assert not loaded.flat.any()
    assert store.load(BTC, "1m", START_MS + MINUTE_MS, START_MS + 5 * MINUTE_MS).hash == (
        bars[1:3].hash
    )
    assert len(store.load(BTC, "5m")) == 0


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sets(st.integers(0, 60), min_size=1), min_size=1, max_size=5))
def test_saving_is_idempotent_in_any_order(parts: list[set[int]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        engine = open_database(Path(name) / "ares.db")
        store = CandleStore(engine, Path(name) / "cache")
        seen: set[int] = set()
        for part in (*parts, *parts):
            report = store.save(SPEC, "1m", bars_at(sorted(part)), "a.csv")
            assert (report.new, report.same) == (len(part - seen), len(part & seen))
            assert report.conflict_count == 0
            seen |= part
            assert store.load(BTC, "1m").hash == bars_at(sorted(seen)).hash
        assert [s.bars for s in store.series()] == [len(seen)]
        assert checksum(engine) == checksum_of(bars_at(sorted(seen)))
        assert CandleStore(engine).load(BTC, "1m").hash == bars_at(sorted(seen)).hash
        engine.dispose()


def test_a_conflict_keeps_the_stored_bar_and_names_place_values_and_sources(
    store: CandleStore,
) -> None:
    store.save(SPEC, "1m", bars_at([0, 1, 2]), "a.csv")
    other = bars_at([1, 2, 3])
    other.high[1] += 0.25
    report = store.save(SPEC, "1m", other, "b.csv")
    assert (report.new, report.same, report.conflict_count) == (1, 1, 1)
    conflict = report.conflicts[0]
    assert (conflict.ts_ms, conflict.column) == (START_MS + 2 * MINUTE_MS, "high")
    assert (conflict.stored, conflict.offered) == (101.02, 101.27)
    assert (conflict.stored_source, conflict.offered_source) == ("a.csv", "b.csv")
    assert store.load(BTC, "1m").hash == bars_at([0, 1, 2, 3]).hash


def test_all_conflicts_are_counted_and_some_are_shown(store: CandleStore) -> None:
    minutes = list(range(CONFLICTS_SHOWN + 5))
    store.save(SPEC, "1m", bars_at(minutes), "a.csv")
    report = store.save(SPEC, "1m", bars_at(minutes, price=200.0), "b.csv")
    assert report.conflict_count == len(minutes)
    assert len(report.conflicts) == CONFLICTS_SHOWN


def test_the_noise_of_summed_volumes_is_no_conflict(store: CandleStore) -> None:
    bars = bars_at([1, 2])
    store.save(SPEC, "1m", bars, "a.csv")
    bars.volume[:] *= 1 + 1e-12
    assert store.save(SPEC, "1m", bars, "b.csv").same == 2


def test_made_bars_are_not_kept(store: CandleStore) -> None:
    bars = bars_at([0, 1, 2])
    bars.flat[1] = True
    assert store.save(SPEC, "1m", bars, "a.csv").new == 2


@pytest.mark.parametrize("fault", ["off grid", "not rising", "zero price", "nan", "volume"])
def test_bars_that_break_the_contract_are_refused(store: CandleStore, fault: str) -> None:
    bars = bars_at([0, 1, 2])
    if fault == "off grid":
        bars.ts_ms[1] += 1
    elif fault == "not rising":
        bars.ts_ms[1] = bars.ts_ms[0]
    elif fault == "zero price":
        bars.low[1] = 0.0
    elif fault == "nan":
        bars.volume[1] = np.nan
    else:
        bars.volume[1] = -0.5
    with pytest.raises(ValueError, match="bars must be"):
        store.save(SPEC, "1m", bars, "a.csv")
    assert store.series() == []


def test_the_grid_is_only_refined(store: CandleStore) -> None:
    store.save(SPEC, "1m", bars_at([0]), "a.csv")
    store.save(InstrumentSpec(BTC, 1, 6, 5.0), "1m", bars_at([1]), "b.csv")
    assert store.spec(BTC) == InstrumentSpec(BTC, 2, 6, 5.0)


def test_series_are_listed_from_short_to_long_with_their_span(store: CandleStore) -> None:
    each = np.ones(2)
    hours = Bars.make(np.array([0, 3_600_000]), each, each, each, each, each)
    store.save(SPEC, "1h", hours, "h.csv")
    store.save(SPEC, "1m", bars_at([0, 1, 9]), "a.csv")
    first, second = store.series()
    assert (first.interval, first.bars, first.first_ms) == ("1m", 3, START_MS)
    assert first.last_ms == START_MS + 9 * MINUTE_MS
    assert (second.interval, second.last_ms) == ("1h", 3_600_000)
    assert store.intervals(BTC) == ["1m", "1h"]
    assert store.last_ms(BTC, "1m") == START_MS + 9 * MINUTE_MS
    assert store.last_ms(BTC, "1d") is None


def test_symbols_are_resolved_and_errors_name_the_nearest(store: CandleStore) -> None:
    with pytest.raises(UserError, match="no candles are stored"):
        store.resolve("BTC/USDT")
    store.save(SPEC, "1m", bars_at([0]), "a.csv")
    assert {store.resolve(name) for name in ("BTC/USDT", "btcusdt", "binance:BTC/USDT")} == {BTC}
    with pytest.raises(UserError, match=r"unknown symbol 'BTC/USDC': did you mean BTC/USDT\?"):
        store.resolve("BTC/USDC")
    with pytest.raises(UserError, match="unknown symbol 'kraken:BTC/USDT'"):
        store.resolve("kraken:BTC/USDT")
    store.save(InstrumentSpec(Instrument("kraken", "BTC/USDT"), 2, 5), "1m", bars_at([0]), "k.csv")
    with pytest.raises(UserError, match=r"binance:BTC/USDT and kraken:BTC/USDT"):
        store.resolve("BTC/USDT")
    assert store.resolve("kraken:BTC/USDT").venue == "kraken"
    assert store.resolve_at("binance", "BTC/USDT") == BTC


def test_a_configured_symbol_is_that_of_the_venue_else_the_only_other(store: CandleStore) -> None:
    store.save(SPEC, "1m", bars_at([0]), "a.csv")
    assert store.resolve_at("coinbase", "BTC/USDT") == BTC
    with pytest.raises(UserError, match="unknown symbol 'ETH/USDT'"):
        store.resolve_at("binance", "ETH/USDT")


def cache_files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache" / "candles").iterdir())


def test_a_damaged_cache_is_made_again(store: CandleStore, tmp_path: Path) -> None:
    bars = bars_at(list(range(2000)))
    store.save(SPEC, "1m", bars, "a.csv")
    store.load(BTC, "1m")
    (file,) = cache_files(tmp_path)
    sound = file.read_bytes()
    flipped = bytearray(sound)
    flipped[len(sound) // 2] ^= 1
    for damaged in (b"", sound[:1000], bytes(flipped), b"x" * len(sound)):
        file.write_bytes(damaged)
        assert store.load(BTC, "1m").hash == bars.hash
        assert store.load(BTC, "1m").hash == bars.hash
        assert cache_files(tmp_path) == [file]
        assert file.stat().st_size == len(sound)


def test_the_cache_follows_every_change_also_by_other_hands(
    store: CandleStore, engine: Engine, tmp_path: Path
) -> None:
    store.save(SPEC, "1m", bars_at([0, 1, 2]), "a.csv")
    store.load(BTC, "1m")
    with writing(engine) as connection:
        connection.exec_driver_sql("DELETE FROM candles WHERE ts_ms = ?", (START_MS,))
    assert store.load(BTC, "1m").hash == bars_at([1, 2]).hash
    assert [s.bars for s in store.series()] == [2]
    with writing(engine) as connection:
        connection.exec_driver_sql("UPDATE candles SET close = 5.0")
    assert store.load(BTC, "1m").close.tolist() == [5.0, 5.0]
    assert len(cache_files(tmp_path)) == 1
    with writing(engine) as connection:
        connection.exec_driver_sql("DELETE FROM candles")
    assert store.series() == []
    assert len(store.load(BTC, "1m")) == 0


def without_triggers(engine: Engine, statement: str) -> None:
    """Change rows as damage does: the row of the series does not notice."""
    with writing(engine) as connection:
        connection.exec_driver_sql("CREATE TEMP TABLE kept AS SELECT * FROM candle_series")
        connection.exec_driver_sql(statement)
        connection.exec_driver_sql("DELETE FROM candle_series")
        connection.exec_driver_sql("INSERT INTO candle_series SELECT * FROM kept")
        connection.exec_driver_sql("DROP TABLE kept")


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (f"DELETE FROM candles WHERE ts_ms = {START_MS}", "4 of 5 bars can be read"),
        (f"UPDATE candles SET low = 99.5 WHERE ts_ms = {START_MS}", "checksum of its bars"),
        (f"UPDATE candles SET ts_ms = 60000 WHERE ts_ms = {START_MS}", "checksum of its bars"),
        ("DELETE FROM candles", "0 of 5 bars can be read"),
    ],
)
def test_bars_that_are_missing_or_changed_are_never_read_past(
    engine: Engine, store: CandleStore, damage: str, problem: str
) -> None:
    store.save(SPEC, "1m", bars_at([0, 1, 2]), "a.csv")
    store.save(SPEC, "1m", bars_at([2, 3, 7]), "b.csv")
    listed = store.series()[0]
    without_triggers(engine, damage)
    window = (START_MS + 2 * MINUTE_MS, START_MS + 4 * MINUTE_MS)  # the damage is elsewhere
    for reader in (store, CandleStore(engine)):
        with pytest.raises(ExternalError, match=rf"is damaged.*BTC/USDT 1m: .*{problem}"):
            reader.load(BTC, "1m", *window)
        with pytest.raises(ExternalError, match=problem):
            reader.verify(listed)
    if "of 5" in problem:
        with pytest.raises(ExternalError, match=problem):
            store.require_counts()
    if "0 of 5" in problem:
        with pytest.raises(ExternalError, match=problem):
            store.series()


def test_what_is_cached_is_verified_against_the_rows_when_asked(
    engine: Engine, store: CandleStore
) -> None:
    store.save(SPEC, "1m", bars_at([0, 1, 2]), "a.csv")
    store.load(BTC, "1m")
    without_triggers(engine, "UPDATE candles SET close = 5.0")
    assert store.load(BTC, "1m").hash == bars_at([0, 1, 2]).hash  # the cache has the sound bars
    with pytest.raises(ExternalError, match="checksum"):
        store.verify(store.series()[0])


def checksum(engine: Engine) -> int | None:
    with reading(engine) as connection:
        found: int | None = connection.exec_driver_sql(
            "SELECT checksum FROM candle_series"
        ).scalar()
    return found


def test_a_bar_changed_with_sql_has_no_checksum_until_all_rows_are_read_again(
    engine: Engine, store: CandleStore
) -> None:
    store.save(SPEC, "1m", bars_at([0, 1, 2]), "a.csv")
    for keep in (lambda: store.verify(store.series()[0]), lambda: save_one(store)):
        with writing(engine) as connection:
            connection.exec_driver_sql("UPDATE candles SET close = close + 1")
        assert checksum(engine) is None
        store.load(BTC, "1m")
        keep()
        assert checksum(engine) == checksum_of(store.load(BTC, "1m"))


def save_one(store: CandleStore) -> None:
    store.save(SPEC, "1m", bars_at([9]), "b.csv")


def test_a_cache_that_cannot_be_written_is_ignored(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = CandleStore(engine, tmp_path / "file")
    store.save(SPEC, "1m", bars_at([0, 1]), "a.csv")
    assert len(store.load(BTC, "1m")) == 2


def test_symbols_are_counted_as_operators_do(store: CandleStore, engine: Engine) -> None:
    store.save(SPEC, "1m", bars_at([0, 1]), "a.csv")
    store.save(InstrumentSpec(Instrument("binance", "ADA/USDT"), 4, 1), "1m", bars_at([0]), "b")
    with reading(engine) as connection:
        rows = connection.exec_driver_sql("SELECT symbol, COUNT(*) FROM candles GROUP BY symbol")
        assert sorted(tuple(row) for row in rows) == [("ADA/USDT", 1), ("BTC/USDT", 2)]


FILL_THE_DISK = """
import resource, signal, sys
import numpy as np
from ares.domain.errors import ExternalError
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.kernel.bars import F64, Bars
from ares.store.candles import CandleStore
from ares.store.database import open_database

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = CandleStore(open_database(sys.argv[1]))
n = 60_000
one = np.ones(n)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    spec = InstrumentSpec(Instrument("binance", "BTC/USDT"), 2, 5)
    store.save(spec, "1m", Bars.make(np.arange(n) * 60_000, one, one, one, one, one), "big.csv")
except ExternalError as trouble:
    print(trouble)
"""


def test_a_full_disk_is_one_line_and_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "ares.db"
    engine = open_database(path)
    CandleStore(engine).save(SPEC, "1m", bars_at([0, 1]), "a.csv")
    engine.dispose()
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1_000_000
    done = subprocess.run(
        [sys.executable, "-c", FILL_THE_DISK, str(path)], capture_output=True, text=True, check=True
    )
    assert len(done.stdout.splitlines()) == 1, done.stderr
    assert "disk full" in done.stdout or "disk is full" in done.stdout
    engine = open_database(path)
    with reading(engine) as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    assert CandleStore(engine).load(BTC, "1m").hash == bars_at([0, 1]).hash
    engine.dispose()


def test_damage_among_the_candles_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "ares.db"
    engine = open_database(path)
    CandleStore(engine).save(SPEC, "1m", bars_at(list(range(20_000))), "a.csv")
    engine.dispose()
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 20 * 4096] = b"\xff" * 20 * 4096
    path.write_bytes(content)
    engine = open_database(path)
    with pytest.raises(ExternalError, match="is damaged") as caught:
        CandleStore(engine).load(BTC, "1m")
    assert "\n" not in str(caught.value)
    engine.dispose()


def test_a_database_at_its_size_limit_is_one_line(sqlite_engine: Engine) -> None:
    store = CandleStore(sqlite_engine)
    with sqlite_engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
    with pytest.raises(ExternalError, match="disk is full"):
        store.save(SPEC, "1m", bars_at(list(range(20_000))), "big.csv")
    assert store.series() == []
