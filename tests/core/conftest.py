"""Two engines: one instrument with a lane for challengers, whose models have no edge; and two
instruments whose orders a test drives.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from ares.core.execution import submit, wake_ms, work
from ares.core.initial_state import new_state
from ares.core.models import NO_MODELS, Models
from ares.core.state import State
from ares.core.step import step
from ares.domain.events import BarsClosed, Effect, Event, RunStarted
from ares.domain.holding_events import DifferenceFound
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.model import Ensemble, Member, Validation
from ares.domain.model_events import ModelPublished, SlotChanged
from ares.domain.order_events import (
    AccountSeen,
    CommandGiven,
    OrderAccepted,
    OrderEnded,
    OrderFilled,
    QueryOrder,
    SubmitOrder,
    TimeReached,
)
from ares.domain.run import ChallengerRules, RunInstrument, RunSetup
from ares.domain.timeframe import HOUR_MS, MINUTE_MS, Timeframe
from ares.domain.venue import VenueTraits
from ares.kernel.trade import Rules
from ares.kernel.trade.arrays import Signal
from ares.kernel.trade.layout import ENTRY, REASON_REVERSAL, REASON_SIGNAL

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


OWNER = "0a0b0c0d"
TRAITS = VenueTraits(
    amends_stops=True, proves_absence=True, deadline_ms=5_000, absence_margin_ms=2_000,
    answer_ms=3_000, fill_ms=5_000, account_ms=300_000,
)  # fmt: skip


class TwoInstruments:
    """A started state of two instruments whose balances are known; keeps no effects.

    An entry of a lane is at 10,000 ticks with a barrier of 100 bps: its stop rests at 9,900.
    """

    owner = OWNER
    start_ms = START_MS

    def __init__(self, traits: VenueTraits = TRAITS, *, known: bool = True) -> None:
        lanes = tuple(
            RunInstrument(
                InstrumentSpec(Instrument("test", f"T{i}/USDT"), 2, 3), MINUTE_MS, None, True
            )
            for i in range(2)
        )
        rules = {name: float(value) for name, value in asdict(Rules()).items()}
        self.setup = RunSetup(
            "sim/x", lanes, (Timeframe.M1,), -1, START_MS, START_MS + 10**9, START_MS, 10_000.0,
            rules, 0.25, {}, owner=OWNER, nonce="first", traits=traits,
        )  # fmt: skip
        self.state: State = new_state(self.setup)
        self.at_ms = START_MS
        self._numbers = 0
        self.take(RunStarted(self.setup))
        if known:
            self.account()

    def take(self, event: Event, wait_ms: int = 0) -> list[Effect]:
        """Step an event after a time."""
        self.at_ms += wait_ms
        return step(self.state, event, NO_MODELS, self.at_ms)

    def held(self, lane: int = 0) -> int:
        return int(self.state.trade.book[lane]["position_lots"])

    @property
    def cash(self) -> int:
        return int(self.state.trade.account[0]["cash"])

    @property
    def halts(self) -> list[tuple[int, str]]:
        """Return which halts stand: instrument, reason."""
        return [(h.instrument, h.reason) for h in self.state.halts]

    # --- the engine's side ---------------------------------------------------------------------

    def enter(self, lane: int = 0, lots: int = 10) -> str:
        """Send an entry as a decision of the kernel does; return its client id."""
        book = self.state.trade.book[lane]
        book["expected_ticks"], book["entry_open_lots"] = 10_000, lots
        signal = Signal(0.6, 9.0, 100.0)
        return submit(self.state, lane, ENTRY, lots, 0, REASON_SIGNAL, signal).client_id

    def hold(self, lane: int = 0, lots: int = 10) -> str:
        """Hold lots with a stop that rests; return the client id of the stop."""
        self.fill(self.enter(lane, lots), lots)
        stop = self.state.lane_orders[lane].stop
        self.accept(stop)
        return stop

    def leave(self, lane: int = 0) -> list[Effect]:
        """Want all that is held sold, as the kernel does; return what is sent."""
        book = self.state.trade.book[lane]
        book["exit_reason"], book["stop_lots"] = REASON_REVERSAL, 0
        return work(self.state, lane)

    def wake(self, n: int = 1) -> list[Effect]:
        """Let the next ``n`` deadlines be reached; return what follows."""
        effects: list[Effect] = []
        for _ in range(n):
            due_ms = wake_ms(self.state)
            assert due_ms, "nothing is due"
            self.at_ms = max(self.at_ms, due_ms)
            effects += self.take(TimeReached(self.at_ms))
        return effects

    def pass_ms(self, wait_ms: int) -> list[Effect]:
        """Let time pass, with every deadline within it; fail where one returns for ever."""
        until_ms, effects = self.at_ms + wait_ms, list[Effect]()
        for _ in range(1_000):
            due_ms = wake_ms(self.state)
            if not due_ms or due_ms > until_ms:
                self.at_ms = until_ms
                return effects
            effects += self.wake()
        raise AssertionError("the engine asks to be woken again and again")

    # --- the venue's side ----------------------------------------------------------------------

    def fill(
        self, client_id: str, lots: int, exec_id: str = "", ticks: int = 10_000, fee: int = 0
    ) -> list[Effect]:
        self._numbers += 1
        exec_id = exec_id or f"x{self._numbers}"
        return self.take(OrderFilled(client_id, self.at_ms, lots, ticks, fee, exec_id, 0))

    def accept(self, client_id: str) -> list[Effect]:
        return self.take(OrderAccepted(client_id, self.at_ms, "v1"))

    def end(self, client_id: str, reason: Any, cum_lots: int | None = 0) -> list[Effect]:
        return self.take(OrderEnded(client_id, self.at_ms, reason, cum_lots))

    def account(
        self, *lots: int, ids: tuple[str, ...] | None = None, as_of_ms: int | None = None
    ) -> list[Effect]:
        """Report balances (of nothing named: those of the ledger) and open orders."""
        lots = lots or (self.held(0), self.held(1))
        ids = tuple(self.state.orders) if ids is None else ids
        as_of_ms = self.at_ms if as_of_ms is None else as_of_ms
        return self.take(AccountSeen(self.at_ms, as_of_ms, True, lots, ids))

    # --- a person's side -----------------------------------------------------------------------

    def command(self, verb: str, **args: str) -> list[Effect]:
        self._numbers += 1
        return self.take(CommandGiven(f"c{self._numbers}", self.at_ms, "ada", verb, args))

    @staticmethod
    def orders_of(effects: list[Effect]) -> list[tuple[str, int]]:
        """Return kind and lots of the orders that effects send."""
        return [(e.kind, e.lots) for e in effects if isinstance(e, SubmitOrder)]

    @staticmethod
    def lookups_of(effects: list[Effect]) -> list[str]:
        """Return the client ids that effects look up."""
        return [e.client_id for e in effects if isinstance(e, QueryOrder)]

    @staticmethod
    def differences_of(effects: list[Effect]) -> list[tuple[int, str, int]]:
        """Return instrument, kind and lots of the differences that are found."""
        return [(e.instrument, e.kind, e.lots) for e in effects if isinstance(e, DifferenceFound)]


@pytest.fixture
def two_of() -> type[TwoInstruments]:
    """Return the class of states of two instruments."""
    return TwoInstruments


@pytest.fixture
def two() -> TwoInstruments:
    """Return a started state of two instruments at a venue with all abilities."""
    return TwoInstruments()
