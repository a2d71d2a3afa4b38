"""Worlds with challengers find what would be wrong with stages, sizes and models in lanes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.sim.shrink import first_finding

from ares.core import slots
from ares.core.state import State
from ares.runtime.engine.hot_swap import HotSwap


def test_a_former_champion_that_goes_on_buying_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "TRADING_STAGES", ("champion", "canary", "former", "withdrawn"))
    assert first_finding("an entry of the")


def test_a_canary_of_full_size_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    write: Callable[..., None] = slots.write_slots

    def write_whole(state: State, lanes: Any) -> None:
        write(state, lanes)
        state.params.specs["size_share"] = 1.0

    monkeypatch.setattr(slots, "write_slots", write_whole)
    assert "the canary buys" in first_finding("of equity is allowed")


def test_a_swap_that_forgets_the_position_of_its_lane_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assign: Callable[..., None] = slots._assign

    def assign_empty(state: State, lane: int, *rest: Any) -> None:
        assign(state, lane, *rest)
        state.trade.book[lane]["position_lots"] = 0

    monkeypatch.setattr(slots, "_assign", assign_empty)
    assert first_finding("positions moved by")


def test_a_start_that_does_not_load_what_a_rollback_restores_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def load_lanes(self: HotSwap, state: State) -> None:
        for slot in state.slots:
            if slot.ensemble is not None:
                self.load(slot.ensemble)

    monkeypatch.setattr(HotSwap, "load_all", load_lanes)
    assert first_finding("needed and not served")
