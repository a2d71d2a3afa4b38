"""The engine against a world that attacks it: one seed, virtual time, invariants at every step.

``World(seed).run()`` raises ``Finding`` where the engine breaks a promise. The market, the venue,
the network, the disk and the clock are drawn from the seed; the engine is the real one: ``step``,
kernel, order machine, loop, journal records and snapshots.
"""

from __future__ import annotations

from collections import Counter, deque
from random import Random
from typing import TYPE_CHECKING

import msgspec
from tests.sim.finding import Finding
from tests.sim.people import drawn_command, wanted_at_rest
from tests.sim.promises import Promises
from tests.sim.world_journal import Crash, Files, Records, Recovered, WorldJournal
from tests.sim.world_market import FIRST_TICKS, Market
from tests.sim.world_models import Learner, WorldModels
from tests.sim.world_setup import (
    CALM_MS,
    COST_MIN_QUOTE,
    ORDER_LOTS_MIN,
    OWNER,
    SNAPSHOT_EVENTS,
    START_MS,
    STOP_LIMIT_BPS,
    YEAR_MS,
    N,
    first_snapshot,
    order_lots_max_of,
    with_order_lots_max,
)

from ares.core.execution import wake_ms
from ares.core.snapshot import snapshot
from ares.core.state import State
from ares.domain.errors import ExternalError
from ares.domain.events import Command, EngineStarted, Event, RunStarted
from ares.domain.order_events import (
    AccountSeen,
    ClockSkewMeasured,
    CommandGiven,
    OrderEnded,
    Stopping,
    SubmitOrder,
    TimeReached,
    VenueUp,
)
from ares.domain.run import RunSetup
from ares.domain.timeframe import MINUTE_MS
from ares.journal.run import JournalEntry
from ares.kernel.trade.money import notional_units
from ares.runtime.engine.clocks import start_ms
from ares.runtime.engine.loop import Loop, Watcher
from ares.sim.attacking_venue import AttackingVenue
from ares.sim.faults import Chance, Faults, Occasion, drawn
from ares.sim.minimums import Minimums
from ares.sim.schedule import Schedule

if TYPE_CHECKING:
    from tests.sim.world_tables import WorldTables


