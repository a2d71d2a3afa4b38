"""The learner's state, folded from a run's journal: which trainings are due, running and ended.

Everything here follows from the entries alone: the same journal gives the same state, so a run is
resumed by reading what is journaled. Nothing is trained or measured here.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ares.core.slot_history import KnownSlots, SlotHistory
from ares.domain.events import (
    BarsClosed,
    ConfigChanged,
    Effect,
    Event,
    RunStarted,
    TradeClosed,
)
from ares.domain.model import Ensemble
from ares.domain.model_events import (
    AlertRaised,
    DriftMeasured,
    ModelPublished,
    ModelRefused,
    RetrainingEnded,
    RetrainingStarted,
    SlotChanged,
)
from ares.domain.run import RunInstrument, RunSetup
from ares.domain.timeframe import DAY_MS
from ares.learn.thresholds import LiveTrade, Thresholds, exceeded
from ares.learn.triggers import (
    RetrainPolicy,
    RetrainThrottle,
    RetrainTrigger,
    after_drift,
    after_time,
    after_trade,
    changed_policy,
)

TRADES_KEPT = 2_000
DRIFT_UNKNOWN = "drift_not_measured"
"""Code of the alert that replaces a drift measurement that failed."""


class InstrumentState(msgspec.Struct):
    """One instrument, with the models in its lanes.

    ensemble   : the ensemble that is refitted: the champion, a withdrawn champion (which still
                 makes virtual trades), or the candidate of an instrument without a champion.
    lane       : of ``ensemble``.
    champion   : hash of the ensemble that trades; empty: none does.
    previous   : hash of the champion that a rollback restores; empty: none.
    challenger : hash of a challenger with a passed verdict; while there is one, no other training
                 starts.
    trades     : of ``ensemble``, since it took its slot at ``since_ms``.
    due        : a training that no event has started yet.
    running    : a training that has started.
    unpublished : a training that has ended with an ensemble which is not yet published.
    refittable : there is an ensemble, and it can be trained here again.
    measuring_ms : the instant of a drift measurement that is running.
    """

    row: int
    lane: int
    ensemble: Ensemble | None
    champion: str
    since_ms: int
    throttle: RetrainThrottle
    check_ms: int
    challenger: str = ""
    trades: list[LiveTrade] = msgspec.field(default_factory=list)
    due: RetrainTrigger | None = None
    running: RetrainingStarted | None = None
    unpublished: RetrainingEnded | None = None
    refittable: bool = False
    measuring_ms: int | None = None
    drift: DriftMeasured | None = None
    last_start_ms: int | None = None
    alerted_ms: dict[str, int] = msgspec.field(default_factory=dict)
    previous: str = ""

    @property
    def busy(self) -> bool:
        """Return whether a training is due or running, or its result is not decided yet."""
        return bool(self.due or self.running or self.unpublished or self.challenger)

    @property
    def idle(self) -> bool:
        """Return whether the learner has nothing to do for the instrument."""
        pending = (self.due, self.running, self.unpublished, self.measuring_ms)
        return all(step is None for step in pending)

    def trigger(self, trigger: RetrainTrigger | None) -> None:
        """Make a training due, unless one is due or running or it is too early for another."""
        if trigger is None or not self.refittable or self.busy:
            return
        if self.throttle.allows(trigger.at_ms):
            self.due = trigger

    def refit_from_now(self, ensemble: Ensemble, now_ms: int, *, refittable: bool) -> None:
        """Refit another ensemble from now on; the trades of the one before no longer count."""
        self.ensemble, self.since_ms, self.refittable = ensemble, now_ms, refittable
        self.trades.clear()


class LearnerMemory(msgspec.Struct, frozen=True):
    """Everything that a ``LearnerState`` has found in the entries so far, and by which rules.

    policy  : of the settings. followed: the same with what people changed in the run.
    """

    policy: RetrainPolicy
    followed: RetrainPolicy
    thresholds: Thresholds
    imported: frozenset[str]
    now_ms: int
    slots: KnownSlots
    instruments: list[InstrumentState]
    alerts: list[AlertRaised]


class LearnerState:
    """Folds a run's journal.

    instruments : by row of the instrument.
    alerts      : raised by thresholds, not journaled yet.
    imported    : hashes of ensembles with an imported member, which cannot be trained here.
    """

    def __init__(
        self, policy: RetrainPolicy, thresholds: Thresholds, imported: frozenset[str] = frozenset()
    ) -> None:
        self._of_settings = self._policy = policy
        self._thresholds, self._imported = thresholds, imported
        self._slots = SlotHistory()
        self.instruments: list[InstrumentState] = []
        self.alerts: list[AlertRaised] = []
        self.now_ms = 0

    def memory(self) -> LearnerMemory:
        """Return what is known, for ``restore``: to be encoded before the next entry."""
        return LearnerMemory(
            self._of_settings, self._policy, self._thresholds, self._imported, self.now_ms,
            self._slots.known(), self.instruments, self.alerts,
        )  # fmt: skip

    def restore(self, memory: LearnerMemory) -> bool:
        """Continue from what another state knew; False: it had other rules, nothing is taken."""
        rules = (memory.policy, memory.thresholds, memory.imported)
        if rules != (self._of_settings, self._thresholds, self._imported):
            return False
        self._policy = memory.followed
        self._slots, self.now_ms = SlotHistory.of(memory.slots), memory.now_ms
        self.instruments, self.alerts = memory.instruments, memory.alerts
        return True

    def watch(self, event: Event, effects: Sequence[Effect]) -> None:
        """Take the next journal entry in."""
        if type(event) is BarsClosed:  # nearly all entries
            if event.decides:
                self.now_ms = event.ts_ms
                self._on_time()
        else:
            self._on_event(event)
        for effect in effects:
            if type(effect) is TradeClosed:
                self._on_trade(effect)
            elif type(effect) is SlotChanged:
                self._on_slot(effect)
            elif type(effect) is ConfigChanged:
                self._on_config(effect)

    def _on_config(self, change: ConfigChanged) -> None:
        """Follow the rules for retraining that a person changed."""
        self._policy = changed_policy(self._policy, change.rules)
        for state in self.instruments:
            state.throttle.policy = self._policy

    @property
    def idle(self) -> bool:
        """Return whether there is nothing to do and nothing to journal."""
        return not self.alerts and all(state.idle for state in self.instruments)

    def quiet_until_ms(self, latency_ms: int) -> int:
        """Return the closing instant from which on something may be due, or a bar may change more
        than ``now_ms``.

        latency_ms : what is begun takes effect so much later.
        """
        if self.alerts:
            return 0
        return min((self._quiet_until(s, latency_ms) for s in self.instruments), default=0)

    def _quiet_until(self, state: InstrumentState, latency_ms: int) -> int:
        if state.due is not None or state.unpublished is not None:
            return 0
        times = [state.check_ms]
        if state.running is not None:
            times.append(state.running.ts_ms + latency_ms)
        if state.measuring_ms is not None:
            times.append(state.measuring_ms + latency_ms)
        if self._policy.schedule_ms is not None:
            times.append(_scheduled_from(state) + self._policy.schedule_ms)
        return min(times)

    def ensemble(self, name: str) -> Ensemble | None:
        """Return the ensemble of a hash, where the journal has it."""
        return self._slots.ensemble(name)

    def _on_event(self, event: Event) -> None:
        self.now_ms = max(self.now_ms, getattr(event, "ts_ms", 0))
        self._slots.on_event(event)
        match event:
            case RunStarted():
                self._on_run(event.setup)
            case ModelPublished():
                self._on_published(event.instrument, event.ensemble.hash)
            case ModelRefused():
                self._on_published(event.instrument, event.ensemble_hash)
            case DriftMeasured():
                self._on_drift(event)
            case RetrainingStarted():
                self._on_started(event)
            case RetrainingEnded():
                self._on_ended(event)
            case AlertRaised():
                self._on_alert(event)
            case _:
                pass

    def _on_run(self, setup: RunSetup) -> None:
        self.now_ms = max(self.now_ms, setup.from_ms)
        n = setup.n_instruments
        for row, first in enumerate(setup.instruments[:n]):
            second = setup.instruments[row + n] if setup.challenger_lanes else None
            self.instruments.append(self._instrument(setup, row, first, second))

    def _instrument(
        self, setup: RunSetup, row: int, first: RunInstrument, second: RunInstrument | None
    ) -> InstrumentState:
        """Return the state of an instrument with one lane or two when its run starts."""
        lane, ensemble = row, first.ensemble
        if ensemble is None and second is not None:
            lane, ensemble = row + setup.n_instruments, second.ensemble
        trades = first.ensemble is not None and first.is_champion
        return InstrumentState(
            row=row,
            lane=lane,
            ensemble=ensemble,
            refittable=ensemble is not None and ensemble.hash not in self._imported,
            champion=first.ensemble.hash if first.ensemble is not None and trades else "",
            since_ms=setup.from_ms,
            throttle=RetrainThrottle(self._policy),
            previous="" if first.previous is None else first.previous.hash,
            check_ms=setup.from_ms + self._policy.check_ms,
        )

    def _on_time(self) -> None:
        now_ms, schedule_ms = self.now_ms, self._policy.schedule_ms
        for state in self.instruments:
            if now_ms >= state.check_ms:
                late = (now_ms - state.check_ms) // self._policy.check_ms
                state.check_ms += (late + 1) * self._policy.check_ms
                if state.measuring_ms is None and state.refittable:
                    state.measuring_ms = now_ms
            if schedule_ms is not None:
                state.trigger(after_time(self._policy, now_ms, _scheduled_from(state)))

    def _on_trade(self, trade: TradeClosed) -> None:
        state = next((s for s in self.instruments if s.lane == trade.instrument), None)
        if state is None or state.ensemble is None:
            return
        state.trades.append((trade.exit_ms, trade.net_bps))
        del state.trades[:-TRADES_KEPT]
        self._check_thresholds(state)
        net_bps = [net for _, net in state.trades]
        validation = state.ensemble.validation
        state.trigger(after_trade(self._policy, self.now_ms, net_bps, validation))

    def _check_thresholds(self, state: InstrumentState) -> None:
        """Raise an alert for each threshold that is exceeded, once a day each."""
        for found in exceeded(state.trades, self.now_ms, self._thresholds):
            last_ms = state.alerted_ms.get(found.code)
            if last_ms is None or self.now_ms - last_ms >= DAY_MS:
                state.alerted_ms[found.code] = self.now_ms
                self.alerts.append(
                    AlertRaised(
                        self.now_ms, state.row, found.code, found.value, found.limit, found.message
                    )
                )

    def _on_slot(self, moved: SlotChanged) -> None:
        """Follow an instrument's lanes.

        Without a champion, the ensemble that was refitted before stays the one that is refitted, as
        long as it has a lane.
        """
        state = self.instruments[moved.instrument]
        after = self._slots.apply(moved).after
        lane_of = {slot.hash: lane for lane, slot in after.items() if slot.ensemble is not None}
        slots = [after[lane] for lane in lane_of.values()]
        champion = next((slot.hash for slot in slots if slot.stage == "champion"), "")
        challengers = (slot for slot in slots if slot.stage in ("shadow", "canary"))
        state.challenger = next((slot.hash for slot in challengers if slot.verdict_hash), "")
        if champion != state.champion:
            state.throttle.reset_failures()
        state.champion, state.previous = champion, moved.previous_hash
        before = "" if state.ensemble is None else state.ensemble.hash
        name = champion or (before if before in lane_of else next(iter(lane_of), ""))
        ensemble = self._slots.ensemble(name)
        self._forget()
        if ensemble is None:
            return
        state.lane = lane_of[name]
        if name != before:
            refittable = name not in self._imported
            state.refit_from_now(ensemble, self.now_ms, refittable=refittable)

    def _forget(self) -> None:
        """Forget the ensembles of earlier months: none of them can come back by its hash alone."""
        kept = {state.previous for state in self.instruments}
        kept |= {state.ensemble.hash for state in self.instruments if state.ensemble is not None}
        ended = (state.unpublished for state in self.instruments)
        self._slots.forget(kept | {event.ensemble_hash for event in ended if event is not None})

    def _on_started(self, event: RetrainingStarted) -> None:
        state = self.instruments[event.instrument]
        state.due, state.running, state.last_start_ms = None, event, event.ts_ms
        state.throttle.record_start(event.ts_ms)

    def _on_ended(self, event: RetrainingEnded) -> None:
        state = self.instruments[event.instrument]
        published = event.outcome == "published"
        state.running, state.unpublished = None, event if published else None
        state.throttle.record_end(event.ts_ms, published)

    def _on_published(self, instrument: int, ensemble_hash: str) -> None:
        state = self.instruments[instrument]
        if state.unpublished is not None and state.unpublished.ensemble_hash == ensemble_hash:
            state.unpublished = None

    def _on_drift(self, event: DriftMeasured) -> None:
        state = self.instruments[event.instrument]
        state.measuring_ms, state.drift = None, event
        state.trigger(after_drift(self._policy, event))

    def _on_alert(self, event: AlertRaised) -> None:
        if event.code == DRIFT_UNKNOWN:
            self.instruments[event.instrument].measuring_ms = None
            return
        key = (event.instrument, event.code, event.ts_ms)
        self.alerts = [a for a in self.alerts if (a.instrument, a.code, a.ts_ms) != key]


def _scheduled_from(state: InstrumentState) -> int:
    """Return from when on the schedule of an instrument's trainings counts."""
    return state.since_ms if state.last_start_ms is None else state.last_start_ms
