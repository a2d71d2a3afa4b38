"""The order machine over real protocol bytes: whatever the way does, ledger and venue agree."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from random import Random
from typing import Any

import pytest
from tests.contracts.venue import alpaca_scene as alpaca
from tests.contracts.venue import binance_scene as binance
from tests.contracts.venue import kraken_scene as kraken
from tests.contracts.venue.loopback import LoopbackScene
from tests.contracts.venue.scene import OWNER

from ares.core.execution import submit, wake_ms, work
from ares.core.initial_state import new_state
from ares.core.models import NO_MODELS
from ares.core.step import step
from ares.domain.events import Command, Event, RunStarted
from ares.domain.holding_events import DifferenceFound
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.order_events import TimeReached
from ares.domain.run import NO_END, RunInstrument, RunSetup
from ares.domain.timeframe import MINUTE_MS, Timeframe
from ares.kernel.trade import Rules
from ares.kernel.trade.arrays import Signal
from ares.kernel.trade.layout import ENTRY, REASON_REVERSAL, REASON_SIGNAL

WAIT_S = 180.0
FREE = dict.fromkeys(("rest", "trade", "weight", "orders"), (10_000.0, 1.0))

WORDS = {
    "kraken": {"order": "Order", "add": "AddOrder", "report": "exec_type"},
    "alpaca": {"order": "/v2/orders", "add": "POST /v2/orders", "report": "trade_updates"},
    "binance": {"order": "/api/v3/order", "add": "POST /api/v3/order", "report": "executionReport"},
}
"""What a fault strikes -> its text in a venue's protocol."""

FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "reply_lost", "probability": 0.3, "on": "rest", "only": "order"},
    {"kind": "error_after", "probability": 0.3, "on": "rest", "only": "order"},
    {"kind": "error_before", "probability": 0.3, "on": "rest", "only": "order"},
    {"kind": "request_orphaned", "probability": 0.3, "ms": 400, "on": "rest", "only": "add"},
    {"kind": "request_late", "probability": 0.3, "ms": 700, "on": "rest", "only": "order"},
    {"kind": "duplicate", "probability": 0.3, "on": "socket", "only": "report"},
    {"kind": "reorder", "probability": 0.2, "on": "socket", "only": "report"},
    {"kind": "drop", "probability": 0.2, "on": "socket", "only": "report"},
    {"kind": "fill_during_cancel", "probability": 0.5},
    {"kind": "partial_fills", "rate": 50.0},
    {"kind": "stop_cancelled", "count": 1},
    {"kind": "http_503", "probability": 0.3, "on": "rest"},
    {"kind": "incomplete", "probability": 0.5, "on": "rest"},
    {"kind": "close", "count": 1},
)


