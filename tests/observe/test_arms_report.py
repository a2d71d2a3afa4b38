"""The A/B test of a run: trades belong to the ensemble that was in the lane when they closed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ares.domain.errors import UserError
from ares.domain.events import BarsClosed, Effect, Event, TradeClosed
from ares.domain.model import Ensemble
from ares.domain.model_events import ArmsCompared, ModelPublished, SlotChanged
from ares.domain.run import RunSetup
from ares.domain.timeframe import HOUR_MS
from ares.journal.run import RunJournal
from ares.observe.arms_report import report_arms

START_MS = 1_704_067_200_000  # 2024-01-01
EnsembleOf = Callable[[str], Ensemble]
SetupOf = Callable[..., RunSetup]
TradeOf = Callable[..., TradeClosed]
Journaled = Callable[..., Path]


def bars(hour: int) -> BarsClosed:
    return BarsClosed(START_MS + hour * HOUR_MS, b"", b"\1", b"\0")


def test_a_promotion_ends_the_champion_and_moves_no_trade_to_another_arm(
    ensemble_of: EnsembleOf, setup_of: SetupOf, trade_of: TradeOf, journaled: Journaled
) -> None:
    old, new = ensemble_of("old"), ensemble_of("new")
    at_ms = START_MS + 5 * HOUR_MS
    published = ModelPublished(at_ms, 0, new, "shadow", False, "v", "me", "test")
    enters = SlotChanged(
        0, at_ms, "published", new.hash, (old.hash, new.hash), ("champion", "shadow"), "", "me", "",
    )  # fmt: skip
    promoted = SlotChanged(
        0, at_ms + HOUR_MS, "promoted", new.hash, ("", new.hash), ("empty", "champion"), old.hash,
        "me", "better",
    )  # fmt: skip
    compared = ArmsCompared(0, at_ms, at_ms - HOUR_MS, 3.0, 8.0, 40, 25.0, 0.1)
    story: list[tuple[Event, list[Effect]]] = [
        (bars(1), [trade_of(0, 10.0), trade_of(0, -4.0, virtual=True)]),
        (published, [enters]),
        (bars(6), [trade_of(1, 6.0, virtual=True), compared, promoted]),
        (bars(7), [trade_of(1, 20.0)]),
    ]
    (report,) = report_arms(journaled(setup_of(old), story))
    first, second = report.arms
    assert (first.ensemble_hash, first.stages) == (old.hash, ("champion",))
    assert (first.since_ms, first.until_ms) == (START_MS, at_ms + HOUR_MS)
    assert first.ended == "promoted: better"
    assert (first.results.real_trades, first.results.real_mean_bps) == (1, 10.0)
    assert (first.results.virtual_mean_bps, first.results.win_rate) == (-4.0, 0.5)
    assert (second.stages, second.until_ms) == (("shadow", "champion"), None)
    assert (second.results.real_mean_bps, second.results.virtual_mean_bps) == (20.0, 6.0)
    found = report.comparison
    assert found is not None
    assert (found.champion, found.challenger, found.challenger_stage) == (
        old.hash, new.hash, "shadow",
    )  # fmt: skip
    assert found.e_better == 25.0
    assert found.goal == pytest.approx(20.0)


def test_an_arm_without_trades_has_no_numbers(
    ensemble_of: EnsembleOf, setup_of: SetupOf, journaled: Journaled
) -> None:
    (report,) = report_arms(journaled(setup_of(ensemble_of("a"), False), [(bars(1), [])]))
    results = report.arms[0].results
    assert (results.real_trades, results.virtual_trades) == (0, 0)
    assert (results.real_mean_bps, results.win_rate, results.sd_bps) == (None, None, None)
    assert report.comparison is None


def test_an_instrument_without_ensemble_has_no_report(
    setup_of: SetupOf, trade_of: TradeOf, journaled: Journaled
) -> None:
    assert report_arms(journaled(setup_of(None, False), [(bars(1), [trade_of(0, 1.0)])])) == ()


def test_an_empty_journal_is_one_line(tmp_path: Path) -> None:
    RunJournal(tmp_path / "empty").close()
    with pytest.raises(UserError, match="empty: the journal is empty: run it again"):
        report_arms(tmp_path / "empty")
