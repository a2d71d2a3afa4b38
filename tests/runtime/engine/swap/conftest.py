"""Models that come and go while the engine runs: a teacher with a script, and a busy day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from ares.core.models import Scorers
from ares.core.series import NEVER_MS
from ares.domain.errors import ExternalError
from ares.domain.events import (
    Effect,
    Event,
)
from ares.domain.model import Ensemble
from ares.domain.model_events import (
    ModelPublished,
    ModelRefused,
    SlotChangeRequested,
)
from ares.domain.run import ChallengerRules
from ares.domain.stretch import BarsStretch
from ares.domain.timeframe import HOUR_MS, MINUTE_MS
from ares.journal.run import entries
from ares.runtime.engine.plan import RunPlan, SlotChoice, named, plan_run

ROLLOUT = ChallengerRules(
    shadow_ms=HOUR_MS,
    canary_ms=HOUR_MS,
    canary_share=0.25,
    confidence_min=0.02,
    false_alarm_trades=1e6,
    alpha_worse=0.001,
)


class Script:
    """A teacher that says what it was told to say, each thing at its time."""

    def __init__(self, script: Sequence[tuple[int, Event]]) -> None:
        self._script = list(script)
        self._seen = 0

    def watch(self, _seq: int, event: Event, _effects: list[Effect]) -> None:
        if isinstance(event, ModelPublished | ModelRefused | SlotChangeRequested):
            self._seen += 1

    def watch_stretch(self, stretch: BarsStretch) -> None:
        assert stretch.last_ms < self.quiet_until_ms()

    def quiet_until_ms(self) -> int:
        return min((at_ms for at_ms, _ in self._script[self._seen :]), default=NEVER_MS)

    def due(self, now_ms: int) -> list[Event]:
        return [event for at_ms, event in self._script[self._seen :] if at_ms <= now_ms]

    def close(self) -> None:
        pass


def variant(ensemble: Ensemble, name: str, **changes: Any) -> Ensemble:
    """Return another ensemble of the same instrument, with packages of its own."""
    members = tuple(
        msgspec.structs.replace(m, package_hash=f"{m.package_hash}-{name}", version=name)
        for m in ensemble.members
    )
    return msgspec.structs.replace(ensemble, members=members, created_at=name, **changes)


def opener(world: Any) -> Any:
    """Return an opener: a variant answers as its base does, leaning to one side by its name."""

    def shifted(scorer: Any, by: float) -> Any:
        return lambda rows: np.clip(scorer(rows) + by, 0.0, 1.0)

    def open_ensemble(ensemble: Ensemble) -> Scorers:
        opened = {}
        for member in ensemble.members:
            base, _, name = member.package_hash.rpartition("-")
            if member.package_hash in world.models:
                opened[member.package_hash] = world.models[member.package_hash]
            elif name == "missing":
                raise ExternalError(f"{member.name}/{member.version} is missing")
            elif name == "constant":
                opened[member.package_hash] = lambda rows: np.full(len(rows), 0.5)
            elif name == "nan":
                opened[member.package_hash] = lambda rows: np.full(len(rows), np.nan)
            elif name == "outside":
                opened[member.package_hash] = lambda rows: rows[:, 0].astype(np.float64) + 2.0
            else:
                opened[member.package_hash] = shifted(world.models[base], 0.01 * (len(name) - 3))
        return opened

    return open_ensemble


def published(
    at_ms: int, i: int, ensemble: Ensemble, stage: Any = "shadow", verdict: str = "v"
) -> tuple[int, Event]:
    return at_ms, ModelPublished(at_ms, i, ensemble, stage, True, verdict, "learner", "drift")


def facts(folder: Path, kind: type[Any]) -> list[Any]:
    return [
        e for entry in entries(folder) for e in (entry.event, *entry.effects) if isinstance(e, kind)
    ]


@dataclass(frozen=True)
class Swaps:
    """Runs of the world's market whose instruments have a lane for challengers."""

    world: Any

    def plan(self, **rollout: Any) -> RunPlan:
        """Return such a run; ``rollout``: what is otherwise in its rules."""
        world = self.world
        choices = [SlotChoice(key, world.ensemble(key), True) for key in (world.btc, world.eth)]
        plan = plan_run(
            world.store, choices, list(world.plan().setup.timeframes), world.btc, world.from_ms,
            world.to_ms, world.cash_quote, world.rules, 0.25, "settings",
            challenger_lanes=True, challenger_rules=msgspec.structs.replace(ROLLOUT, **rollout),
        )  # fmt: skip
        return named(plan, "history/test")

    def run(
        self, folder: Path, plan: RunPlan, script: Sequence[tuple[int, Event]], **more: Any
    ) -> Any:
        """Run a plan with a teacher that has a script."""
        scripted, opened = Script(script), self.opener()
        return self.world.run(folder, plan=plan, learner=scripted, open_ensemble=opened, **more)

    def opener(self) -> Any:
        """Return what opens the world's models, and variants of them."""
        return opener(self.world)

    def variant(self, ensemble: Ensemble, name: str, **changes: Any) -> Ensemble:
        """Return another ensemble of the same instrument, with packages of its own."""
        return variant(ensemble, name, **changes)

    def published(
        self, at_ms: int, i: int, ensemble: Ensemble, stage: Any = "shadow", verdict: str = "v"
    ) -> tuple[int, Event]:
        """Return a line of a script: a model is published."""
        return published(at_ms, i, ensemble, stage, verdict)

    def facts(self, folder: Path, kind: type[Any]) -> list[Any]:
        """Return what of a kind is in a run's journal."""
        return facts(folder, kind)

    def busy_day(self) -> list[tuple[int, Event]]:
        """Return a script: a challenger for each, a swap, a rollback, a dismissal."""
        world = self.world
        btc, eth = world.ensemble(world.btc), world.ensemble(world.eth)
        t = world.from_ms
        return [
            published(t + 30 * MINUTE_MS, 0, variant(btc, "better")),
            published(t + 31 * MINUTE_MS, 1, variant(eth, "shade")),
            published(t + 40 * MINUTE_MS, 1, variant(eth, "shade")),  # it is there already
            published(t + 50 * MINUTE_MS, 1, btc),  # made for another instrument
            (t + 200 * MINUTE_MS, SlotChangeRequested(t, 1, "rollback", "me", "I do not like it")),
            published(t + 240 * MINUTE_MS, 0, variant(btc, "newest"), "champion"),
            (t + 300 * MINUTE_MS, SlotChangeRequested(t, 0, "rollback", "me", "back")),
            (t + 301 * MINUTE_MS, SlotChangeRequested(t, 0, "promote", "me", "nobody is there")),
            published(t + 310 * MINUTE_MS, 1, variant(eth, "later"), "shadow", ""),
            (t + 400 * MINUTE_MS, SlotChangeRequested(t, 1, "dismiss", "me", "enough")),
        ]  # fmt: skip


@pytest.fixture(scope="session")
def swaps(world: Any) -> Swaps:
    """Return what makes runs in which models come and go."""
    return Swaps(world)


@pytest.fixture(scope="session")
def busy(swaps: Swaps, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunPlan]:
    """Return the folder of a busy day's run, and its plan; nobody changes it."""
    folder = tmp_path_factory.mktemp("busy") / "run"
    plan = swaps.plan()
    end = swaps.run(folder, plan, swaps.busy_day(), snapshot_events=60)
    assert end.finished
    return folder, plan
