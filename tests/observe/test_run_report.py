"""The report of a run, from its journal alone: real and virtual trades apart, money as it ended."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ares.domain.errors import UserError
from ares.domain.events import BarsClosed, DecisionMade, Effect, Event, TradeClosed
from ares.domain.model import Ensemble
from ares.domain.run import RunSetup
from ares.domain.timeframe import HOUR_MS
from ares.journal.run import RunJournal
from ares.observe.run_report import newest_run, report_run, run_folder, verdict_of

START_MS = 1_704_067_200_000  # 2024-01-01
EnsembleOf = Callable[[str], Ensemble]
SetupOf = Callable[..., RunSetup]
TradeOf = Callable[..., TradeClosed]
Journaled = Callable[..., Path]


def decided(hour: int, equity: float, trading: bool = True) -> tuple[BarsClosed, DecisionMade]:
    """Return an instant and its decision, with the equity at its close."""
    at_ms = START_MS + hour * HOUR_MS
    outputs = np.array([[0.6], [9.0], [40.0], [0.9], [float(trading)]])
    bars = BarsClosed(at_ms, b"", b"\1", b"\0")
    return bars, DecisionMade(at_ms, outputs.tobytes(), round(equity * 1e8), 1)


def test_equity_drawdown_and_trades_are_those_of_the_journal(
    ensemble_of: EnsembleOf, setup_of: SetupOf, trade_of: TradeOf, journaled: Journaled
) -> None:
    trades = [[], [trade_of(0, 30.0)], [trade_of(0, -10.0), trade_of(0, 8.0, virtual=True)]]
    story: list[tuple[Event, list[Effect]]] = []
    for hour, (equity, closed) in enumerate(zip((120.0, 90.0, 110.0), trades, strict=True)):
        bars, decision = decided(hour, equity)
        story.append((bars, [decision, *closed]))
    report = report_run(journaled(setup_of(ensemble_of("a"), False), story))
    assert (report.equity_start, report.equity_end) == (100.0, 110.0)
    assert report.net_return == pytest.approx(0.10)
    assert report.max_drawdown == pytest.approx(0.25)
    (row,) = report.instruments
    assert (row.real.trades, row.real.win_rate, row.real.mean_net_bps) == (2, 0.5, 10.0)
    assert (row.virtual.trades, row.virtual.mean_net_bps) == (1, 8.0)
    assert row.pnl_quote == pytest.approx(2_000 / 1e8)
    assert (row.mode, row.mode_confidence) == ("TRADING", 0.9)
    assert not report.finished
    assert (report.instants, report.bars) == (3, 3)


def test_the_first_loss_is_measured_from_the_cash_at_the_start(
    ensemble_of: EnsembleOf, setup_of: SetupOf, journaled: Journaled
) -> None:
    bars, decision = decided(1, 80.0, trading=False)
    report = report_run(journaled(setup_of(ensemble_of("a"), False), [(bars, [decision])]))
    assert report.max_drawdown == pytest.approx(0.2)
    assert report.instruments[0].mode == "LEARNING"


def test_bars_that_only_warm_features_up_are_no_instants(
    ensemble_of: EnsembleOf, setup_of: SetupOf, journaled: Journaled
) -> None:
    warming = BarsClosed(START_MS, b"", b"\1", b"\0", kind="warm")
    report = report_run(journaled(setup_of(ensemble_of("a"), False), [(warming, [])]))
    assert (report.events, report.instants, report.bars) == (2, 0, 0)
    assert (report.equity_end, report.max_drawdown) == (100.0, 0.0)


def test_the_result_in_words_claims_no_more_than_there_is(
    ensemble_of: EnsembleOf, setup_of: SetupOf, journaled: Journaled
) -> None:
    (row,) = report_run(journaled(setup_of(ensemble_of("a"), False), [])).instruments
    some = replace(row.real, trades=4, mean_net_bps=2.0, total_net_bps=8.0)
    loss = replace(some, mean_net_bps=-2.0, total_net_bps=-8.0)
    assert verdict_of((row,), 0.0).startswith("No signal reached strategy.edge_bps_min")
    refused = replace(row, signals=50, refused={"cash": 1})
    assert verdict_of((refused,), 0.0, rejected=49) == (
        "49 entries ordered, 49 of them rejected; 1 signals refused (cash 1): no trades, real or "
        "virtual."
    )
    virtual = verdict_of((replace(row, virtual=some),), 0.0)
    assert virtual.startswith("No real trades. 4 virtual trades averaged +2.0 bps net")
    assert virtual.endswith("not yet evidence.")
    assert "no edge after costs" in verdict_of((replace(row, virtual=loss),), 0.0)
    held = verdict_of((replace(row, real=some, open_lots=5),), -0.015)
    assert held.startswith("4 closed trades and 1 open positions, valued at the last close, lost")
    assert "1.50% of the account after all costs" in held


def test_the_newest_run_is_the_one_written_last(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no run yet: start one with `ares run"):
        newest_run(tmp_path)
    for age_s, name in enumerate(("b", "a", "c")):
        folder = tmp_path / "history" / name
        RunJournal(folder).close()
        os.utime(folder / "000001.journal", (2e9 - age_s, 2e9 - age_s))
    assert newest_run(tmp_path).name == run_folder(tmp_path, None).name == "b"
    for name, age_s in (("paper", 9), ("live", 10)):
        RunJournal(tmp_path / name).close()
        os.utime(tmp_path / name / "000001.journal", (2e9 - age_s, 2e9 - age_s))
    assert newest_run(tmp_path).name == "b"
    os.utime(tmp_path / "paper" / "000001.journal", (2e9 + 1, 2e9 + 1))
    assert newest_run(tmp_path).name == "paper", "an engine writes its journal as it runs"
    assert run_folder(tmp_path, "a") == run_folder(tmp_path, "history/a")
    with pytest.raises(UserError, match=r"no run 'x'.* a, b, c"):
        run_folder(tmp_path, "x")


def test_an_empty_journal_is_one_line(tmp_path: Path) -> None:
    RunJournal(tmp_path / "empty").close()
    with pytest.raises(UserError, match="empty: the journal is empty: run it again"):
        report_run(tmp_path / "empty")
