"""The engine, its adapter and ccxt against a venue server that misbehaves: what is promised holds,
and a world would find it if it did not.
"""

from __future__ import annotations

import pytest
from tests.sim.finding import Finding
from tests.sim.protocol.protocol_world import ProtocolWorld

from ares.domain.order_events import SubmitOrder
from ares.venues.answers import NoAnswer, Refused
from ares.venues.kraken_orders import KrakenOrders
from ares.venues.kraken_reports import KrakenReports

SEEDS = (3, 5)
EVENTS = 120


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_the_venue_does_the_promises_hold(seed: int) -> None:
    world = ProtocolWorld(seed, EVENTS)
    world.run()
    assert world.sent
    assert world.served_venue.executions
    assert world.served_venue.network.requests > len(world.sent)
    assert (world.promises.losses, world.promises.invented) == (0, 0)


def test_one_seed_is_one_world() -> None:
    first, second = (ProtocolWorld(7, 60).run() for _ in range(2))
    assert first.journal_hash() == second.journal_hash()


def test_a_timeout_that_is_taken_for_a_refusal_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault that engines have most often: no answer within a time means rejected."""
    submit = KrakenOrders.submit

    async def hasty(self: KrakenOrders, command: SubmitOrder) -> str:
        try:
            return await submit(self, command)
        except NoAnswer as error:
            raise Refused(str(error)) from error

    monkeypatch.setattr(KrakenOrders, "submit", hasty)
    _require_finding()


def test_executions_that_are_lost_with_a_session_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that goes on after a gap in its messages loses what was between."""
    monkeypatch.setattr(KrakenReports, "_gap", lambda *_: "")

    async def nothing(self: KrakenOrders, client_id: str) -> list[object]:
        return []

    monkeypatch.setattr(KrakenOrders, "look_up", nothing)
    _require_finding()


def _require_finding() -> None:
    for seed in range(40):
        try:
            ProtocolWorld(seed, 200).run()
        except Finding:
            return
    raise AssertionError("no world finds it")
