"""Refused signals are counted by instrument and code, inside a window."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ares.domain.errors import UserError
from ares.domain.events import BarsClosed, Effect, SignalRefused
from ares.domain.run import RunSetup
from ares.domain.timeframe import HOUR_MS
from ares.observe.refusals import refusals

START_MS = 1_704_067_200_000  # 2024-01-01
ALL = (0, 2**62)


def refused(hour: int, code: str, edge_bps: float) -> tuple[BarsClosed, list[Effect]]:
    at_ms = START_MS + hour * HOUR_MS
    bars = BarsClosed(at_ms, bytes(40), b"\1", b"\0")
    return bars, [SignalRefused(0, at_ms, code, 0.6, edge_bps, 20.0)]


def test_refusals_are_counted_by_code_in_a_window(
    journaled: Callable[..., Path],
    setup_of: Callable[..., RunSetup],
    trade_of: Callable[..., Effect],
) -> None:
    virtual, effects = refused(4, "cash", 5.0)
    folder = journaled(
        setup_of(None),
        [
            refused(1, "mode_learning", 8.0),
            refused(2, "mode_learning", 12.0),
            refused(3, "cash", 30.0),
            (virtual, [*effects, trade_of(1, -4.0, virtual=True, hour=4)]),
        ],
    )
    found = refusals(folder, None, *ALL)
    assert [(r.code, r.signals, r.edge_bps_max) for r in found.rows] == [
        ("cash", 2, 30.0),
        ("mode_learning", 2, 12.0),
    ]
    assert (found.rows[1].first_ms, found.rows[1].last_ms) == (
        START_MS + HOUR_MS,
        START_MS + 2 * HOUR_MS,
    )
    (only,) = refusals(folder, "BTC/USDT", START_MS + 3 * HOUR_MS, START_MS + 4 * HOUR_MS).rows
    assert (only.code, only.signals) == ("cash", 1)
    with pytest.raises(UserError, match="has no XRP/USDT"):
        refusals(folder, "XRP/USDT", *ALL)
