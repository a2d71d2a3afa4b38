"""The parity waterfall: nothing at a venue that fills as the model does, else the right part."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.runtime.replay.other_venue import Habits, run_elsewhere

from ares.domain.errors import UserError
from ares.domain.events import TradeClosed
from ares.domain.order_events import ExecutionBooked
from ares.journal.run import entries
from ares.runtime.replay.parity import Parts
from ares.runtime.replay.waterfall import ScopeWaterfall, TradeWaterfall, Waterfall, waterfall

UNITS = 1e8
NOTHING_PER_TRADE = 1e-6
"""Money is counted in units of 1e-8; a part of it in floats."""


@pytest.fixture(scope="session")
def elsewhere(
    world: Any, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Habits], tuple[Path, Waterfall]]:
    """Return the journal and waterfall of the world's run at a venue with these habits."""
    found: dict[Habits, tuple[Path, Waterfall]] = {}

    def run(habits: Habits) -> tuple[Path, Waterfall]:
        if habits not in found:
            folder = tmp_path_factory.mktemp("elsewhere") / "run"
            run_elsewhere(world, folder, habits)
            found[habits] = folder, waterfall(folder)
        return found[habits]

    return run


def closed_units(folder: Path) -> int:
    effects = (effect for entry in entries(folder) for effect in entry.effects)
    return sum(e.pnl_units for e in effects if isinstance(e, TradeClosed) and not e.virtual)


def is_summed(parts: Parts) -> bool:
    """Return whether the parts sum to the gap, far within 0.1 bp."""
    steps = parts.signal + parts.timing + parts.fill + parts.fee
    return abs(parts.backtest + steps - parts.live) < 1e-6 and abs(steps - parts.gap) < 1e-6


def every_parts(found: Waterfall) -> list[Parts]:
    rows: list[ScopeWaterfall | TradeWaterfall]
    rows = [found.total, *found.instruments, *found.trades]
    return [row.quote for row in rows] + [row.bps for row in rows if row.bps is not None]


def test_a_run_by_the_fill_model_has_no_gap_at_all(done: Any) -> None:
    found = waterfall(done.folder)
    for parts in every_parts(found):
        assert (parts.signal, parts.timing, parts.fill, parts.fee, parts.gap) == (0.0,) * 5
    assert (found.total.only_backtest, found.total.only_live) == (0, 0)
    assert found.total.both > 20
    assert found.total.quote.live == pytest.approx(closed_units(done.folder) / UNITS, abs=1e-9)
    assert not any(trade.remark for trade in found.trades if trade.notional_quote)


def test_executions_in_parts_at_the_models_price_leave_a_gap_of_rounding_alone(
    elsewhere: Any,
) -> None:
    _, found = elsewhere(Habits(parts=5))
    assert abs(found.total.bps.gap) < 0.001
    assert found.total.both > 20


def test_higher_fees_are_the_fee_part_and_nothing_else(elsewhere: Any) -> None:
    folder, found = elsewhere(Habits(fee_ppm=300))  # 3 bps each side
    parts = found.total.quote
    assert (parts.signal, parts.timing, parts.fill) == (0.0, 0.0, 0.0)
    traded = [e for x in entries(folder) for e in x.effects if isinstance(e, ExecutionBooked)]
    fees = sum(e.fee_units for e in traded) / UNITS
    assert parts.fee == pytest.approx(-fees * 3 / 5, rel=1e-6)
    assert found.total.bps.fee == pytest.approx(-6.0, abs=0.1)


def test_worse_prices_are_the_fill_part(elsewhere: Any) -> None:
    folder, found = elsewhere(Habits(spread_bps=4.0))
    same = [t for t in found.trades if t.bps is not None and not t.remark and not t.quote.timing]
    assert len(same) > 10
    for trade in same:
        assert trade.bps.fill == pytest.approx(-8.0, abs=1.2)  # rounded against us to the tick
        assert trade.bps.fee == 0.0
        assert trade.bps.signal == 0.0
    assert found.total.quote.live == pytest.approx(closed_units(folder) / UNITS, abs=1e-9)
    assert found.total.bps.fill < -6.0


