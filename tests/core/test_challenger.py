"""The challenger rules: which ensemble moves to which stage, why, and on which bar."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from ares.core import orders
from ares.core.challenger import TRADES_MIN, observe_trades
from ares.domain.events import TradeClosed
from ares.domain.model_events import ModelPublished, SlotChangeRequested
from ares.domain.order_events import OrderFilled, SubmitOrder
from ares.kernel.trade.layout import REASON_REVERSAL

START_MS = 1_704_153_600_000  # on the hour
MINUTES_IN_HOUR = 60


def promoted(engine_of: Any) -> Any:
    """Return an engine whose second ensemble has just taken the place of the first."""
    engine = engine_of()
    engine.publish("second")
    engine.bars(5 * MINUTES_IN_HOUR)
    assert [move for move, _ in engine.timed_moves] == ["published", "canary", "promoted"]
    assert engine.stages == ("former", "champion")
    return engine


def test_each_stage_lasts_as_long_as_is_set_and_one_without_a_verdict_stays(engine_of: Any) -> None:
    engine = engine_of()
    engine.bars(30)
    engine.publish("second")
    engine.bars(6 * MINUTES_IN_HOUR)
    # 2 hours in the shadow, then 3 as a canary, each seen on the first full hour behind it
    assert engine.timed_moves == [("published", 30), ("canary", 180), ("promoted", 360)]
    shadow = engine_of()
    shadow.publish("second", verdict="")
    shadow.bars(6 * MINUTES_IN_HOUR)
    assert [move for move, _ in shadow.timed_moves] == ["published"]


def test_a_stage_begins_in_the_markets_time_as_in_its_fact(engine_of: Any) -> None:
    """A publisher's clock is another one: folded facts gave other stages than the steps."""
    engine = engine_of()
    engine.bars(30)
    published = ModelPublished(
        engine.now_ms + 59_999, 0, engine.ensemble("second"), "champion", False, "v", "ada", ""
    )
    engine.take(published)
    assert engine.moves[-1].ts_ms == engine.now_ms
    assert [slot.since_ms for slot in engine.state.slots] == [engine.now_ms, engine.now_ms]


def test_a_canary_and_its_champion_share_the_size(engine_of: Any) -> None:
    engine = engine_of()
    engine.publish("second")
    engine.bars(2 * MINUTES_IN_HOUR)
    assert engine.stages == ("champion", "canary")
    assert engine.state.params.specs["size_share"].tolist() == [0.75, 0.25]
    assert engine.state.params.specs["has_champion"].tolist() == [True, True]
    engine.bars(3 * MINUTES_IN_HOUR)
    assert engine.stages == ("former", "champion")
    assert engine.state.params.specs["has_champion"].tolist() == [False, True]
    assert engine.state.params.specs["size_share"][1] == 1.0


def test_low_confidence_takes_a_champion_out_within_a_bar_after_enough_trades(
    engine_of: Any,
) -> None:
    engine = engine_of()
    engine.bars(7)
    engine.trades(0, 0.05, TRADES_MIN - 1)
    engine.bars(2 * MINUTES_IN_HOUR)
    assert engine.timed_moves == [], "too few trades to say"
    engine.trades(0, 0.05, TRADES_MIN)
    engine.bars()
    assert engine.timed_moves == [("withdrawn", 128)], "not at the next full hour"
    assert "mode confidence 0.050 after 10 trades, below 0.1" in engine.moves[-1].reason
    at_the_limit = engine_of()
    at_the_limit.trades(0, 0.10, 50)
    at_the_limit.bars(MINUTES_IN_HOUR)
    assert at_the_limit.timed_moves == []


def test_the_alarm_of_a_turned_edge_brings_the_one_before_it_back(engine_of: Any) -> None:
    engine = engine_of(previous=engine_of.ensemble("before"))
    engine.state.edge_lost[0]["crossed_step"] = 3
    engine.state.review_due = True
    engine.bars()
    assert engine.timed_moves == [("rolled_back", 1)]
    [move] = engine.moves
    assert move.lane_hashes[move.stages.index("champion")] == engine_of.ensemble("before").hash
    assert "the test for a lost edge rejected" in move.reason


