"""What the learner knows, folded from a run's journal: who is taught, what is wanted, what is due.

Everything here follows from the entries alone: shown the same journal it comes to the same state,
so a run is taken up again by showing it what is journaled. Nothing is trained or measured here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ares.domain.events import BarsClosed, Effect, Event, RunStarted, TradeClosed
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
from ares.domain.run import RunSetup
from ares.domain.timeframe import DAY_MS
from ares.learn.thresholds import LiveTrade, Thresholds, passed
from ares.learn.triggers import (
    RetrainPolicy,
    RetrainThrottle,
    RetrainTrigger,
    after_drift,
    after_time,
    after_trade,
)

TRADES_KEPT = 2_000
DRIFT_UNKNOWN = "drift_not_measured"
"""Code of the alert that stands in the place of a drift that could not be measured."""


@dataclass(slots=True)
class InstrumentState:
    """One instrument, with the models in its lanes.

    taught   : the ensemble that a training makes anew: the champion, one that was withdrawn (it
               still makes virtual trades), or the candidate of an instrument without a champion.
    champion : hash of the ensemble that trades; empty: none does.
    on_trial : hash of a challenger with a verdict: it is given its time before there is another.
    lane     : whose trades are those of ``taught``.
    trades   : of it, since it took its place at ``since_ms``.
    wanted   : a training that no event has begun yet; running: one that has begun; made: one that
               has ended with an ensemble which was not yet handed over.
    teachable : there is an ensemble, and it can be made again here.
    measuring_ms : the instant of a drift measurement under way.
    """

    row: int
    lane: int
    taught: Ensemble | None
    champion: str
    since_ms: int
    restraint: RetrainThrottle
    check_ms: int
    on_trial: str = ""
    trades: list[LiveTrade] = field(default_factory=list)
    wanted: RetrainTrigger | None = None
    running: RetrainingStarted | None = None
    made: RetrainingEnded | None = None
    teachable: bool = False
    measuring_ms: int | None = None
    drift: DriftMeasured | None = None
    begun_ms: int | None = None
    alerted_ms: dict[str, int] = field(default_factory=dict)
    retrainings: list[RetrainingEnded] = field(default_factory=list)

    @property
    def busy(self) -> bool:
        """Return whether a training is wanted, under way, or its result on trial."""
        return bool(self.wanted or self.running or self.made or self.on_trial)


class LearnerState:
    """Folds a run's journal.

    pupils  : by row of the instrument.
    alerts  : raised by thresholds, not journaled yet.
    foreign : hashes of ensembles with an imported member: nobody here can make them again.
    """

    def __init__(
        self, policy: RetrainPolicy, thresholds: Thresholds, foreign: frozenset[str] = frozenset()
    ) -> None:
        self._policy, self._thresholds, self._foreign = policy, thresholds, foreign
        self._known: dict[str, Ensemble] = {}
        self._judged: set[str] = set()
        self.pupils: list[InstrumentState] = []
        self.alerts: list[AlertRaised] = []
        self.now_ms = 0

    def watch(self, event: Event, effects: Sequence[Effect]) -> None:
        """Take the next journal entry in."""
        if type(event) is BarsClosed:  # nearly all there is
            if not event.warming:
                self.now_ms = event.ts_ms
                self._on_time()
        else:
            self._on_event(event)
        for effect in effects:
            if type(effect) is TradeClosed:
                self._on_trade(effect)
            elif type(effect) is SlotChanged:
                self._on_slot(effect)

    def _on_event(self, event: Event) -> None:
        self.now_ms = max(self.now_ms, getattr(event, "ts_ms", 0))
        match event:
            case RunStarted():
                self._begin(event.setup)
            case ModelPublished():
                self._known[event.ensemble.hash] = event.ensemble
                if event.verdict_hash:
                    self._judged.add(event.ensemble.hash)
                self._handed_over(event.instrument, event.ensemble.hash)
            case ModelRefused():
                self._handed_over(event.instrument, event.ensemble_hash)
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

    @property
    def idle(self) -> bool:
        """Return whether there is nothing to do and nothing to say."""
        return not self.alerts and all(
            one.wanted is None and one.running is None and one.made is None
            and one.measuring_ms is None
            for one in self.pupils
        )  # fmt: skip

    def ensemble(self, name: str) -> Ensemble | None:
        """Return the ensemble of a hash, where the journal has shown it."""
        return self._known.get(name)

    def _begin(self, setup: RunSetup) -> None:
        self.now_ms = max(self.now_ms, setup.from_ms)
        for one in setup.instruments:
            for ensemble in (one.ensemble, one.previous):
                if ensemble is not None:
                    self._known[ensemble.hash] = ensemble
        for row, one in enumerate(setup.instruments[: setup.n_instruments]):
            lane, ensemble = row, one.ensemble
            if ensemble is None and setup.challenger_lanes:
                lane, ensemble = (
                    row + setup.n_instruments,
                    setup.instruments[row + setup.n_instruments].ensemble,
                )
            champion = one.ensemble.hash if one.ensemble is not None and one.is_champion else ""
            self.pupils.append(
                InstrumentState(
                    row=row,
                    lane=lane,
                    taught=ensemble,
                    teachable=ensemble is not None and ensemble.hash not in self._foreign,
                    champion=champion,
                    since_ms=setup.from_ms,
                    restraint=RetrainThrottle(self._policy),
                    check_ms=setup.from_ms + self._policy.check_ms,
                )
            )

    def _on_time(self) -> None:
        now_ms, schedule_ms = self.now_ms, self._policy.schedule_ms
        for pupil in self.pupils:
            if now_ms >= pupil.check_ms:
                late = (now_ms - pupil.check_ms) // self._policy.check_ms
                pupil.check_ms += (late + 1) * self._policy.check_ms
                if pupil.measuring_ms is None and pupil.teachable:
                    pupil.measuring_ms = now_ms
            if schedule_ms is not None:
                since_ms = pupil.since_ms if pupil.begun_ms is None else pupil.begun_ms
                self._want(pupil, after_time(self._policy, now_ms, since_ms))

    def _on_trade(self, trade: TradeClosed) -> None:
        pupil = next((one for one in self.pupils if one.lane == trade.instrument), None)
        if pupil is None or pupil.taught is None:
            return
        pupil.trades.append((trade.exit_ms, trade.net_bps))
        del pupil.trades[:-TRADES_KEPT]
        for one in passed(pupil.trades, self.now_ms, self._thresholds):
            last_ms = pupil.alerted_ms.get(one.code)
            if last_ms is None or self.now_ms - last_ms >= DAY_MS:
                pupil.alerted_ms[one.code] = self.now_ms
                self.alerts.append(
                    AlertRaised(self.now_ms, pupil.row, one.code, one.value, one.limit, one.message)
                )
        net_bps = [net for _, net in pupil.trades]
        promised = pupil.taught.validation
        self._want(pupil, after_trade(self._policy, self.now_ms, net_bps, promised))

    def _on_slot(self, moved: SlotChanged) -> None:
        """Follow an instrument's lanes; another ensemble to be taught begins with a clean slate.

        Without a champion, whoever was taught before goes on being taught while it has a lane.
        """
        pupil, width = self.pupils[moved.instrument], len(self.pupils)
        lane_of = {
            name: moved.instrument + place * width
            for place, name in enumerate(moved.lane_hashes)
            if name and name in self._known
        }
        stages = dict(zip(moved.lane_hashes, moved.stages, strict=True))
        champion = next((name for name in lane_of if stages[name] == "champion"), "")
        on_trial = (name for name in lane_of if stages[name] in ("shadow", "canary"))
        pupil.on_trial = next((name for name in on_trial if name in self._judged), "")
        if champion != pupil.champion:
            pupil.restraint.forgive()
        pupil.champion = champion
        before = "" if pupil.taught is None else pupil.taught.hash
        name = champion or (before if before in lane_of else next(iter(lane_of), ""))
        if not name:
            return
        pupil.lane = lane_of[name]
        if name != before:
            pupil.taught, pupil.since_ms = self._known[name], self.now_ms
            pupil.teachable = name not in self._foreign
            pupil.trades.clear()

    def _want(self, pupil: InstrumentState, wanted: RetrainTrigger | None) -> None:
        if wanted is None or not pupil.teachable or pupil.busy:
            return
        if not pupil.restraint.allows(wanted.at_ms):
            return
        pupil.wanted = wanted

    def _on_started(self, event: RetrainingStarted) -> None:
        pupil = self.pupils[event.instrument]
        pupil.wanted, pupil.running, pupil.begun_ms = None, event, event.ts_ms
        pupil.restraint.begin(event.ts_ms)

    def _on_ended(self, event: RetrainingEnded) -> None:
        pupil = self.pupils[event.instrument]
        published = event.outcome == "published"
        pupil.running, pupil.made = None, event if published else None
        pupil.restraint.end(event.ts_ms, published)
        pupil.retrainings.append(event)

    def _handed_over(self, instrument: int, ensemble_hash: str) -> None:
        pupil = self.pupils[instrument]
        if pupil.made is not None and pupil.made.ensemble_hash == ensemble_hash:
            pupil.made = None

    def _on_drift(self, event: DriftMeasured) -> None:
        pupil = self.pupils[event.instrument]
        pupil.measuring_ms, pupil.drift = None, event
        self._want(pupil, after_drift(self._policy, event))

    def _on_alert(self, event: AlertRaised) -> None:
        if event.code == DRIFT_UNKNOWN:
            self.pupils[event.instrument].measuring_ms = None
            return
        key = (event.instrument, event.code, event.ts_ms)
        self.alerts = [one for one in self.alerts if (one.instrument, one.code, one.ts_ms) != key]
