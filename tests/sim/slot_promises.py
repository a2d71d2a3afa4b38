"""The promises about models in lanes; a broken one raises ``Finding``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sim.finding import Finding
from tests.sim.world_setup import CHALLENGER_RULES, N

from ares.core.slot import TRADING_STAGES, lanes_of
from ares.core.state import State
from ares.domain.events import Effect, Event
from ares.domain.model_events import ModelPublished, ModelRefused, SlotChanged, SlotChangeRefused
from ares.domain.order_events import ExecutionBooked, SubmitOrder
from ares.runtime.engine.hot_swap import packages_needed

if TYPE_CHECKING:
    from tests.sim.world import World

ROUNDING = 1.001


class SlotPromises:
    """Compares the slots and positions of all lanes before and after every event."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._stages: list[str] = []
        self._held: list[int] = []

    def begin(self, state: State) -> None:
        """Take the slots and positions of a start, which serves what the slots need."""
        missing = packages_needed(state) - self._world.served.models.scorers.keys()
        if missing:
            raise Finding(f"event {state.seq}: {missing} are needed and not served")
        self._stages = [slot.stage for slot in state.slots]
        self._held = _held(state)

    def on_event(self, seq: int, event: Event, effects: list[Effect]) -> None:
        """Check after every event what may never be."""
        state, before = self._world.state, self._held
        self._check_slots(seq, event, effects)
        booked = [0] * len(before)
        for effect in effects:
            if isinstance(effect, SubmitOrder) and effect.kind == "entry":
                self._check_entry(seq, effect)
            elif isinstance(effect, ExecutionBooked):
                booked[effect.instrument] += effect.lots
        after = _held(state)
        moved = [b - a for a, b in zip(before, after, strict=True)]
        if moved != booked:
            raise Finding(f"event {seq}: positions moved by {moved}, {booked} was booked")
        self.begin(state)

    def _check_slots(self, seq: int, event: Event, effects: list[Effect]) -> None:
        """A change is reported as it is; an instrument has one champion, and no ensemble twice."""
        state = self._world.state
        changed = {e.instrument: e for e in effects if isinstance(e, SlotChanged)}
        answered = any(isinstance(e, SlotChangeRefused) for e in effects)
        for i in range(N):
            slots = [state.slots[lane] for lane in lanes_of(state.setup, i)]
            stages = [slot.stage for slot in slots]
            fact = changed.get(i)
            if fact is None and stages != [self._stages[k] for k in lanes_of(state.setup, i)]:
                raise Finding(f"event {seq}: stages {stages} and no fact says so")
            if fact is not None and (
                stages != list(fact.stages) or [slot.hash for slot in slots] != [*fact.lane_hashes]
            ):
                raise Finding(f"event {seq}: stages {stages}, the fact says {fact.stages}")
            hashes = [slot.hash for slot in slots if slot.hash]
            if stages.count("champion") > 1 or len(set(hashes)) < len(hashes):
                raise Finding(f"event {seq}: {stages} of {hashes} in instrument {i}")
        if isinstance(event, ModelRefused):
            self._world.counts["ModelRefused"] += 1
        if isinstance(event, ModelPublished) and not (changed or answered):
            raise Finding(f"event {seq}: an ensemble was published, and nothing followed")
        for fact in changed.values():
            self._world.counts[f"slot {fact.move}"] += 1

    def _check_entry(self, seq: int, order: SubmitOrder) -> None:
        """Only champions and canaries buy, each no more than its share of the largest position."""
        state, lane = self._world.state, order.instrument
        stage = self._stages[lane]
        if stage not in TRADING_STAGES:
            raise Finding(f"event {seq}: an entry of the {stage} in lane {lane}")
        share, canary = 1.0, CHALLENGER_RULES.canary_share
        if stage == "canary":
            share = canary
        elif "canary" in [self._stages[k] for k in lanes_of(state.setup, lane % N)]:
            share = 1.0 - canary
        most = share * float(state.params.rules[0]["position_max"])
        units = self._world.units(lane % N, order.expected_ticks, order.lots)
        if units > ROUNDING * most * int(state.trade.account[0]["equity"]):
            raise Finding(f"event {seq}: the {stage} buys for {units}, {most} of equity is allowed")


def _held(state: State) -> list[int]:
    return [int(lots) for lots in state.trade.book["position_lots"]]
