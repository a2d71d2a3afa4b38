"""An engine with one instrument and a lane for challengers, whose models have no edge."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from ares.core.initial_state import new_state
from ares.core.models import Models
from ares.core.state import State
from ares.core.step import step
from ares.domain.events import BarsClosed
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.model import Ensemble, Member, Validation
from ares.domain.model_events import ModelPublished, SlotChanged
from ares.domain.run import ChallengerRules, RunInstrument, RunSetup
from ares.domain.timeframe import HOUR_MS, MINUTE_MS, Timeframe
from ares.kernel.trade import Rules

START_MS = 1_704_153_600_000  # on the hour
RULES = ChallengerRules(2 * HOUR_MS, 3 * HOUR_MS, 0.25, 0.10, 1_000.0, 0.05)


def ensemble(name: str) -> Ensemble:
    return Ensemble(
        "test:T0/USDT", (Member(Timeframe.M1, name, "1", name, 1.0),), Timeframe.M1, 1.0, 0.0,
        12, 1.0, 10.0, 1.0, 1.0, 20.0, "recipe", "features", Validation(200, 20.0, 60.0),
    )  # fmt: skip


class EveryScorer(dict[str, Any]):
    """A scorer for every package: none of them has an edge."""

    def __contains__(self, _: object) -> bool:
        return True

    def __missing__(self, _: str) -> Any:
        return lambda rows: np.full(len(rows), 0.5)


class Engine:
    """A state that takes one event after the other; keeps the slot changes."""

    rules = RULES
    ensemble = staticmethod(ensemble)

    def __init__(
        self, previous: Ensemble | None = None, challenger_rules: ChallengerRules = RULES
    ) -> None:
        spec = InstrumentSpec(Instrument("test", "T0/USDT"), 2, 3)
        first = RunInstrument(spec, MINUTE_MS, ensemble("first"), True, previous)
        lanes = (first, RunInstrument(spec, MINUTE_MS, None, False))
        rules = {name: float(value) for name, value in asdict(Rules()).items()}
        setup = RunSetup(
            "history/x", lanes, (Timeframe.M1,), -1, START_MS, START_MS + 99 * HOUR_MS, START_MS,
            10_000.0, rules, 0.25, {}, challenger_lanes=True, challenger_rules=challenger_rules,
        )  # fmt: skip
        self.state: State = new_state(setup)
        self.minute = 0
        self.moves: list[SlotChanged] = []

    def take(self, event: Any) -> None:
        found = step(self.state, event, Models(EveryScorer()))
        self.moves += [effect for effect in found if isinstance(effect, SlotChanged)]

    def bars(self, n: int = 1) -> None:
        for _ in range(n):
            self.minute += 1
            row = np.array([100.0, 101.0, 99.0, 100.0, 50.0])
            self.take(BarsClosed(self.now_ms, row.tobytes(), b"\1", b"\0"))

    @property
    def now_ms(self) -> int:
        return START_MS + self.minute * MINUTE_MS

    def publish(self, name: str, verdict: str = "v", stage: Any = "shadow") -> None:
        self.take(ModelPublished(self.now_ms, 0, ensemble(name), stage, False, verdict, "ada", ""))

    def trades(self, lane: int, confidence: float, trades: int) -> None:
        """Give a lane this trading record."""
        self.state.trade.book[lane]["mode_confidence"] = confidence
        self.state.trade.book[lane]["arm_trades"] = trades
        self.state.review_due = True

    @property
    def timed_moves(self) -> list[tuple[str, int]]:
        """Return what moved, and in which minute."""
        return [(change.move, (change.ts_ms - START_MS) // MINUTE_MS) for change in self.moves]

    @property
    def stages(self) -> tuple[str, ...]:
        return self.moves[-1].stages


@pytest.fixture
def engine_of() -> type[Engine]:
    """Return the class of engines with challengers, its rules and the ensembles it knows."""
    return Engine
