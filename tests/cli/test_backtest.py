"""``ares backtest``: its JSON, its files, and one line for a mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from ares.cli.main import run

START_MS = 1_681_948_800_000  # 2023-04-20
MINUTES = 3 * 1_440


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("w")
    assert run(["init", str(folder), "--json"]) == 0
    chance = np.random.default_rng(1)
    close = np.round(30_000 * np.exp(np.cumsum(0.0005 * chance.standard_normal(MINUTES))), 2)
    opens = np.concatenate([[30_000.0], close[:-1]])
    pl.DataFrame(
        {
            "ts": START_MS + 60_000 * np.arange(MINUTES),
            "open": opens,
            "high": np.maximum(opens, close),
            "low": np.minimum(opens, close),
            "close": close,
            "volume": np.round(chance.exponential(5.0, MINUTES), 5),
        }
    ).write_parquet(folder / "BTCUSDT_1m.parquet")
    return folder


@pytest.fixture
def here(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(workspace)
    if not (workspace / "ares.db").exists():
        assert run(["data", "import", "BTCUSDT_1m.parquet", "--venue", "binance"]) == 0
    return workspace


def ares(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = run(["backtest", *args])
    return code, *capsys.readouterr()


def answer(capsys: pytest.CaptureFixture[str], *args: str) -> Any:
    code, out, _ = ares(capsys, *args, "--no-db", "--json")
    assert code == 0
    return json.loads(out)


SMA = ("-s", "BTC/USDT", "--baseline", "sma_cross")


def test_json_has_what_scripts_read(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    got = answer(
        capsys, *SMA, "--fast", "5", "--slow", "20", "--from", "2023-04-20", "--to", "2023-04-22",
        "--cash", "100000", "--size", "1",
    )  # fmt: skip
    assert {
        "bars", "trades", "equity_start", "equity_end", "net_return", "sharpe", "max_drawdown",
        "fees", "win_rate",
    } <= set(got)  # fmt: skip
    assert got["bars"] == 2 * 1_440
    assert got["equity_start"] == 100_000.0
    assert got["trades"] > 10
    assert got["net_return"] == pytest.approx(got["equity_end"] / 100_000.0 - 1)


def test_nothing_traded_is_null_and_never_zero(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    got = answer(capsys, *SMA, "--fast", "20", "--slow", "100000")
    assert got["trades"] == 0
    assert got["win_rate"] is None
    assert got["sharpe"] is None
    assert got["profit_factor"] is None


def test_fees_may_be_written_either_way(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A fraction is what other tools take; `--fee 0.001` was once read as 0.001 bps."""
    written = ("10", "10bps", "0.1%", "0.001", "0")
    *same, free = (answer(capsys, *SMA, "--fee", fee) for fee in written)
    assert {each["equity_end"] for each in same} == {same[0]["equity_end"]}
    assert same[0]["equity_end"] < free["equity_end"]
    assert free["fees"] == 0.0