def test_late_fills_are_the_timing_part(elsewhere: Any) -> None:
    _, found = elsewhere(Habits(bars_late=1))
    both = [t for t in found.trades if all(t.lots) and t.lots[0] == t.lots[1] and not t.remark]
    assert len(both) > 3
    for trade in both:
        parts = trade.quote
        assert (parts.signal, parts.fill, parts.fee) == (0.0, 0.0, 0.0)
    assert sum(abs(trade.bps.timing) for trade in both) / len(both) > 1.0


def test_orders_that_the_venue_rejects_are_the_signal_part(elsewhere: Any) -> None:
    _, found = elsewhere(Habits(every_rejected=3))
    missed = [t for t in found.trades if t.lots[0] and not t.lots[1]]
    assert len(missed) == found.total.only_backtest > 3
    for trade in missed:
        assert trade.remark == "not filled: rejected"
        assert trade.quote.signal == trade.quote.gap == -trade.quote.backtest
    # While the model holds such a trade, the next entry of the run is one that it does not make.
    extra = [t for t in found.trades if t.lots[1] and not t.lots[0]]
    assert len(extra) == found.total.only_live
    parts = found.total.quote
    assert (parts.timing, parts.fill, parts.fee) == (0.0, 0.0, 0.0)
    by_trade = sum(t.quote.live for t in extra) - sum(t.quote.backtest for t in missed)
    assert parts.signal == pytest.approx(by_trade)


def test_a_stop_that_is_reached_in_one_only_is_the_signal_part(elsewhere: Any) -> None:
    _, found = elsewhere(Habits(stops=False))
    lost = [t for t in found.trades if t.exit_reason[0] == "stop" != t.exit_reason[1]]
    assert lost
    for trade in lost:
        assert trade.quote.signal != 0.0
        assert trade.remark == f"{trade.exit_reason[1]}; model: stop"
    assert found.total.quote.fee == pytest.approx(0.0, abs=NOTHING_PER_TRADE)


@pytest.mark.parametrize(
    "habits",
    [
        Habits(spread_bps=4.0, fee_ppm=300),
        Habits(bars_late=2, every_rejected=4, parts=3),
        Habits(spread_bps=-1.0, fee_ppm=-100, bars_late=1, every_rejected=5, stops=False),
    ],
)
def test_the_parts_sum_to_the_gap_whatever_the_venue_does(elsewhere: Any, habits: Habits) -> None:
    folder, found = elsewhere(habits)
    assert all(map(is_summed, every_parts(found)))
    assert found.total.quote.gap == pytest.approx(sum(t.quote.gap for t in found.trades))
    names = {scope.name for scope in found.instruments}
    assert found.total.quote.live == pytest.approx(sum(s.quote.live for s in found.instruments))
    assert {trade.instrument for trade in found.trades} <= names
    gaps = [trade.quote.gap for trade in found.trades]
    assert gaps == sorted(gaps)
    held = sum(e.lots for x in entries(folder) for e in x.effects if isinstance(e, ExecutionBooked))
    if not held:
        assert found.total.quote.live == pytest.approx(closed_units(folder) / UNITS, abs=1e-9)


def test_a_run_that_traded_nothing_has_no_ratios(world: Any, tmp_path: Path) -> None:
    world.with_(to_ms=world.from_ms + 60_000).run(tmp_path / "run")
    found = waterfall(tmp_path / "run")
    assert found.trades == ()
    assert found.total.bps is None
    assert found.total.quote == Parts()
    assert found.sentence.startswith("Nothing was traded")


def test_an_empty_journal_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the journal is empty"):
        waterfall(tmp_path)
