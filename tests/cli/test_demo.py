"""``ares demo``: a run to its end on prices without an edge, and the result in words."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest
from tests.reference_queries import SQLITE

from ares import demo
from ares.cli.demo import _since
from ares.cli.main import run
from ares.domain.timeframe import MINUTE_MS
from ares.kernel.resample import resample
from ares.observe.run_report import ClosedTrades
from ares.sim.prices import simulate


@pytest.mark.slow
def test_the_demo_runs_to_its_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On prices without any edge: nothing is traded, and the output says so with numbers."""
    made = simulate(demo.SYMBOLS, days=60, edge=0.0)
    data = tmp_path / "binance"
    data.mkdir()
    for symbol, bars in made.bars.items():
        fives = resample(bars, MINUTE_MS, 5 * MINUTE_MS)
        names = ("open", "high", "low", "close", "volume")
        columns = {"ts": fives.ts_ms} | {name: getattr(fives, name) for name in names}
        pl.DataFrame(columns).write_parquet(data / f"{symbol.replace('/', '')}_5m.parquet")
    assert run(["demo", "--data", str(data), "--folder", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    for chapter in range(1, 7):
        assert f"{chapter}. " in text
    assert "candles of binance, from" in text
    assert "Ensemble of binance:BTC/USDT" in text
    assert text.count("Refused: ") == 2
    assert len(re.findall(r"net bps per trade\W+-?\d", text)) == 2  # the verdict, line by line
    forced = text.count("Forced: made champion of the history slot in spite of this verdict")
    assert forced + text.count("Not promoted: ") == 2  # a model of one constant is refused even so
    assert " 0 mismatches" in text
    assert "No evidence of an edge after costs in these candles" in text
    workspace = tmp_path / demo.FOLDER
    page = (workspace / "reports" / "demo.html").read_text()
    assert len(page) > 200_000
    assert len(list((workspace / "models" / "ensembles").glob("*.json"))) == 2
    assert "It never traded" in text
    assert "traded virtually" in text
    assert "selected with hindsight" in page
    check_tables(workspace)


NEWEST_VOLATILITY = (
    "SELECT symbol, volatility_24h, returns_1h, volume_24h FROM market_volatility"
    " WHERE timestamp = (SELECT MAX(timestamp) FROM market_volatility)"
)


def check_tables(workspace: Path) -> None:
    """Ask the queries of operators: of the run, and of an account that no engine has traded yet."""
    (of_run,) = (workspace / "journal" / "history").glob("*/tables.db")
    for path in (of_run, workspace / "ares.db"):
        with closing(sqlite3.connect(path)) as connection:
            answers = [connection.execute(query).fetchall() for query in SQLITE]
            rows = connection.execute("SELECT COUNT(*) FROM all_confidence_history").fetchone()[0]
            volatility = connection.execute(NEWEST_VOLATILITY).fetchall()
        assert answers[0] == [("ok",)]
        assert len(answers[1]) == (0 if path == of_run else 2)  # candles
        assert answers[2:5] == [[(0, None)], [], [(None, None)]]
        assert answers[6:8] == [[], []]  # no trade of money
        assert answers[-1] == [(None,)]
        assert (rows > 0) == (path == of_run)
        assert len(volatility) == (2 if path == of_run else 0)
        assert all(0.0 < row[1] < 1.0 and abs(row[2]) < 1.0 and row[3] > 0.0 for row in volatility)


def test_trades_are_compared_with_the_evidence_in_bps_per_trade() -> None:
    def side(trades: int, bps: float) -> ClosedTrades:
        return ClosedTrades(trades, 0.5, bps, trades * bps)

    text = _since(21.5, [side(60, 5.0), side(20, 1.0)], 0.0026)
    assert "the engine made 80 trades, +4.0 bps each after costs: 0.26% of the account" in text
    assert text.endswith(", only 19% of the mean return per trade in the evidence.")
    assert _since(21.5, [side(1, -3.0)], -0.001).endswith(
        ", none of the mean return per trade in the evidence."
    )
    assert _since(21.5, [side(9, 20.0)], 0.01).endswith(
        "+20.0 bps each after costs: 1.00% of the account."
    )
    assert _since(None, [side(9, -2.0)], 0.0).endswith("of the account.")
