"""The models of a world: drawn ensembles, served by the engine's hot swap, changed at bad moments.

A process serves what it has loaded: one that starts begins with nothing, and loads what its state
and its journal need. Three of eight ensembles cannot be served, or not in this run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING, Literal, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray
from tests.sim.world_setup import MADE, N, ensemble, scorer_of

from ares.core.models import Models, Scorers
from ares.core.slots import champion_lane
from ares.domain.errors import UserError
from ares.domain.model import Ensemble
from ares.domain.model_events import ModelPublished, SlotAction, SlotChangeRequested
from ares.domain.timeframe import Timeframe
from ares.kernel.bars import F64
from ares.runtime.engine.hot_swap import HotSwap
from ares.runtime.engine.serving import ServedModels

if TYPE_CHECKING:
    from tests.sim.world import World

PublishedStage = Literal["shadow", "champion"]
STAGES: tuple[PublishedStage, ...] = ("shadow", "shadow", "champion")
BROKEN = "broken"
CONSTANT = "constant"


class WorldModels:
    """What one process serves."""

    def __init__(self) -> None:
        serving = ServedModels({})
        self.swap = HotSwap(serving, opened)
        self.models = Models(serving.scorers)


def opened(made: Ensemble) -> Scorers:
    """Return the models of an ensemble; raise UserError where its files are damaged."""
    scorers: Scorers = {}
    for member in made.members:
        if member.name == BROKEN:
            raise UserError(f"{member.name}/{member.version}: model.onnx is not what was stored")
        scorers[member.package_hash] = _constant if member.name == CONSTANT else scorer_of(member)
    return scorers


def _constant(rows: NDArray[np.float32]) -> F64:
    return np.full(len(rows), 0.5)


class Learner:
    """Publishes ensembles, and asks for changes of slots, whatever the engine is doing."""

    def __init__(self, world: World, draw: Random) -> None:
        self._world, self._draw = world, draw
        self._published = 0

    def act(self) -> None:
        """Publish or request something, if the seed says so."""
        if self._world.chance.happens("model_published"):
            self._publish(*self._drawn())
        if self._world.chance.happens("slot_change"):
            self._request()

    def act_at_order(self) -> None:
        """Change a slot while an order is on its way."""
        if self._draw.random() < 0.5:
            self._later(lambda: self._publish(*self._drawn()))
        else:
            self._later(self._request)

    def restore(self) -> None:
        """Publish a champion where an instrument has none."""
        for i in range(N):
            if champion_lane(self._world.state, i) is None and not self._draw.randrange(3):
                self._publish(i, ensemble(i, self._draw.randrange(MADE)), ("champion",))

    def _later(self, action: Callable[[], None]) -> None:
        self._world.schedule.after(self._draw.randint(0, 2_000), action)

    def _publish(
        self, instrument: int, made: Ensemble, stages: Sequence[PublishedStage] = STAGES
    ) -> None:
        """Post an ensemble: loaded and tried before it is journaled, as by a running engine."""
        world = self._world
        stage = self._draw.choice(stages)
        refit, verdict = self._draw.random() < 0.3, self._draw.choice(("", "v", "v", "v"))
        event = ModelPublished(
            world.now_ms(), instrument, made, stage, refit, verdict, "learner", "a drill"
        )
        if world.running:
            world.process(world.served.swap.admitted(event, world.state))

    def _drawn(self) -> tuple[int, Ensemble]:
        """Return an instrument and an ensemble; some cannot be served, or not for it."""
        self._published += 1
        i = self._draw.randrange(N)
        made = ensemble(i, self._draw.randrange(MADE))
        match self._draw.randrange(8):
            case 0:
                return self._draw.choice((-1, N, 1 - i)), made
            case 1:
                member = msgspec.structs.replace(
                    made.members[0], name=self._draw.choice((BROKEN, CONSTANT)),
                    package_hash=f"bad{self._published}",
                )  # fmt: skip
                return i, msgspec.structs.replace(made, members=(member,))
            case 2:
                member = msgspec.structs.replace(made.members[0], timeframe=Timeframe.H1)
                return i, msgspec.structs.replace(made, members=(member,))
            case _:
                return i, made

    def _request(self) -> None:
        action: SlotAction = self._draw.choice(get_args(SlotAction))
        instrument = self._draw.choice((0, 1, 0, 1, N))
        self._world.process(
            SlotChangeRequested(self._world.now_ms(), instrument, action, "ada", "a drill")
        )
