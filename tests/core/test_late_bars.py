"""Bars that come after their instant, and instants that are caught up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from ares.core.snapshot import snapshot
from ares.domain.events import BarsClosed, DecisionMade, SignalRefused, TradeClosed
from ares.domain.order_events import EventRefused, SubmitOrder
from ares.domain.timeframe import MINUTE_MS
from ares.kernel.bar_aggregation import newest_closes

if TYPE_CHECKING:
    from tests.core.conftest import TwoInstruments

GOOD = [100.0, 101.0, 99.0, 100.0, 50.0]


def bars(minute: int, present: bytes = b"\1\1", kind: Any = "closing", **more: Any) -> BarsClosed:
    """Return bars of a minute after the start; prices rise with it."""
    rows = np.array([GOOD, GOOD]) * [[1 + minute * 1e-3]] * 1.0
    return BarsClosed(START + minute * MINUTE_MS, rows.tobytes(), present, b"\0\0", kind, **more)


START = 1_704_153_600_000


@pytest.fixture
def fed(two: TwoInstruments) -> TwoInstruments:
    """Return a state with three instants; the second instrument missed the last two."""
    two.at_ms = START + 3 * MINUTE_MS
    two.take(bars(1))
    two.take(bars(2, b"\1\0"))
    two.take(bars(3, b"\1\0"))
    return two


def newest(two: TwoInstruments) -> list[int]:
    """Return the minute of the newest bar of each instrument."""
    closes = newest_closes(two.state.bar_series, 2).tolist()
    return [(ms - START) // MINUTE_MS for ms in closes]


def unbroken(two_of: type[TwoInstruments]) -> TwoInstruments:
    two = two_of()
    two.at_ms = START + 3 * MINUTE_MS
    for minute in (1, 2, 3):
        two.take(bars(minute))
    return two


def test_late_bars_are_folded_and_lead_to_nothing(
    fed: TwoInstruments, two_of: type[TwoInstruments]
) -> None:
    assert newest(fed) == [3, 1]
    account = fed.state.trade.account.tobytes()
    for minute in (2, 3):
        assert fed.take(bars(minute, b"\0\1", "late")) == []
    assert newest(fed) == [3, 3]
    assert fed.state.now_ms == START + 3 * MINUTE_MS
    assert fed.state.trade.account.tobytes() == account
    whole = unbroken(two_of).state
    for found, other in zip(fed.state.bar_series, whole.bar_series, strict=True):
        assert found.tobytes() == other.tobytes()
    for name in ("var_fast", "var_slow", "n_bars", "last_close"):
        assert (fed.state.trade.book[name] == whole.trade.book[name]).all(), name


def test_a_late_bar_that_was_taken_is_refused_for_its_instrument_alone(fed: TwoInstruments) -> None:
    fed.take(bars(2, b"\0\1", "late"))
    (refused,) = fed.take(bars(2, b"\1\1", "late"))[:1]
    assert isinstance(refused, EventRefused)
    assert refused.instrument == 0
    assert newest(fed) == [3, 2]
    before = snapshot(fed.state)
    effects = fed.take(bars(2, b"\1\1", "late"))
    assert [e.instrument for e in effects if isinstance(e, EventRefused)] == [0, 1]
    fed.state.seq -= 1
    assert snapshot(fed.state) == before


def test_a_bar_of_an_instant_to_come_is_not_late(fed: TwoInstruments) -> None:
    (refused,) = fed.take(bars(4, b"\0\1", "late"))
    assert isinstance(refused, EventRefused)
    assert "not late" in refused.reason
    assert isinstance(fed.take(bars(4))[0], DecisionMade)


def test_an_impossible_late_bar_is_refused(fed: TwoInstruments) -> None:
    rows = np.array([GOOD, [100.0, 99.0, 101.0, 100.0, 1.0]])
    event = msgspec.structs.replace(bars(2, b"\0\1", "late"), ohlcv=rows.tobytes())
    (refused,) = fed.take(event)
    assert isinstance(refused, EventRefused)
    assert refused.instrument == 1
    assert newest(fed) == [3, 1]


def test_a_late_bar_may_come_after_a_hole_that_stays(fed: TwoInstruments) -> None:
    """The series starts afresh there, as it does in history."""
    assert fed.take(bars(3, b"\0\1", "late")) == []
    assert newest(fed) == [3, 3]
    assert fed.state.bar_series.features["age"].tolist() == [3, 1]


def test_a_catch_up_values_the_account_and_sends_nothing_before_its_end(
    fed: TwoInstruments,
) -> None:
    fed.hold(0)
    book = fed.state.trade.book[0]
    book["expiry_ms"] = START + 4 * MINUTE_MS
    decided, *rest = fed.take(bars(4, kind="catch_up"))
    assert isinstance(decided, DecisionMade)
    assert decided.equity_units != fed.cash
    assert not [e for e in rest if isinstance(e, SubmitOrder | SignalRefused | TradeClosed)]
    assert book["exit_reason"] == 0
    fed.take(bars(5, kind="catch_up", catch_up_ends=True))
    assert book["exit_reason"] != 0, "the exit that was due is sent at the end"
    assert fed.state.params.rules["hold"].tolist() == [0]