def closed(net_bps: float, lane: int = 0) -> TradeClosed:
    return TradeClosed(
        lane, True, START_MS, START_MS, 1.0, 1.0, 1, 0, 0, net_bps, 0.6, 1.0, "time", "", 0.5
    )


@pytest.mark.parametrize(("mean_bps", "alarms"), [(-15.0, True), (5.0, False)])
def test_an_edge_that_turns_alarms_by_its_trades(
    engine_of: Any, mean_bps: float, alarms: bool
) -> None:
    rules = msgspec.structs.replace(engine_of.rules, confidence_min=0.0)  # the test alone
    engine = engine_of(challenger_rules=rules)
    draw = np.random.default_rng(1).normal(mean_bps, 40.0, 400)
    for k, net_bps in enumerate(draw.tolist()):
        observe_trades(engine.state, [closed(net_bps), closed(-50.0, lane=1)])
        engine.bars()
        if engine.moves:
            assert 20 < k < 300
            assert engine.state.edge_lost[0]["crossed_step"] == k + 1, "on the bar behind the trade"
            break
    assert bool(engine.moves) == alarms


@pytest.mark.parametrize(("trades", "moves"), [(5, []), (TRADES_MIN - 1, [("withdrawn", 1)])])
def test_a_trade_of_money_is_looked_at_with_its_fill(
    engine_of: Any, trades: int, moves: list[Any]
) -> None:
    """Whom it takes out does not decide the next bar."""
    rules = msgspec.structs.replace(engine_of.rules, confidence_min=0.999)  # any loss is below
    engine = engine_of(challenger_rules=rules)
    engine.bars()
    engine.state.trade.book[0]["arm_trades"] = trades
    book = engine.state.trade.book[0]
    for kind, lots, ticks in (("entry", 10, 10_000), ("exit", -10, 9_900)):
        sent = SubmitOrder(kind, 0, kind, lots, 0, "signal", 0.6, 9.0, 100.0)
        engine.state.orders[kind] = orders.sent(sent, engine.state.seq, 0, engine.now_ms)
        setattr(engine.state.lane_orders[0], kind, kind)
        if kind == "entry":
            book["entry_open_lots"] = lots
        else:
            book["exit_reason"] = REASON_REVERSAL
        engine.take(OrderFilled(kind, engine.now_ms, lots, ticks, 0, "x1"))
    assert int(book["position_lots"]) == 0
    assert int(book["arm_trades"]) == trades + 1
    assert int(engine.state.edge_lost[0]["steps"]) == 1
    assert engine.timed_moves == moves
    assert bool(engine.state.params.specs["has_champion"][0]) == (not moves)


def test_a_former_champion_that_is_better_comes_back(engine_of: Any) -> None:
    engine = promoted(engine_of)
    engine.state.challenger_better[0]["crossed_step"] = 9
    engine.bars(MINUTES_IN_HOUR)
    assert engine.timed_moves[-1] == ("rolled_back", 6 * MINUTES_IN_HOUR)
    assert engine.moves[-1].reason == "the champion before it is better"
    assert engine.stages == ("champion", "withdrawn")


def test_a_former_champion_that_has_turned_as_well_does_not_come_back(engine_of: Any) -> None:
    engine = promoted(engine_of)
    engine.trades(0, 0.02, 40)
    engine.trades(1, 0.05, 40)
    engine.bars()
    assert engine.timed_moves[-1] == ("withdrawn", 5 * MINUTES_IN_HOUR + 1)
    assert "champion" not in engine.stages
    person = promoted(engine_of)
    person.trades(0, 0.02, 40)
    person.take(SlotChangeRequested(person.now_ms, 0, "rollback", "ada", "I want it"))
    assert person.stages == ("champion", "withdrawn"), "a person may"


@pytest.mark.parametrize("hours", [1, 3])
def test_a_challenger_that_is_worse_is_dismissed(engine_of: Any, hours: int) -> None:
    engine = engine_of()
    engine.publish("second")
    engine.bars(hours * MINUTES_IN_HOUR)
    engine.state.challenger_worse[0]["crossed_step"] = 9
    engine.bars(MINUTES_IN_HOUR)
    assert engine.moves[-1].move == "dismissed"
    assert engine.moves[-1].reason == "it is worse than the champion"
    assert engine.stages == ("champion", "empty")
    assert engine.state.params.specs["size_share"][0] == 1.0
