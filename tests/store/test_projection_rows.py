"""Rows are collected in order, and a change of slots ends a batch of decisions."""

from __future__ import annotations

import numpy as np

from ares.domain.events import BarsClosed, DecisionMade, Effect, Event, TradeClosed
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.model import Ensemble
from ares.domain.model_events import SlotChanged
from ares.domain.order_events import (
    ExecutionBooked,
    OrderFilled,
    OrderMoved,
    SubmitOrder,
    TimeReached,
)
from ares.domain.run import RunInstrument, RunSetup
from ares.domain.timeframe import Timeframe
from ares.store import projection_sql as sql
from ares.store.projection_rows import ProjectionRows

ENSEMBLE = Ensemble(
    "binance:BTC/USDT", (), Timeframe.M1, 1.0, 0.0, 12, 1.0, 10.0, 1.0, 1.0, 20.0, "recipe",
    "features",
)  # fmt: skip


def setup_of() -> RunSetup:
    """Return one instrument with a champion, and a lane for a challenger."""
    spec = InstrumentSpec(Instrument("binance", "BTC/USDT"), 2, 3)
    lanes = (
        RunInstrument(spec, 60_000, ENSEMBLE, is_champion=True),
        RunInstrument(spec, 60_000, None, is_champion=False),
    )
    return RunSetup(
        "paper", lanes, (Timeframe.M1,), -1, 0, 1, 0, 100.0, {}, 0.25, {}, challenger_lanes=True
    )


def decided(ts_ms: int) -> tuple[Event, list[Effect]]:
    bars = BarsClosed(ts_ms, np.ones((1, 5)).tobytes(), b"\1", b"\0")
    outputs = np.array([[0.7, 0.3], [9.0, 8.0], [40.0, 40.0], [0.9, 0.4], [1.0, 0.0]])
    return bars, [DecisionMade(ts_ms, outputs.tobytes(), 1, 1)]


def test_rows_name_the_slot_at_their_time() -> None:
    rows = ProjectionRows(setup_of())
    names = (ENSEMBLE.hash, "c" * 64)
    shadow = SlotChanged(
        0, 60_000, "published", "c" * 64, names, ("champion", "shadow"), "", "gate", ""
    )
    promoted = SlotChanged(
        0, 120_000, "promoted", "c" * 64, names, ("former", "champion"), "", "gate", ""
    )
    rows.add(1, decided(0)[0], [shadow, *decided(0)[1]])
    rows.add(2, *decided(60_000))
    assert len(rows) == 2
    rows.add(3, decided(120_000)[0], [promoted, *decided(120_000)[1]])
    found = [values for statement, values in rows.finish() if statement == sql.CONFIDENCE]
    assert [(row[1], row[4], row[8]) for row in found] == [
        (1, 0.7, "champion"), (1, 0.3, "challenger"),  # the second decision changed nothing
        (3, 0.7, "challenger"), (3, 0.3, "champion"),
    ]  # fmt: skip
    assert len(rows) == 0


def test_an_order_ends_after_the_executions_of_its_entry() -> None:
    """The fact of an order's end comes first: its row still has what the execution earned."""
    rows = ProjectionRows(setup_of())
    stop = SubmitOrder("s", 0, "stop", -5, 9_900, "stop", 0.6, 9.0, 40.0)
    trade = TradeClosed(
        0, False, 0, 60_000, 100.0, 99.0, 5, -300_000_000, 0, -90.0, 0.6, 9.0, "stop", "", 0.9
    )
    rows.add(1, TimeReached(60_000), [stop])
    rows.add(2, OrderFilled("s", 60_000, -5, 9_900, 0, "1"), [
        OrderMoved("s", 0, 60_000, "filled"), ExecutionBooked("s", 0, 60_000, -5, 9_900, 0, "1"),
        trade,
    ])  # fmt: skip
    found = [values for statement, values in rows.finish() if statement == sql.EXECUTION]
    assert [(row[1], *row[4:]) for row in found] == [(2, True, -3.0, "s", "stop", "filled", -3.0)]
