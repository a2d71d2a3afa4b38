"""Candle files: the usual formats are read alike; an invalid file is one line with its position."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ares.adapters.candle_columns import CandleFormatError
from ares.adapters.candle_files import CandleFile, candle_files, read_candles, read_table
from ares.adapters.candle_names import UnsupportedCandles
from ares.domain.errors import UserError
from ares.domain.instrument import Instrument
from ares.domain.timeframe import MINUTE_MS

START_MS = 1_679_004_900_000  # 2023-03-16 22:15:00 UTC
N = 12


def frame(step_ms: int = MINUTE_MS, n: int = N) -> pl.DataFrame:
    """Return ``n`` sound candles."""
    start_ms = START_MS // step_ms * step_ms
    close = [100.25 + k for k in range(n)]
    return pl.DataFrame(
        {
            "ts": [start_ms + k * step_ms for k in range(n)],
            "open": [c - 0.25 for c in close],
            "high": [c + 1.0 for c in close],
            "low": [c - 1.0 for c in close],
            "close": close,
            "volume": [0.5 * k for k in range(n)],
        }
    )


def save(path: Path, table: pl.DataFrame) -> Path:
    if path.name.endswith(".parquet"):
        table.write_parquet(path)
    elif path.name.endswith(".feather"):
        table.write_ipc(path, compression="lz4")
    elif path.name.endswith(".gz"):
        path.write_bytes(gzip.compress(table.write_csv().encode()))
    else:
        table.write_csv(path)
    return path


def assert_sound(read: CandleFile, want: pl.DataFrame | None = None) -> None:
    want = frame() if want is None else want
    assert read.instrument == Instrument("binance", "BTC/USDT")
    assert read.bars.ts_ms.tolist() == want["ts"].to_list()
    for name in ("open", "high", "low", "close", "volume"):
        assert getattr(read.bars, name).tolist() == want[name].to_list()


@pytest.mark.parametrize("suffix", ["parquet", "csv", "csv.gz", "feather"])
def test_every_kind_of_file_gives_the_same_candles(tmp_path: Path, suffix: str) -> None:
    read = read_candles(save(tmp_path / f"BTCUSDT_1m.{suffix}", frame()), "binance")
    assert_sound(read)
    assert (read.interval, read.repeated) == ("1m", 0)


def test_the_zipped_months_of_binance_are_read(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT-1m-2023-03.zip"
    text = frame().write_csv(include_header=False)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("BTCUSDT-1m-2023-03.csv", text)
    assert_sound(read_candles(path, "binance"))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("ETHUSDT-1m-2023-03.csv", text)
    with pytest.raises(UnsupportedCandles, match="holds 2 CSV files: unpack it"):
        read_candles(path, "binance")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match="damaged, or not a zip"):
        read_candles(path, "binance")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("README.md", "no candles")
    with pytest.raises(CandleFormatError):
        read_candles(path, "binance")


def test_the_arrays_of_ccxt_and_freqtrade_are_read(tmp_path: Path) -> None:
    table = frame()
    rows = [list(row) for row in table.iter_rows()]
    path = tmp_path / "BTC_USDT-1m.json"
    path.write_text(json.dumps(rows))
    assert_sound(read_candles(path, "binance"))
    path.write_text(json.dumps([[*map(str, row), "0", "7"] for row in rows]))
    assert_sound(read_candles(path, "binance"))
    path.write_text(json.dumps(table.to_dicts()))
    assert_sound(read_candles(path, "binance"))
    (tmp_path / "BTC_USDT-1m.json.gz").write_bytes(gzip.compress(json.dumps(rows).encode()))
    assert_sound(read_candles(tmp_path / "BTC_USDT-1m.json.gz", "binance"))


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        ("{}", CandleFormatError, "not a list of candles"),
        ('["BTC/USDT"]', CandleFormatError, "not those of candles"),
        ("[[1679004900000, 1, 2", UserError, "damaged, or not JSON"),
        ("[[1679004900000,1,1,1,1,1],[1,2]]", UserError, "row 2: not a list of 6 values"),
        ("[[1679004900000,1,1,1,null,1]]", UserError, "row 1: column close is empty"),
    ],
)
def test_other_json_is_refused(
    tmp_path: Path, content: str, error: type[UserError], message: str
) -> None:
    path = tmp_path / "BTC_USDT-1m.json"
    path.write_text(content)
    with pytest.raises(error, match=message):
        read_candles(path, "binance")


def test_a_chart_of_tradingview_is_read(tmp_path: Path) -> None:
    path = tmp_path / "BINANCE_BTCUSDT, 1.csv"
    table = frame().with_columns(pl.col("ts") // 1000).rename({"ts": "time", "volume": "Volume"})
    table.with_columns(MA=pl.lit(1.5)).write_csv(path)
    read = read_candles(path, "binance")
    assert read.interval == "1m"
    assert_sound(read)


def test_the_klines_of_binance_have_no_heading(tmp_path: Path) -> None:
    table = frame().with_columns(
        close_time=pl.col("ts") + MINUTE_MS - 1, quote=pl.lit(1.5), trades=pl.lit(3)
    )
    path = tmp_path / "BTCUSDT-1m-2023-03.csv"
    path.write_text(table.write_csv(include_header=False))
    assert_sound(read_candles(path, "binance"))


def test_a_line_above_the_heading_semicolons_and_blank_lines_are_passed_over(
    tmp_path: Path,
) -> None:
    text = frame().write_csv(separator=";").replace("\n", "\n\n", 3)
    path = tmp_path / "Binance_BTCUSDT_1m.csv"
    path.write_bytes(b"\xef\xbb\xbf" + f"https://www.example.org\n{text}\n\n".encode())
    assert_sound(read_candles(path, "binance"))


def test_symbol_and_interval_may_be_given(tmp_path: Path) -> None:
    path = save(tmp_path / "data.csv", frame())
    with pytest.raises(UserError, match="add --symbol"):
        read_candles(path, "binance")
    assert_sound(read_candles(path, "binance", "btcusdt"))
    assert read_candles(path, "binance", "BTC/USDT", "1m").interval == "1m"
    wrong = save(tmp_path / "ETHUSDT_5m.csv", frame())
    assert_sound(read_candles(wrong, "Binance", "BTC/USDT", "1m"))


def with_cell(column: str, row: int, value: Any) -> pl.DataFrame:
    cells = frame()[column].to_list()
    cells[row] = value
    return frame().with_columns(pl.Series(column, cells, strict=False))


def csv_with(row: int, column: str, text: str) -> str:
    lines = [line.split(",") for line in frame().write_csv().splitlines()]
    lines[row + 1][lines[0].index(column)] = text
    return "\n".join(",".join(line) for line in lines)


@pytest.mark.parametrize(
    ("row", "column", "text", "message"),
    [
        (3, "close", "n/a", r"line 5: column close is 'n/a', not a number"),
        (4, "ts", "yesterday", r"line 6: column ts is 'yesterday', not a time"),
        (2, "low", "0", r"line 4 \(2023-03-16 22:17\): low is 0, not a price above 0"),
        (2, "high", "100", r"line 4 .*: high 100 is below open 102"),
        (5, "ts", str(START_MS), r"line 7 .*: the time is before the row above: sort"),
        (5, "ts", str(START_MS + 4 * MINUTE_MS), r"line 7 .*: the same time as line 6 with"),
        (5, "ts", str(START_MS + 5 * MINUTE_MS + 1), r"line 8 .*: 59\.999 s after the bar above"),
    ],
)
def test_a_bad_cell_is_one_line_with_its_place(
    tmp_path: Path, row: int, column: str, text: str, message: str
) -> None:
    path = tmp_path / "BTCUSDT_1m.csv"
    path.write_text(csv_with(row, column, text))
    with pytest.raises(UserError, match=message) as caught:
        read_candles(path, "binance")
    assert str(caught.value).startswith("BTCUSDT_1m.csv")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (frame().drop("volume"), "no column for volume .*: name it volume"),
        (frame().drop("ts"), "no column for time .*: name it ts"),
        (frame().clear(), "no candles"),
        (with_cell("close", 3, None), "row 4: column close is empty"),
        (with_cell("close", 3, 0.0), r"row 4 \(2023-03-16 22:18\): close is 0"),
        (frame().cast({"close": pl.String}).with_columns(close=pl.lit("x")), "row 1: .* is 'x'"),
        (frame()[::-1], r"row 2 .*: the time is before the row above"),
        (with_cell("ts", 0, 1_679_004_900), "mixes times of different units"),
        (frame(5 * MINUTE_MS), r"all bars are 5m apart or more, but the interval is 1m"),
        (
            frame().with_columns(ts=pl.col("ts") + MINUTE_MS - 1),
            r"row 1 .*: not on the grid of 1m in UTC: these look like closing times",
        ),
    ],
)
def test_a_bad_parquet_is_one_line_with_its_place(
    tmp_path: Path, table: pl.DataFrame, message: str
) -> None:
    path = save(tmp_path / "BTCUSDT_1m.parquet", table)
    with pytest.raises(UserError, match=message) as caught:
        read_candles(path, "binance")
    assert str(caught.value).startswith("BTCUSDT_1m.parquet")
    assert not isinstance(caught.value, CandleFormatError)


def test_a_5m_name_on_1m_candles_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "BTCUSDT_5m.parquet", frame())
    with pytest.raises(UserError, match=r"row 2 .*: 1m after the bar above.*interval is 5m"):
        read_candles(path, "binance")


def test_unknown_intervals_are_named_with_the_valid_ones(tmp_path: Path) -> None:
    path = save(tmp_path / "BTCUSDT_7m.parquet", frame())
    with pytest.raises(UserError, match=r"BTCUSDT_7m.parquet: unknown interval '7m': use one"):
        read_candles(path, "binance")
    with pytest.raises(UserError, match="unknown interval 'fast'"):
        read_candles(path, "binance", interval="fast")


@pytest.mark.parametrize("text", ["BTC", "../..", "BTC/USDT/X", ""])
def test_a_symbol_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    path = save(tmp_path / "data.csv", frame())
    with pytest.raises(UserError):
        read_candles(path, "binance", text)


def test_an_empty_file_and_a_missing_one_are_named(tmp_path: Path) -> None:
    for name in ("BTCUSDT_1m.csv", "BTCUSDT_1m.parquet"):
        (tmp_path / name).touch()
        with pytest.raises(UserError, match="the file is empty"):
            read_candles(tmp_path / name, "binance")
    with pytest.raises(UserError, match="no such file or folder"):
        candle_files(tmp_path / "nowhere")
    (tmp_path / "new").mkdir()
    with pytest.raises(UserError, match="the folder is empty"):
        candle_files(tmp_path / "new")


def test_files_that_are_damaged_are_named(tmp_path: Path) -> None:
    whole = save(tmp_path / "BTCUSDT_1m.parquet", frame()).read_bytes()
    packed = save(tmp_path / "BTCUSDT_1m.csv.gz", frame()).read_bytes()
    feather = save(tmp_path / "BTCUSDT_1m.feather", frame()).read_bytes()
    for name, content in {
        "BTCUSDT_1m.parquet": whole[: len(whole) // 2],
        "ETHUSDT_1m.parquet": b"this is no Parquet at all",
        "BTCUSDT_1m.csv.gz": packed[: len(packed) // 2],
        "ETHUSDT_1m.csv.gz": b"this is no gzip at all",
        "BTCUSDT_1m.feather": feather[: len(feather) // 2],
        "BTCUSDT_1m.csv": b"\xff\xfe\x00\x01\n" * 9,
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match="damaged, or not") as caught:
            read_candles(tmp_path / name, "binance")
        assert "\n" not in str(caught.value)


def test_a_line_with_too_many_fields_is_named(tmp_path: Path) -> None:
    lines = frame().write_csv().splitlines()
    lines += ["1,2,3,4,5,6,7", *["1,2,3,4,5,6"] * 30]
    path = tmp_path / "BTCUSDT_1m.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(UserError, match="line 14: 7 fields where the heading has 6"):
        read_candles(path, "binance")


def test_repair_sorts_and_drops_exact_repeats_only(tmp_path: Path) -> None:
    mixed = pl.concat([frame()[::-1], frame()[3:5]])
    path = save(tmp_path / "BTCUSDT_1m.parquet", mixed)
    with pytest.raises(UserError, match="or add --repair"):
        read_candles(path, "binance")
    read = read_candles(path, "binance", repair=True)
    assert_sound(read)
    assert read.repeated == 2
    repeated = save(path, pl.concat([frame()[:4], frame()[3:]]))
    with pytest.raises(UserError, match=r"row 5 .*: repeats row 4"):
        read_candles(repeated, "binance")
    contradiction = save(path, pl.concat([frame(), with_cell("close", 3, 103.5)]))
    with pytest.raises(UserError, match=r"row 16 .*: the same time as row 4 with another close"):
        read_candles(contradiction, "binance", repair=True)


def test_gaps_are_taken(tmp_path: Path) -> None:
    table = pl.concat([frame()[:3], frame()[8:]])
    assert_sound(read_candles(save(tmp_path / "BTCUSDT_1m.csv", table), "binance"), table)


def test_other_tables_are_no_candles(tmp_path: Path) -> None:
    trades = pl.DataFrame({"ts": [1], "trade_id": [1], "price": [2.0], "size": [3.0]})
    with pytest.raises(CandleFormatError):
        read_candles(save(tmp_path / "BTCUSDT_trades.parquet", trades), "binance")
    (tmp_path / "numbers.csv").write_text("1,2,3\n4,5,6\n")
    with pytest.raises(CandleFormatError):
        read_candles(tmp_path / "numbers.csv", "binance")


def test_a_folder_is_parted_by_name(tmp_path: Path) -> None:
    for name in ("b_1m.csv", "a_1m.parquet", "README.md", ".hidden.csv"):
        (tmp_path / name).touch()
    (tmp_path / "sub").mkdir()
    known, other = candle_files(tmp_path)
    assert [path.name for path in known] == ["a_1m.parquet", "b_1m.csv"]
    assert [path.name for path in other] == ["README.md"]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.decimals("0.00000001", "1000000", allow_nan=False, places=8),
            st.decimals("0", "1000000", allow_nan=False, places=8),
        ),
        min_size=3,
        max_size=20,
    )
)
def test_decimals_in_a_csv_are_read_to_the_nearest_float(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[Any, Any]]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "BTCUSDT_1m.csv"
    lines = [f"{START_MS + k * MINUTE_MS},{p},{p},{p},{p},{v}" for k, (p, v) in enumerate(cells)]
    path.write_text("\n".join(["ts,open,high,low,close,volume", *lines]))
    read = read_candles(path, "binance").bars
    assert read.close.tolist() == [float(price) for price, _ in cells]
    assert read.volume.tolist() == [float(volume) for _, volume in cells]


def test_a_file_of_another_kind_is_named_as_such(tmp_path: Path) -> None:
    (tmp_path / "README.txt").write_text("BTCUSDT_1h\n")
    with pytest.raises(CandleFormatError, match=r"README.txt: no file of candles: use \.parquet"):
        read_table(tmp_path / "README.txt")
