"""Ensembles that a person promotes while the engine runs: loaded and tried, then published.

A command names an ensemble by its hash. It is read from our own disk, loaded and tried in a thread
while bars go on; then ``ModelPublished`` is processed, and the command itself, which is answered by
what came of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from ares.core.slots import champion_lane
from ares.core.state import State
from ares.domain.errors import AresError, UserError
from ares.domain.events import Effect, Event
from ares.domain.model import Ensemble
from ares.domain.model_events import ModelPublished, ModelRefused, SlotChangeRefused
from ares.domain.order_events import CommandGiven
from ares.runtime.engine.hot_swap import HotSwap

FindEnsemble = Callable[[str], Ensemble]
"""Returns a stored ensemble by its hash; raises AresError where there is none."""


class Publishing:
    """Publishes what commands name.

    find : of the registry; without it such commands are refused.
    post : posts an event of the run again, from any thread.
    process : processes an event now.
    """

    def __init__(
        self,
        swap: HotSwap,
        post: Callable[[Event], None],
        process: Callable[[Event], Awaitable[None]],
    ) -> None:
        self.find: FindEnsemble | None = None
        self._swap, self._post, self._process = swap, post, process
        self._found: dict[str, Ensemble] = {}
        self._problem = ""

    def watch(self, _seq: int, event: Event, effects: Sequence[Effect]) -> None:
        """Note why what was published just now is not served."""
        if isinstance(event, ModelRefused):
            self._problem = event.reason
        elif isinstance(event, ModelPublished):
            refused = [e.reason for e in effects if isinstance(e, SlotChangeRefused)]
            self._problem = refused[0] if refused else ""

    async def published(self, event: CommandGiven, state: State) -> CommandGiven | None:
        """Return the command to process, after its ensemble was published; None: it is being
        loaded, and the command is posted again then.
        """
        ensemble_hash = event.args.get("ensemble", "")
        if not _publishes(event, state, ensemble_hash):
            return event
        key = event.args.get("instrument", "")
        try:
            ensemble = await self._ensemble(ensemble_hash)
        except AresError as error:
            return _with_problem(event, str(error))
        if ensemble.instrument != key:
            return _with_problem(event, f"it was made for {ensemble.instrument}, not for {key}")
        prepared = self._swap.prepared(ensemble)
        if prepared is None:
            in_time = msgspec.structs.replace(event, expires_ms=0)
            future = self._swap.prepare(ensemble, state)
            future.add_done_callback(lambda _: self._post(in_time))
            return None
        if not prepared.done():
            prepared.add_done_callback(lambda _: self._post(event))
            return None
        del self._found[ensemble_hash]
        i = state.setup.keys.index(key)
        publication = ModelPublished(
            state.at_ms, i, ensemble, "champion", False, "", event.who,
            event.args.get("reason", "") or "promoted", True, event.version,
        )  # fmt: skip
        self._problem = ""
        await self._process(self._swap.admitted(publication, state))
        return _with_problem(event, self._problem) if self._problem else event

    async def _ensemble(self, ensemble_hash: str) -> Ensemble:
        if ensemble_hash not in self._found:
            if self.find is None:
                raise UserError("this engine takes no ensembles")
            self._found[ensemble_hash] = await asyncio.to_thread(self.find, ensemble_hash)
        return self._found[ensemble_hash]


def _publishes(event: CommandGiven, state: State, ensemble_hash: str) -> bool:
    """Return whether an ensemble is to be published before a command is processed."""
    if event.verb != "promote" or not ensemble_hash or event.id in state.answers:
        return False
    key = event.args.get("instrument", "")
    if (event.expires_ms and state.at_ms > event.expires_ms) or key not in state.setup.keys:
        return False  # it is refused for that
    champion = champion_lane(state, state.setup.keys.index(key))
    return champion is None or state.slots[champion].hash != ensemble_hash


def _with_problem(event: CommandGiven, problem: str) -> CommandGiven:
    return msgspec.structs.replace(event, args={**event.args, "problem": problem})
