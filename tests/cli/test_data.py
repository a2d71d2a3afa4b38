"""``ares data``: exit codes, one line for a mistake, and JSON that is JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sqlalchemy import create_engine

from ares.cli.main import run

START_MS = 1_679_004_900_000


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    assert run(["init", "--json"]) == 0
    return tmp_path


def frame(minutes: int = 60) -> pl.DataFrame:
    close = [100.0 + m for m in range(minutes)]
    return pl.DataFrame(
        {
            "ts": [START_MS + m * 60_000 for m in range(minutes)],
            "open": close,
            "high": [c + 1 for c in close],
            "low": [c - 1 for c in close],
            "close": close,
            "volume": [1.0] * minutes,
        }
    )


def ares(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = run(["data", *args])
    return code, *capsys.readouterr()


def answer(capsys: pytest.CaptureFixture[str], *args: str) -> Any:
    code, out, _ = ares(capsys, *args, "--json")
    assert code == 0
    return json.loads(out)


def test_import_list_and_check(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame().write_csv(workspace / "BTCUSDT_1m.csv")
    code, out, err = ares(capsys, "import", "BTCUSDT_1m.csv", "--venue", "binance")
    assert code == 0
    assert "60 new bars from 1 file" in out
    assert "import: done, 1 of 1 files" in err
    imported = answer(capsys, "import", "BTCUSDT_1m.csv", "--venue", "binance")
    assert (imported["new"], imported["same"], imported["conflicts"]) == (0, 60, 0)
    (listed,) = answer(capsys, "list")
    assert (listed["instrument"], listed["interval"], listed["bars"]) == (
        *("binance:BTC/USDT", "1m", 60),
    )
    assert (listed["from"], listed["to"]) == ("2023-03-16 22:15", "2023-03-16 23:15")
    assert "binance:BTC/USDT" in ares(capsys, "list")[1]
    code, out, _ = ares(capsys, "check")
    assert code == 0
    assert "no errors" in out
    checked = answer(capsys, "check", "-s", "BTC/USDT")
    assert checked["ok"] is True
    assert checked["series"][0]["findings"] == {}


def test_the_venue_of_the_settings_is_the_default(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace / "ares.yaml").write_text("venue: kraken\n")
    frame().write_parquet(workspace / "BTCUSDT_1m.parquet")
    answer(capsys, "import", "BTCUSDT_1m.parquet")
    assert answer(capsys, "list")[0]["venue"] == "kraken"


def test_a_folder_with_a_bad_file_imports_the_rest_and_exits_with_2(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = workspace / "candles"
    folder.mkdir()
    frame().write_csv(folder / "BTCUSDT_1m.csv")
    frame().with_columns(low=pl.lit(0.0)).write_csv(folder / "ETHUSDT_1m.csv")
    (folder / "notes.txt").write_text("no candles")
    code, out, err = ares(capsys, "import", "candles")
    assert code == 2
    assert "60 new bars from 1 file; 1 file without candles skipped: notes.txt" in out
    assert "refused: ETHUSDT_1m.csv, line 2 (2023-03-16 22:15): low is 0" in err
    code, out, _ = ares(capsys, "import", "candles", "--json")
    assert code == 2
    assert json.loads(out)["refused"][0]["file"] == "ETHUSDT_1m.csv"
    assert [row["symbol"] for row in answer(capsys, "list")] == ["BTC/USDT"]


def test_nothing_that_holds_candles_is_listed_and_exit_code_1(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = workspace / "candles"
    folder.mkdir()
    (folder / "notes.txt").write_text("no candles")
    frame().write_csv(folder / "BTC_USDT_USDT-1m-futures.csv")
    code, out, err = ares(capsys, "import", "candles")
    assert code == 1
    assert "0 new bars from 0 files; 1 file without candles skipped: notes.txt" in out
    assert "not used: BTC_USDT_USDT-1m-futures.csv: a derivative (BTC/USDT:USDT)" in err


def test_several_paths_are_one_import_and_the_venue_is_that_of_the_name(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame().write_csv(workspace / "BTCUSDT_1m.csv")
    (workspace / "kraken").mkdir()
    frame().write_csv(workspace / "kraken" / "ETHEUR_1m.csv")
    assert answer(capsys, "import", "*_1m.csv", "kraken")["new"] == 120
    assert [row["instrument"] for row in answer(capsys, "list")] == [
        "binance:BTC/USDT",
        "kraken:ETH/EUR",
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("BTCUSDT_1m.csv", "", "the file is empty"),
        ("BTCUSDT_1m.csv", "ts,open,high,low\n1,2,3,4\n", "no column for close, volume"),
        ("BTCUSDT_1m.parquet", "no parquet", "damaged, or not Parquet"),
        ("BTCUSDT_1m.csv", "ts,open,high,low,close,volume\n1,2,3,4,x,6\n", "is 'x'"),
        ("nowhere.csv", None, "no such file or folder"),
    ],
)
def test_a_bad_file_is_one_line_and_2_and_nothing_is_lost(
    workspace: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: str | None,
    message: str,
) -> None:
    frame().write_csv(workspace / "BTCUSDT-1m-good.csv")
    answer(capsys, "import", "BTCUSDT-1m-good.csv")
    before = answer(capsys, "list")
    if content is not None:
        (workspace / name).write_text(content)
    code, out, err = ares(capsys, "import", name)
    assert (code, out) == (2, "")
    (line,) = [line for line in err.splitlines() if line.startswith("ares: ")]
    assert message in line
    assert answer(capsys, "list") == before


def test_conflicts_and_gaps_are_reported(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame().write_csv(workspace / "BTCUSDT_1m_a.csv")
    answer(capsys, "import", "BTCUSDT_1m_a.csv")
    other = frame().with_columns(close=pl.col("close") + 0.5)
    pl.concat([other[:5], other[9:]]).write_csv(workspace / "BTCUSDT_1m_b.csv")
    code, _, err = ares(capsys, "import", "BTCUSDT_1m_b.csv")
    assert code == 1
    assert "conflict: binance:BTC/USDT 1m 2023-03-16 22:15: close 100 kept" in err
    assert "100.5 refused" in err
    assert "conflict: BTCUSDT_1m_b.csv: 56 bars in total" in err
    assert "gap: 4 bars missing in BTCUSDT_1m_b.csv, first" in err


def test_check_reports_findings_and_exits_with_1_on_errors(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pl.concat([frame()[:20], frame()[30:]]).write_csv(workspace / "BTCUSDT_1m.csv")
    answer(capsys, "import", "BTCUSDT_1m.csv")
    code, out, _ = ares(capsys, "check", "--all")
    assert code == 0
    assert "2023-03-16 22:35 to 2023-03-16 22:45" in out
    engine = create_engine(f"sqlite:///{workspace / 'ares.db'}")
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE candles SET high = 1.0 WHERE ts_ms = ?", (START_MS,))
    engine.dispose()
    code, out, _ = ares(capsys, "check")
    assert code == 1
    assert "1 error found: correct it" in out
    code, out, _ = ares(capsys, "check", "--json")
    assert code == 1
    found = json.loads(out)["series"][0]["findings"]
    assert found["ohlc"]["shown"][0]["from"] == "2023-03-16 22:15"
    assert (found["gap"]["count"], found["gap"]["bars"]) == (1, 10)


def test_an_empty_store_is_reported(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, "list") == []
    assert "no candles are stored" in ares(capsys, "list")[1]
    assert "no candles are stored" in ares(capsys, "check")[1]
    code, _, err = ares(capsys, "check", "-s", "BTC/USDT")
    assert code == 2
    assert "unknown symbol 'BTC/USDT'" in err


def test_an_invalid_database_is_exit_code_3_and_one_line(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace / "ares.db").write_text("this is no database at all, only a text" * 20)
    for verb in ("list", "check"):
        code, out, err = ares(capsys, verb)
        assert (code, out) == (3, "")
        assert len([line for line in err.splitlines() if "is not a database" in line]) == 1


def test_a_damaged_database_is_exit_code_3_and_never_a_shorter_answer(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame(40_000).write_csv(workspace / "BTCUSDT_1m.csv")
    answer(capsys, "import", "BTCUSDT_1m.csv")
    sound = (workspace / "ares.db").read_bytes()
    chance = np.random.default_rng(7)
    for _ in range(5):
        damaged = bytearray(sound)
        for at in chance.integers(len(sound) // 4, len(sound), 20):
            damaged[at] ^= 1 << int(chance.integers(8))
        (workspace / "ares.db").write_bytes(damaged)
        for args in (
            ("data", "check"),
            ("backtest", "--baseline", "buy_hold", "--days", "9", "--no-db"),
        ):
            assert run([*args]) == 3, args
            out, err = capsys.readouterr()
            assert out == ""
            assert len([line for line in err.splitlines() if "is damaged" in line]) == 1
        if run(["data", "list"]) != 0:
            assert "bars can be read" in capsys.readouterr().err


def test_without_a_workspace_the_error_names_init(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = ares(capsys, "list")
    assert code == 2
    assert "ares init" in err