class Machine:
    """The engine's order machine, fed by a venue in real time."""

    def __init__(self, scene: LoopbackScene) -> None:
        now_ms = scene.now_ms()
        venue, decimals = scene.served.protocol, 9 - len(str(scene.lot_units))
        specs = [
            InstrumentSpec(Instrument(venue, "BTC/USDT"), 2, decimals),
            InstrumentSpec(Instrument(venue, "ADA/USDT"), 4, decimals),
        ]
        lanes = tuple(RunInstrument(spec, MINUTE_MS, None, True) for spec in specs)
        rules = {name: float(value) for name, value in asdict(Rules()).items()}
        setup = RunSetup(
            "rehearsal/x", lanes, (Timeframe.M1,), -1, now_ms, NO_END, now_ms, 1_000_000.0, rules,
            0.25, {}, owner=OWNER, nonce=f"{now_ms}", traits=scene.traits,
        )  # fmt: skip
        self.scene, self.state = scene, new_state(setup)
        self.differences: list[DifferenceFound] = []
        self._taken = len(scene.events)
        self.take(RunStarted(setup))

    @property
    def held(self) -> int:
        return int(self.state.trade.book[0]["position_lots"])

    @property
    def cash(self) -> int:
        return int(self.state.trade.account[0]["cash"])

    def take(self, event: Event) -> None:
        effects = step(self.state, event, NO_MODELS, max(self.state.at_ms, self.scene.now_ms()))
        self.differences += [e for e in effects if isinstance(e, DifferenceFound)]
        for effect in effects:
            if isinstance(effect, Command):
                self.scene.send(effect)

    def enter(self, lots: int = 0) -> None:
        book = self.state.trade.book[0]
        book["expected_ticks"] = book["last_close"] = self.scene.ticks()
        book["entry_open_lots"] = lots or self.scene.lots
        self.state.at_ms = max(self.state.at_ms, self.scene.now_ms())
        signal, size = Signal(0.6, 9.0, 100.0), lots or self.scene.lots
        self.scene.send(submit(self.state, 0, ENTRY, size, 0, REASON_SIGNAL, signal))

    def leave(self) -> None:
        book = self.state.trade.book[0]
        book["exit_reason"], book["stop_lots"] = REASON_REVERSAL, 0
        book["expected_ticks"] = self.scene.ticks()
        for effect in work(self.state, 0):
            assert isinstance(effect, Command)
            self.scene.send(effect)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Take events and deadlines until a condition holds."""
        try:
            async with asyncio.timeout(WAIT_S):
                while not condition():
                    while self._taken < len(self.scene.events):
                        event = self.scene.events[self._taken]
                        self._taken += 1
                        self.take(event)
                    due_ms = wake_ms(self.state)
                    if 0 < due_ms <= self.scene.now_ms():
                        self.take(TimeReached(due_ms))
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise AssertionError(
                f"orders {self.state.orders}, held {self.held}, halts {self.state.halts},"
                f" events {self.scene.events[-25:]}, {self.scene.lines[-10:]}"
            ) from None

    def is_protected(self) -> bool:
        """Return whether an entry has come to its end: held with a stop, or nothing at all."""
        placed = self.state.lane_orders[0]
        if placed.entry or placed.exit:
            return False
        return self.held == 0 or bool(placed.stop)

    def is_flat(self) -> bool:
        """Return whether nothing is held, or so little that the venue takes no order for it."""
        return self.held < self.scene.lots_min and not self.state.orders


SEEDS = [2, pytest.param(0, marks=pytest.mark.slow), pytest.param(1, marks=pytest.mark.slow)]


def opened(venue: str) -> AbstractAsyncContextManager[LoopbackScene]:
    """Return a scene without rate limits, and with a near deadline."""
    if venue == "alpaca":
        return alpaca.alpaca_scene()
    if venue == "binance":
        policy = binance.QUICK._replace(rates=FREE)
        return binance.binance_scene(deadline_ms=3_000, policy=policy)
    policy = kraken.QUICK._replace(rates=FREE)
    return kraken.kraken_scene(deadline_ms=3_000, policy=policy)


@pytest.mark.parametrize("venue", ["kraken", "binance", "alpaca"])
@pytest.mark.parametrize("seed", SEEDS)
def test_ledger_and_venue_agree_to_the_last_unit(seed: int, venue: str) -> None:
    async def run() -> None:
        async with opened(venue) as scene:
            draw = Random(seed)
            machine = Machine(scene)
            await machine.until(lambda: not machine.state.reconciling and machine.state.venue_up)
            account = scene.served.account.account
            quote_before, cash_before = account.balance("USDT"), machine.cash
            base_before = account.balance("BTC")
            for _ in range(4):
                for fault in draw.sample(FAULTS, 2):
                    words = {"only": WORDS[venue][fault["only"]]} if "only" in fault else {}
                    scene.served.fault(**{**fault, **words})
                machine.enter()
                await machine.until(machine.is_protected)
                if machine.held:
                    machine.leave()
                scene.served.venue.faults.clear()
                await machine.until(machine.is_flat)
                if machine.held:  # a rest that cannot be sold: the engine goes on trying
                    break
            assert machine.differences == []
            _agree(machine, scene)
            held = machine.held * scene.lot_units + machine.state.dust_units[0]
            assert account.balance("BTC") == base_before + held
            assert account.balance("USDT") - quote_before == machine.cash - cash_before

    asyncio.run(run())


def _agree(machine: Machine, scene: LoopbackScene) -> None:
    """Compare every order and execution of both sides."""
    at_venue = [
        (order.requested.client_id, scene.exec_ids_at_venue(order), order.is_open)
        for order in scene.served.account.orders.values()
    ]
    ids = [client_id for client_id, *_ in at_venue]
    assert len(ids) == len(set(ids))  # no intent was carried out twice
    assert not any(is_open for *_, is_open in at_venue)
    known = {**machine.state.orders, **machine.state.ended}
    for client_id, exec_ids, _ in at_venue:
        assert set(known[client_id].exec_ids) == exec_ids
    for client_id, order in known.items():
        if client_id not in ids:
            assert order.exec_ids == []
            assert order.end_reason in ("absent", "rejected", "cancelled")
