"""A command that names an ensemble publishes it, and is answered by what came of it."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.core.conftest import Engine, EveryScorer, ensemble

from ares.core.models import Models
from ares.core.step import step
from ares.domain.errors import UserError
from ares.domain.events import Effect, Event
from ares.domain.model_events import ModelPublished, ModelRefused
from ares.domain.order_events import CommandDone, CommandGiven, CommandRefused
from ares.runtime.engine.hot_swap import PreparedEnsemble
from ares.runtime.engine.publishing import Publishing

if TYPE_CHECKING:
    from ares.domain.model import Ensemble

KEY = "test:T0/USDT"
FIRST, SECOND = ensemble("first"), ensemble("second")


class Swap:
    """Loads what a test says, when it says so."""

    def __init__(self, problem: str = "") -> None:
        self.problem, self.futures = problem, dict[str, Future[PreparedEnsemble]]()

    def prepare(self, found: Ensemble, _state: Any) -> Future[PreparedEnsemble]:
        return self.futures.setdefault(found.hash, Future())

    def prepared(self, found: Ensemble) -> Future[PreparedEnsemble] | None:
        return self.futures.get(found.hash)

    def loaded(self, found: Ensemble) -> None:
        self.futures[found.hash].set_result(PreparedEnsemble({}, self.problem))

    def admitted(self, event: Event, _state: Any) -> Event:
        if self.problem and isinstance(event, ModelPublished):
            refused = (event.ts_ms, event.instrument, event.ensemble.hash, self.problem)
            return ModelRefused(*refused)
        return event


class World:
    """An engine that is given commands; what is posted waits in ``posted``."""

    def __init__(self, problem: str = "") -> None:
        self.engine, self.swap = Engine(), Swap(problem)
        self.posted: list[Event] = []
        self.publishing = Publishing(self.swap, self.posted.append, self.process)  # type: ignore[arg-type] # a double
        self.publishing.find = self.find

    @property
    def champion(self) -> str:
        return next(slot.hash for slot in self.engine.state.slots if slot.stage == "champion")

    def find(self, ensemble_hash: str) -> Ensemble:
        for found in (FIRST, SECOND):
            if found.hash == ensemble_hash:
                return found
        raise UserError(f"there is no ensemble {ensemble_hash}")

    async def process(self, event: Event) -> None:
        self.take(event)

    def take(self, event: Event) -> list[Effect]:
        state = self.engine.state
        effects = step(state, event, Models(EveryScorer()), state.at_ms)
        self.publishing.watch(state.seq, event, effects)
        return effects

    def give(self, command: CommandGiven) -> list[Effect] | None:
        """Process a command; None: it waits until its ensemble is loaded."""
        found = asyncio.run(self.publishing.published(command, self.engine.state))
        return None if found is None else self.take(found)

    def promote(self, name: str = SECOND.hash, **more: Any) -> CommandGiven:
        args = {"instrument": KEY, "ensemble": name, "reason": "better"}
        return CommandGiven("c", self.engine.state.at_ms, "ada", "promote", args, **more)

    def promoted(self, command: CommandGiven) -> Effect:
        """Process a command to its end; return the answer."""
        if self.give(command) is None:
            self.swap.loaded(SECOND)
            (again,) = self.posted
            assert isinstance(again, CommandGiven)
            effects = self.give(again)
            assert effects is not None
            return effects[-1]
        raise AssertionError("it did not wait for its ensemble")


def test_an_ensemble_is_published_once_it_is_loaded() -> None:
    world = World()
    command = world.promote(expires_ms=1, version=FIRST.hash[:12])
    answer = world.promoted(command)
    assert answer == CommandDone("c", 0, f"the champion of {KEY} is {SECOND.hash[:12]}")
    assert world.champion == SECOND.hash
    assert world.give(command) == [answer], "delivered again, it is only answered"


def test_a_command_that_was_taken_in_time_does_not_expire_while_models_load() -> None:
    world = World()
    world.engine.state.at_ms = 10
    assert world.give(world.promote(expires_ms=10)) is None
    world.engine.state.at_ms = 60_000
    world.swap.loaded(SECOND)
    (again,) = world.posted
    assert isinstance(again, CommandGiven)
    effects = world.give(again)
    assert effects
    assert isinstance(effects[-1], CommandDone)


def test_one_that_came_too_late_loads_nothing() -> None:
    world = World()
    world.engine.state.at_ms = 60_000
    effects = world.give(world.promote(expires_ms=1))
    assert effects == [CommandRefused("c", 60_000, "it has expired")]
    assert world.swap.futures == {}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ensemble": "nothing"}, "there is no ensemble nothing"),
        ({"instrument": "test:T9/USDT"}, "test:T9/USDT is not traded here"),
    ],
)
def test_what_cannot_be_found_is_refused(change: dict[str, str], reason: str) -> None:
    world = World()
    command = world.promote()
    effects = world.give(msgspec.structs.replace(command, args={**command.args, **change}))
    assert effects == [CommandRefused("c", 0, reason)]
    assert world.champion == FIRST.hash


def test_a_model_that_does_not_work_is_the_answer() -> None:
    world = World("its outputs are constant")
    assert world.promoted(world.promote()) == CommandRefused("c", 0, "its outputs are constant")
    assert world.champion == FIRST.hash


def test_another_champion_than_the_one_seen_is_the_answer() -> None:
    world = World()
    answer = world.promoted(world.promote(version="0123456789ab"))
    assert isinstance(answer, CommandRefused)
    assert answer.reason == f"the champion is {FIRST.hash[:12]} by now, not 0123456789ab"


def test_the_champion_is_not_published_again() -> None:
    world = World()
    effects = world.give(world.promote(FIRST.hash))
    assert effects == [CommandDone("c", 0, f"the champion of {KEY} is {FIRST.hash[:12]}")]


def test_without_a_registry_such_commands_are_refused() -> None:
    world = World()
    world.publishing.find = None
    effects = world.give(world.promote())
    assert effects == [CommandRefused("c", 0, "this engine takes no ensembles")]