class World:
    """One seed: a market, a venue, an engine, and everything that goes wrong."""

    def __init__(
        self,
        seed: int,
        n_events: int = 300,
        faults: Faults | None = None,
        kept: frozenset[Occasion] | None = None,
        tables: WorldTables | None = None,
        schedule: Schedule | None = None,
    ) -> None:
        self.tables = tables
        self.draw = Random(seed)
        faults = drawn(self.draw) if faults is None else faults
        self.chance = Chance(Random(seed ^ 0xFA17), faults, kept)
        self.n_events = n_events
        self.schedule = Schedule(START_MS) if schedule is None else schedule
        self.setup, first = self._first_snapshot(seed)
        self.journal: WorldJournal = (Files if seed % 2 else Records)(self, self.setup, first)
        self.version = self.saved_seq = 0
        self.inbox: deque[Event] = deque()
        self.venue = self._new_venue(Random(seed ^ 0x5EED))
        self.market = Market(self, Random(seed ^ 0xFACE))
        self.people = Random(seed ^ 0xC0DE)
        self.visit_ms = self.people.choice((5 * MINUTE_MS, 60 * MINUTE_MS))
        self.served = WorldModels()
        self.learner = Learner(self, Random(seed ^ 0x1EA2))
        self.cash_start = 0
        self.ahead_ms = self.refused_ms = 0
        self.clock_known = False
        self.crash_allowed = self.changing = False
        self.running = False
        self.calm, self.commands = False, 0
        self.at_crash: tuple[int, bytes] | None = None
        self.unsure_limit: list[int] | None = None  # of an upgrade that was cut off
        self.epochs = 0
        self.promises = Promises(self)
        self.counts: Counter[str] = Counter()
        self.sent: set[str] = set()
        self.ends_reported: set[str] = set()
        self.state: State
        self.loop: Loop

    # --- what another world does otherwise -----------------------------------------------------

    def _first_snapshot(self, seed: int) -> tuple[RunSetup, bytes]:
        stop_limit_bps = Random(seed ^ 0x57A7).choice((0, 0, STOP_LIMIT_BPS))
        small = Random(seed ^ 0x5A11).random() < 0.4
        drawn_traits = (self.draw.random() < 0.5, self.draw.random() < 0.5)
        return first_snapshot(*drawn_traits, stop_limit_bps, refuses_small=small)

    def _new_venue(self, draw: Random) -> AttackingVenue:
        venue = AttackingVenue(N, self.schedule, draw, self.chance, self._post, self.units, OWNER)
        venue.prices = [FIRST_TICKS] * N
        venue.order_lots_max = order_lots_max_of(self.setup)
        if self.setup.traits.refuses_small:
            venue.minimums = Minimums(ORDER_LOTS_MIN, int(COST_MIN_QUOTE * 1e8))
        return venue

    # --- one run -------------------------------------------------------------------------------

    def run(self) -> World:
        """Run all events, then let the world calm down, and check what is left."""
        self._start()
        self.cash_start = int(self.state.trade.account[0]["cash"])
        self.schedule.after(MINUTE_MS, self.market.bar)
        self.schedule.after(self.draw.randint(1, 30_000), self._disturb)
        self.schedule.after(self.visit_ms, self._visit)
        while self.state.seq < self.n_events:
            self._advance()
        self._calm_down()
        self.promises.check_settled()
        if self.tables is not None:
            self.tables.check(self)
        return self

    def journal_hash(self) -> str:
        return self.journal.digest()

    def _advance(self) -> None:
        """Go on to what happens next: in the world, or a deadline of the engine."""
        next_ms = self.schedule.next_ms()
        assert next_ms is not None
        due_ms = wake_ms(self.state) if self.running else 0
        due_world_ms = due_ms - self.ahead_ms
        if due_ms and due_world_ms <= next_ms:
            self.schedule.now_ms = max(self.schedule.now_ms, due_world_ms)
            self.process(TimeReached(self._clock_ms()))
        else:
            self.schedule.step()
        self.market.show()
        self.promises.check_venue()
        self.promises.check_naked()
        self.promises.check_excess()

    def _calm_down(self) -> None:
        """End the faults; an operator settles what stands; everything must come to rest."""
        self.calm = True
        self.chance.calm()
        for is_operated in (False, True):
            until_ms = self.schedule.now_ms + CALM_MS // 2
            while self.schedule.now_ms < until_ms:
                self._advance()
                if is_operated:
                    self._operate()
            if not is_operated:
                self.promises.check_waiting()
        self.market.is_closed = True  # what is on its way arrives
        until_ms = self.schedule.now_ms + CALM_MS // 2
        while self.schedule.now_ms < until_ms:
            self._advance()
            self._operate()

    def _operate(self) -> None:
        """Do what a person at the keyboard does: settle, then resume."""
        wanted = wanted_at_rest(self.state)
        if wanted is not None:
            self._command(*wanted)

    # --- the engine ----------------------------------------------------------------------------

    def now_ms(self) -> int:
        return self._clock_ms()  # a port of the loop

    def _clock_ms(self) -> int:
        return self.schedule.now_ms + self.ahead_ms

    def _measure_clock(self) -> None:
        self.clock_known = True
        if self.refused_ms and self.ahead_ms < 0:  # time goes on from the venue's
            self.refused_ms = self.ahead_ms = 0
        self.process(ClockSkewMeasured(self._clock_ms(), -self.ahead_ms))
        self.venue.states.report()

    def send(self, command: Command) -> None:
        """Take a command for the venue: a port of the loop. The process may end before each."""
        self.may_crash()
        if isinstance(command, SubmitOrder):
            if command.client_id in self.sent:
                raise Finding(f"id {command.client_id} is sent again")
            self.sent.add(command.client_id)
            if self.chance.happens("change_at_order"):
                self.learner.act_at_order()
        self.venue.send(command)

    def _post(self, event: Event) -> None:
        """Take an event for the engine, stamped as an adapter does; while none runs it is lost."""
        if not self.running:
            return
        if isinstance(event, OrderEnded):
            self.ends_reported.add(event.client_id)
        elif isinstance(event, VenueUp):
            self._note_ends()
        if isinstance(event, AccountSeen):
            as_of_ms = event.as_of_ms + self.ahead_ms
            event = msgspec.structs.replace(event, as_of_ms=as_of_ms)
        self.process(event)

    def _note_ends(self) -> None:
        """Take the ends of others' orders as known: a start and a new session look anew."""
        others = self.venue.orders_of_others.items()
        self.ends_reported |= {client_id for client_id, order in others if order.ended}

    def process(self, event: Event | JournalEntry) -> None:
        """Let the engine take an event, or finish one that was journaled before a crash."""
        if not self.running:
            return
        self.crash_allowed = not self.calm
        try:
            if isinstance(event, JournalEntry):
                self.loop.finish(event)
            else:
                self.loop.process(event)
            if self.state.seq - self.saved_seq >= SNAPSHOT_EVENTS:
                self._save(self.state.setup)
        except (Crash, ExternalError):
            self._on_crash()
        except Exception as error:
            what = f"{type(event).__name__} raised {type(error).__name__}: {error}"
            raise Finding(what) from error
        finally:
            self.crash_allowed = False

    def _save(self, setup: RunSetup, *, is_kept: bool = False) -> None:
        self.journal.save(self.state, setup, is_kept=is_kept)
        self.saved_seq = self.state.seq

    def is_full(self) -> bool:
        """Return whether the disk is full at this write, if the seed says so."""
        return self.crash_allowed and self.chance.happens("disk_full")

    def may_crash(self) -> None:
        """End the process here, if the seed says so."""
        if not self.crash_allowed:
            return
        if self.chance.happens("crash_at_change" if self.changing else "crash"):
            raise Crash

    def _on_crash(self) -> None:
        self.counts["crashes"] += 1
        if self.tables is not None:
            self.tables.act(self)
        self.at_crash = None
        if self.journal.is_stepped():
            self.at_crash = (self.state.seq, snapshot(self.state))
        self._end()

    def _upgrade(self) -> None:
        """Stop cleanly, as the old version does before a new one goes on."""
        self.process(Stopping(self._clock_ms()))
        if not self.running:
            return
        self.counts["upgrades"] += 1
        setup = self.state.setup
        if self.chance.happens("limit_lowered"):
            setup = with_order_lots_max(setup, self.draw.choice([700, 2_000, 5_000]))
        self.crash_allowed, self.changing = not self.calm, True
        try:
            self._save(setup, is_kept=True)
        except (Crash, ExternalError):  # in the middle of it: the new version starts all the same
            self.counts["upgrades cut off"] += 1
            self.unsure_limit = order_lots_max_of(setup)
            self._on_crash()
        else:
            self.unsure_limit = None
            self.venue.limit(order_lots_max_of(setup))
            self._end()
        finally:
            self.crash_allowed = self.changing = False
        self.version += 1

    def _end(self) -> None:
        self.running = False
        self.inbox.clear()
        self.journal.lose(self.draw)
        self.venue.restart()
        self.schedule.after(self.draw.randint(100, 20_000), self._start)
        if self.chance.happens("new_version"):
            self.version += 1

    def _start(self) -> None:
        """Recover: newest snapshot, then the tail, compared; then reconcile."""
        self.served = served = WorldModels()
        found = self._recover()
        if found is None:
            self.counts["starts cut off"] += 1
            self._end()
            return
        self.epochs += 1
        self.state = state = found.state
        self.saved_seq = state.seq
        if self.unsure_limit is not None and order_lots_max_of(state.setup) == self.unsure_limit:
            self.venue.limit(self.unsure_limit)  # its snapshot was whole: the limit has changed
        self.unsure_limit = None
        self.inbox = deque()
        watchers: list[Watcher] = [
            self.promises.on_event,
            lambda _seq, _event, effects: served.swap.release_unused(state, effects),
        ]
        self.loop = Loop(state, self.journal, self, served.models, self, self.inbox, watchers)
        self.running = True
        self.promises.begin(state)
        self._note_ends()
        self._set_clock(found.at_ms)
        self.clock_known = False
        self.schedule.after(self.draw.randint(50, 1_500), self._measure_clock)
        if found.unanswered is not None:
            self.process(found.unanswered)
        if found.is_new:
            self.process(RunStarted(self.setup))
            return
        hashes, nonce = {"engine": f"v{self.version}"}, f"epoch-{self.epochs}"
        restarted = found.restarted or ()
        self.process(EngineStarted(hashes, state.seq, nonce, restarted, self.refused_ms))

    def _set_clock(self, journal_ms: int) -> None:
        """Set the engine's clock from a machine's that may be wrong, by seconds or by a year."""
        skew_ms = self.draw.randint(-20_000, 20_000) if self.chance.happens("clock_jump") else 0
        if journal_ms and self.chance.happens("clock_year"):
            skew_ms += self.draw.choice([-YEAR_MS, YEAR_MS])
        at_ms, self.refused_ms = start_ms(journal_ms, self.schedule.now_ms + skew_ms)
        self.ahead_ms = at_ms - self.schedule.now_ms

    def _recover(self) -> Recovered | None:
        """Return where this start goes on; None: the process ended again meanwhile."""
        self.crash_allowed, self.changing = self.epochs > 0 and not self.calm, True
        try:
            found = self.journal.recover(self.version)
        except (Crash, OSError):
            return None
        except ExternalError as error:
            if "free disk space" in str(error):
                return None
            raise Finding(f"recovery: {error}") from error
        finally:
            self.crash_allowed = self.changing = False
        state, at_crash, self.at_crash = found.state, self.at_crash, None
        for client_id in self.venue.received:
            if client_id not in state.orders and client_id not in state.ended:
                raise Finding(f"order {client_id} reached the venue and was not durable")
        if found.restarted is not None:
            self.counts["folds"] += 1
        elif at_crash is not None and at_crash[0] == state.seq and found.unanswered is None:
            if at_crash[1] != snapshot(state):
                raise Finding(f"recovery at event {state.seq} gives another state")
            self.counts["states compared"] += 1
        return found

    # --- what happens --------------------------------------------------------------------------

    def _disturb(self) -> None:
        """Do what a person, the clock or the power does at a bad moment."""
        self.schedule.after(self.draw.randint(1_000, 30_000), self._disturb)
        if self.tables is not None:
            self.tables.act(self)
        if self.chance.happens("crash") and self.running:
            self._on_crash()
        if self.chance.happens("upgrade") and self.running:
            self._upgrade()
        if self.chance.happens("command"):
            self._command(*drawn_command(self.people))
        self.learner.act()

    def _visit(self) -> None:
        """Let a person look in from time to time, so that trading goes on in long worlds."""
        if self.calm:
            return
        self.schedule.after(self.draw.randint(1, 2 * self.visit_ms), self._visit)
        if self.running:
            self._operate()
            self.learner.restore()

    def _command(self, verb: str, args: dict[str, str], version: str = "") -> None:
        if not self.draw.random() < 0.2:
            self.commands += 1
        id_, now_ms = f"c{self.commands}", self._clock_ms()
        expires_ms = now_ms - 1 if not self.calm and self.people.random() < 0.05 else 0
        self.process(CommandGiven(id_, now_ms, "operator", verb, args, expires_ms, version))

    def units(self, i: int, ticks: int, lots: int) -> int:
        spec = self.setup.instruments[i].spec
        return int(notional_units(ticks, lots, spec.notional_mul, spec.notional_div))
