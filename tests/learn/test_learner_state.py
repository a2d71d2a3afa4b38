"""The learner's state: which trainings a journal makes due, whatever is journaled."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ares.domain.events import (
    BarsClosed,
    ConfigChanged,
    Effect,
    Event,
    RunStarted,
    TradeClosed,
)
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.model import Ensemble, Member, Validation
from ares.domain.model_events import (
    DriftMeasured,
    ModelPublished,
    Move,
    RetrainingEnded,
    RetrainingStarted,
    SlotChanged,
    Stage,
)
from ares.domain.run import RunInstrument, RunSetup
from ares.domain.timeframe import DAY_MS, HOUR_MS, Timeframe
from ares.learn.learner_state import LearnerMemory, LearnerState
from ares.learn.thresholds import Thresholds
from ares.learn.triggers import (
    RetrainPolicy,
)

VALIDATION = Validation(100, 20.0, 60.0)
MINUTE = 60_000


def ensemble(name: str, validation: Validation = VALIDATION) -> Ensemble:
    return Ensemble(
        "binance:BTC/USDT", (Member(Timeframe.H1, name, "1", name, 1.0),), Timeframe.H1, 1.0, 0.0,
        12, 1.0, 10.0, 1.0, 1.0, 20.0, "recipe", "features", validation,
    )  # fmt: skip


def setup(champion: Ensemble | None, *, is_champion: bool = True) -> RunSetup:
    spec = InstrumentSpec(Instrument("binance", "BTC/USDT"), 2, 3)
    lane = RunInstrument(spec, HOUR_MS, champion, is_champion)
    return RunSetup(
        "history/x", (lane, RunInstrument(spec, HOUR_MS, None, False)), (Timeframe.H1,), -1, 0,
        10**12, 0, 1e4, {}, 0.25, {}, challenger_lanes=True,
    )  # fmt: skip


def bars(ts_ms: int) -> BarsClosed:
    return BarsClosed(ts_ms, b"", b"", b"")


def trade(ts_ms: int, net_bps: float, lane: int = 0) -> TradeClosed:
    return TradeClosed(
        lane, True, ts_ms, ts_ms, 1.0, 1.0, 1, 0, 0, net_bps, 0.6, 1.0, "time", "", 0.5
    )


def begun(policy: RetrainPolicy, champion: Ensemble | None = None) -> LearnerState:
    state = LearnerState(policy, Thresholds())
    state.watch(RunStarted(setup(champion or ensemble("champion"))), [])
    return state


def started(state: LearnerState) -> RetrainingStarted:
    wanted = state.instruments[0].due
    assert wanted is not None
    return RetrainingStarted(wanted.at_ms, 0, wanted.trigger, wanted.reason)


def ended(start: RetrainingStarted, outcome: str = "refused", name: str = "") -> RetrainingEnded:
    return RetrainingEnded(
        start.ts_ms + MINUTE, 0, start.trigger, start.ts_ms, MINUTE, 10, 0.5, name, "v", False, (),
        outcome,  # type: ignore[arg-type]  # str for a literal
    )  # fmt: skip


def test_the_schedule_triggers_again_after_its_period() -> None:
    state = begun(RetrainPolicy(schedule_ms=2 * DAY_MS, interval_ms=0, on_loss=False))
    triggered = []
    for hour in range(1, 24 * 7):
        state.watch(bars(hour * HOUR_MS), [])
        if state.instruments[0].due is not None:
            start = started(state)
            triggered.append((start.trigger, hour))
            state.watch(start, [])
            state.watch(ended(start, "refused"), [])
    assert triggered == [("schedule", 48), ("schedule", 96), ("schedule", 144)]


@st.composite
def policies(draw: st.DrawFn) -> RetrainPolicy:
    hours = st.integers(0, 30)
    return RetrainPolicy(
        on_loss=draw(st.booleans()),
        interval_ms=draw(hours) * HOUR_MS,
        budget_per_day=draw(st.integers(0, 6)),
        backoff_ms_max=draw(st.integers(0, 200)) * HOUR_MS,
        schedule_ms=draw(st.none() | st.integers(1, 20).map(lambda n: n * HOUR_MS)),
        check_ms=draw(st.integers(1, 48)) * HOUR_MS,
    )


FACTS = st.lists(
    st.tuples(
        st.integers(1, 9 * 60),  # minutes since the last
        st.sampled_from(["gain", "loss", "drift", "quiet", "other lane"]),
        st.sampled_from(["published", "refused", "failed", "unchanged"]),
    ),
    max_size=80,
)


@given(policies(), FACTS)
def test_no_stream_of_facts_exceeds_interval_or_budget(
    policy: RetrainPolicy, facts: list[tuple[int, str, str]]
) -> None:
    state = begun(policy)
    now = 0
    begins: list[int] = []
    ends: list[int] = []
    intervals: list[int] = []
    for number, (minutes, what, outcome) in enumerate(facts):
        now += minutes * MINUTE
        effects: list[Effect] = []
        event: Event = bars(now)
        if what == "drift":
            event = DriftMeasured(now, 0, 0.9, "x", 0.2, 0.2, False)
        elif what != "quiet":
            lane = 1 if what == "other lane" else 0
            effects = [trade(now, 20.0 if what == "gain" else -20.0, lane)]
        state.watch(event, effects)
        instrument = state.instruments[0]
        if instrument.due is None:
            continue
        intervals.append(instrument.throttle.interval_ms if ends else 0)
        start = started(state)
        state.watch(start, [])
        name = f"refit {number}"
        end = ended(start, outcome, ensemble(name).hash)
        state.watch(end, [])
        if outcome == "published":
            published = ModelPublished(end.ts_ms, 0, ensemble(name), "shadow", True, "v", "", "")
            state.watch(published, [])
        begins.append(start.ts_ms)
        ends.append(end.ts_ms)
        now = end.ts_ms
    for begin in begins:
        assert sum(begin - DAY_MS < other <= begin for other in begins) <= policy.budget_per_day
    for end_ms, begin, interval in zip(ends, begins[1:], intervals[1:], strict=False):
        assert begin - end_ms >= interval >= policy.interval_ms


def test_the_interval_doubles_with_each_failure_until_a_success() -> None:
    hour = HOUR_MS
    state = begun(RetrainPolicy(interval_ms=6 * hour, backoff_ms_max=50 * hour, budget_per_day=99))
    now, intervals = 0, []
    for outcome in ("refused", "failed", "unchanged", "refused", "published", "refused"):
        now += 10 * DAY_MS
        state.watch(bars(now), [trade(now, -1.0)])
        start = started(state)
        state.watch(start, [])
        state.watch(ended(start, outcome, ensemble("r").hash), [])
        state.watch(ModelPublished(now, 0, ensemble("r"), "shadow", True, "", "", ""), [])
        intervals.append(state.instruments[0].throttle.interval_ms // hour)
    assert intervals == [12, 24, 48, 50, 6, 12]


def test_another_champion_ends_the_back_off() -> None:
    state = begun(RetrainPolicy(interval_ms=6 * HOUR_MS))
    state.watch(bars(DAY_MS), [trade(DAY_MS, -1.0)])
    start = started(state)
    state.watch(start, [])
    state.watch(ended(start, "refused"), [])
    throttle, champion = state.instruments[0].throttle, state.instruments[0].champion
    state.watch(bars(DAY_MS), [moved("canary", (champion, "champion"), ("x", "canary"))])
    assert throttle.interval_ms == 12 * HOUR_MS, "the champion is the same"
    another = ensemble("another")
    state.watch(ModelPublished(DAY_MS, 0, another, "champion", False, "", "ada", ""), [])
    state.watch(bars(DAY_MS), [moved("published", (another.hash, "champion"), ("", "empty"))])
    assert throttle.interval_ms == 6 * HOUR_MS


def moved(move: Move, *lanes: tuple[str, Stage]) -> SlotChanged:
    names = tuple(name for name, _ in lanes)
    about = names[-1] if move == "published" else names[0]
    return SlotChanged(0, 1, move, about, names, tuple(at for _, at in lanes), "", "", "")


def test_no_training_is_due_while_a_challenger_is_compared() -> None:
    state, challenger = begun(RetrainPolicy()), ensemble("challenger")
    published = ModelPublished(1, 0, challenger, "shadow", True, "a verdict", "learner", "")
    champion = state.instruments[0].champion
    lanes: list[tuple[str, Stage]] = [(champion, "champion"), (challenger.hash, "shadow")]
    state.watch(published, [moved("published", *lanes)])
    state.watch(bars(2), [trade(2, -9.0)])
    assert state.instruments[0].due is None
    gone = moved("dismissed", (champion, "champion"), ("", "empty"))
    state.watch(bars(3), [gone, trade(3, -9.0)])
    assert state.instruments[0].due is not None


def test_a_challenger_without_a_verdict_holds_nothing_back() -> None:
    state, challenger = begun(RetrainPolicy()), ensemble("challenger")
    published = ModelPublished(1, 0, challenger, "shadow", False, "", "ada", "")
    champion = state.instruments[0].champion
    lanes: list[tuple[str, Stage]] = [(champion, "champion"), (challenger.hash, "shadow")]
    state.watch(published, [moved("published", *lanes)])
    state.watch(bars(2), [trade(2, -9.0)])
    assert state.instruments[0].due is not None


def test_a_new_champion_is_refitted_from_then_on() -> None:
    state, challenger = begun(RetrainPolicy(on_loss=False)), ensemble("challenger", Validation())
    champion = state.instruments[0].champion
    state.watch(bars(1), [trade(1, 5.0)])
    published = ModelPublished(2, 0, challenger, "shadow", True, "a verdict", "learner", "")
    state.watch(published, [])
    after = moved("promoted", (champion, "former"), (challenger.hash, "champion"))
    state.watch(bars(3), [after])
    instrument = state.instruments[0]
    assert (instrument.ensemble, instrument.lane, instrument.challenger) == (challenger, 1, "")
    assert instrument.trades == []
    state.watch(bars(4), [trade(4, 7.0, lane=1), trade(4, -7.0)])
    assert [net for _, net in instrument.trades] == [7.0]
    state.watch(bars(5), [moved("withdrawn", ("", "empty"), (challenger.hash, "withdrawn"))])
    assert (instrument.ensemble, instrument.champion, instrument.lane) == (challenger, "", 1)


def test_the_trades_of_a_challenger_are_not_the_champions() -> None:
    state = begun(RetrainPolicy())
    state.watch(bars(1), [trade(1, -5.0, lane=1)])
    assert state.instruments[0].due is None


def test_a_candidate_in_the_challengers_lane_is_refitted_where_there_is_no_champion() -> None:
    lane = setup(None)
    first, second = lane.instruments
    candidate = RunInstrument(second.spec, HOUR_MS, ensemble("candidate"), False)
    state = LearnerState(RetrainPolicy(), Thresholds())
    lane = msgspec.structs.replace(lane, instruments=(first, candidate))
    state.watch(RunStarted(lane), [])
    state.watch(bars(1), [trade(1, -5.0, lane=1)])
    assert state.instruments[0].due is not None
    assert state.instruments[0].champion == ""


def test_imported_models_are_not_refitted() -> None:
    imported = ensemble("imported")
    state = LearnerState(RetrainPolicy(schedule_ms=1), Thresholds(), frozenset({imported.hash}))
    state.watch(RunStarted(setup(imported)), [])
    state.watch(bars(10 * DAY_MS), [trade(1, -5.0)])
    assert state.instruments[0].due is None
    assert state.instruments[0].measuring_ms is None


def test_drift_is_due_once_a_period_however_long_the_run_was_silent() -> None:
    state = begun(RetrainPolicy(check_ms=DAY_MS))

    def due() -> int | None:
        return state.instruments[0].measuring_ms

    state.watch(bars(DAY_MS - 1), [])
    assert due() is None
    state.watch(bars(5 * DAY_MS + 1), [])
    assert due() == 5 * DAY_MS + 1
    assert state.instruments[0].check_ms == 6 * DAY_MS
    state.watch(DriftMeasured(5 * DAY_MS + 1, 0, 0.1, "", 0.2, 0.2, False), [])
    assert due() is None


def test_it_is_quiet_until_a_measurement_or_a_scheduled_training_is_due() -> None:
    state = begun(RetrainPolicy(check_ms=DAY_MS))
    assert state.quiet_until_ms(HOUR_MS) == DAY_MS
    state.watch(bars(DAY_MS), [])
    assert state.quiet_until_ms(HOUR_MS) == DAY_MS + HOUR_MS, "the measurement takes an hour"
    state.watch(DriftMeasured(DAY_MS + HOUR_MS, 0, 0.1, "", 0.2, 0.2, False), [])
    assert state.quiet_until_ms(HOUR_MS) == 2 * DAY_MS
    scheduled = begun(RetrainPolicy(check_ms=DAY_MS, schedule_ms=5 * HOUR_MS))
    assert scheduled.quiet_until_ms(HOUR_MS) == 5 * HOUR_MS
    scheduled.watch(bars(5 * HOUR_MS), [])
    assert scheduled.quiet_until_ms(HOUR_MS) == 0, "a training is to be started"
    start = RetrainingStarted(5 * HOUR_MS, 0, "schedule", "time")
    scheduled.watch(start, [])
    assert scheduled.quiet_until_ms(HOUR_MS) == 6 * HOUR_MS


def test_a_threshold_raises_one_alert_a_day() -> None:
    state = begun(RetrainPolicy(on_loss=False))
    raised = []
    for k in range(1, 60):
        state.watch(bars(k * HOUR_MS), [trade(k * HOUR_MS, -30.0)])
        for alert in list(state.alerts):
            raised.append((alert.code, alert.ts_ms // HOUR_MS))
            state.watch(alert, [])
    assert state.alerts == []
    accuracy = [hour for code, hour in raised if code == "accuracy_low"]
    assert accuracy == [20, 44]
    drawdown = [hour for code, hour in raised if code == "drawdown_low"]
    assert drawdown == [34, 58]


@given(policies(), FACTS, st.integers(0, 80))
def test_a_state_that_goes_on_from_its_memory_is_the_same(
    policy: RetrainPolicy, facts: list[tuple[int, str, str]], cut: int
) -> None:
    whole, parted = begun(policy), begun(policy)
    now, wanted = 0, encoded(whole)
    for number, (minutes, what, outcome) in enumerate(facts):
        if number == cut:
            memory = msgspec.msgpack.decode(encoded(parted), type=LearnerMemory)
            parted = LearnerState(policy, Thresholds())
            assert parted.restore(memory)
        now += minutes * MINUTE
        event: Event = bars(now)
        if what == "drift":
            event = DriftMeasured(now, 0, 0.9, "x", 0.2, 0.2, False)
        trades: list[Effect] = [trade(now, -20.0)] if what == "loss" else []
        entries: list[tuple[Event, list[Effect]]] = [(event, trades)]
        whole.watch(event, trades)
        if whole.instruments[0].due is not None:
            start = started(whole)
            published = ensemble(f"refit {number}")
            lanes: list[tuple[str, Stage]] = [(published.hash, "champion"), ("", "empty")]
            event = ModelPublished(now, 0, published, "champion", True, "v", "", "")
            entries += [(start, []), (ended(start, outcome, published.hash), [])]
            entries.append((event, [moved("published", *lanes)]))
        for event, effects in entries[1:]:
            whole.watch(event, effects)
        for event, effects in entries:
            parted.watch(event, effects)
        assert encoded(parted) == encoded(whole)
    assert len(encoded(whole)) < len(wanted) + 10_000, "months do not make it larger"


def encoded(state: LearnerState) -> bytes:
    return msgspec.msgpack.encode(state.memory())


def test_the_memory_of_other_rules_is_not_taken() -> None:
    state = begun(RetrainPolicy())
    other = LearnerState(RetrainPolicy(on_loss=False), Thresholds())
    assert not other.restore(state.memory())
    assert other.instruments == []


def test_rules_that_a_person_changed_are_followed_from_then_on() -> None:
    state = begun(RetrainPolicy(on_loss=True, budget_per_day=4, interval_ms=0))
    change = ConfigChanged(5, "key", "0", 1, "ada", {"retrain_budget_per_day": 0.0, "edge": 1.0})
    state.watch(bars(MINUTE), [change, trade(MINUTE, -50.0)])
    assert state.instruments[0].due is None, "no training is left for today"
    change = ConfigChanged(5, "key", "1", 2, "ada", {"retrain_budget_per_day": 1.0})
    state.watch(bars(2 * MINUTE), [change, trade(2 * MINUTE, -50.0)])
    assert started(state).trigger == "loss_immediate"
    later = LearnerState(RetrainPolicy(on_loss=True, budget_per_day=4, interval_ms=0), Thresholds())
    assert later.restore(msgspec.msgpack.decode(encoded(state), type=LearnerMemory))
    assert encoded(later) == encoded(state)
    assert later.instruments[0].throttle.policy.budget_per_day == 1