def test_the_reading_of_a_bare_number_is_printed(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = ares(capsys, *SMA, "--no-db", "--fee", "0.001", "--spread", "2bps")
    assert code == 0
    assert "--fee 0.001: read as 10 bps (0.1%)" in err
    assert "--spread" not in err
    assert "fee 10 bps (0.1%), spread 2 bps" in out


def test_a_stop_changes_no_size_unless_risk_is_asked_for(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hold = ("-s", "BTC/USDT", "--baseline", "buy_hold")
    free, stopped, by_risk = (
        answer(capsys, *hold, *more)
        for more in ((), ("--stop", "2%"), ("--stop", "5%", "--size", "risk"))
    )
    assert stopped["trades"] > 0  # the stop is there
    assert stopped["exposure"] > 0.98 * free["exposure"] > 0.9
    assert by_risk["traded_quote"] == pytest.approx(0.01 / 0.05 * 10_000, rel=0.01)
    assert (
        "sized to lose 1.0% of equity at the stop"
        in (ares(capsys, *hold, "--stop", "5%", "--size", "risk", "--no-db")[1])
    )
    assert "sized to lose" not in ares(capsys, *hold, "--stop", "5%", "--no-db")[1]


def test_the_result_the_report_and_the_trades_are_written(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = ares(capsys, *SMA, "--report", "out.html", "--csv", "trades.csv")
    assert code == 0
    assert "It lost" in out or "It made" in out
    assert "buy & hold" in out
    assert (here / "out.html").read_text().startswith("<!doctype html>")
    assert (here / "out_trades.csv").read_bytes() == (here / "trades.csv").read_bytes()
    (stored,) = (here / "reports").glob("backtest_*.json")
    assert json.loads(stored.read_text())["strategy"] == "sma_cross 20/100"
    stored.unlink()


def test_several_strategies_are_one_report(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stopped = (*SMA, "--stop", "2%", "--compare", "buy_hold")
    code, out, _ = ares(capsys, *stopped, "--no-db", "--report", "several.html")
    assert code == 0
    assert "buy & hold, stop 2%" in out
    page = (here / "several.html").read_text()
    assert '"others":[{"name":"buy & hold, stop 2%"' in page.replace("\\u0026", "&")
    got = answer(capsys, *stopped)
    assert got["strategy"] == "sma_cross 20/100, stop 2%"
    assert got["compared"][0]["strategy"] == "buy & hold, stop 2%"
    code, _, err = ares(capsys, *SMA, "--no-db", "--compare", "nothing")
    assert code == 2
    assert "nothing" in err


def test_what_is_in_the_result_already_is_not_compared_twice(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = ares(capsys, *SMA, "--no-db", "--compare", "buy_hold")
    assert code == 0
    assert "--compare: buy & hold is in the result already" in err
    assert out.count("buy & hold") == 2, "a column, and the sentence"
    code, out, _ = ares(capsys, "-s", "BTC/USDT", "--baseline", "buy_hold", "--no-db")
    assert code == 0
    heading = next(line for line in out.splitlines() if line.strip().startswith("buy & hold"))
    assert heading.count("buy & hold") == 1, "buy & hold is not compared with itself"
    assert "buy & hold made" not in out


def test_no_db_leaves_no_trace(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(here.rglob("*"))
    assert ares(capsys, *SMA, "--no-db")[0] == 0
    assert sorted(here.rglob("*")) == before


def test_filled_at_the_close_is_warned_of(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    got = answer(capsys, *SMA, "--fill", "close")
    assert any("which no real order gets" in text for text in got["warnings"])


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("-s", "BTC/USD", "--baseline", "buy_hold"), "did you mean BTC/USDT"),
        (("--baseline", "sma"), "--baseline sma: use buy_hold or sma_cross"),
        (("--baseline", "buy_hold", "--fill", "open"), "--fill open"),
        (("--baseline", "buy_hold", "--model", "x"), "give one of them"),
        (("--baseline", "buy_hold", "--fee", "much"), "--fee much"),
        (("--baseline", "buy_hold", "--fee", "0.1"), "0.1bps or 10%"),
        (("--baseline", "buy_hold", "--from", "yesterday"), "is not a date"),
        (("--baseline", "buy_hold", "--days", "-1"), "--days"),
        (("--baseline", "buy_hold", "--cash", "0"), "--cash"),
        (("--baseline", "sma_cross", "-i", "7m"), "unknown interval '7m'"),
        (("--baseline", "buy_hold", "--size", "risk"), "needs a --stop"),
        (("--baseline", "buy_hold", "--report", "reports"), "--report reports: is a folder"),
        (("--baseline", "buy_hold", "--csv", "reports"), "--csv reports: is a folder"),
        (("--baseline", "buy_hold", "--report", "x", "--csv", "./x"), "both write x"),
        (("-s", "BTC/USDT:USDT", "--baseline", "buy_hold"), "BTC/USDT:USDT is a derivative"),
        (("--model", "nobody"), "no model 'nobody'"),
        ((), "there is no model for binance:BTC/USDT"),
        (("--baseline", "buy_hold", "--from", "2020-01-01", "--to", "2020-02-01"), "stored: 1m"),
    ],
)
def test_an_error_is_one_line_and_exit_code_2(
    here: Path, capsys: pytest.CaptureFixture[str], args: tuple[str, ...], message: str
) -> None:
    code, out, err = ares(capsys, *args)
    assert code == 2
    assert out == ""
    lines = [line for line in err.splitlines() if line.startswith("ares:")]
    assert len(lines) == 1
    assert message in lines[0]
    assert "Traceback" not in err


def test_a_backtest_names_how_its_figures_are_computed(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    free = ares(capsys, *SMA, "--no-db")[1]
    assert "computed: one simulated account over the window, without stops and loss limits" in free
    limited = ares(capsys, *SMA, "--no-db", "--drawdown", "10%", "--stop", "2%")[1]
    assert "over the window, with stops, a drawdown limit" in limited
