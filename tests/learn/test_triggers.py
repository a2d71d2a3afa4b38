"""Triggers: what asks for a training, and that no stream of facts makes a storm of them."""

from __future__ import annotations

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ares.domain.events import BarsClosed, Effect, Event, RunStarted, TradeClosed
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
from ares.learn.learner_state import LearnerState
from ares.learn.thresholds import Thresholds
from ares.learn.triggers import (
    RetrainPolicy,
    RetrainThrottle,
    after_drift,
    after_time,
    after_trade,
    promised_least,
)

PROMISED = Validation(100, 20.0, 60.0)
MINUTE = 60_000


def ensemble(name: str, validation: Validation = PROMISED) -> Ensemble:
    return Ensemble(
        "binance:BTC/USDT", (Member(Timeframe.H1, name, "1", name, 1.0),), Timeframe.H1, 1.0, 0.0,
        12, 1.0, 10.0, 1.0, 1.0, 20.0, "recipe", "features", validation,
    )  # fmt: skip


def setup(champion: Ensemble | None, *, is_champion: bool = True) -> RunSetup:
    spec = InstrumentSpec(Instrument("binance", "BTC/USDT"), 2, 3)
    one = RunInstrument(spec, HOUR_MS, champion, is_champion)
    return RunSetup(
        "history/x", (one, RunInstrument(spec, HOUR_MS, None, False)), (Timeframe.H1,), -1, 0,
        10**12, 0, 1e4, {}, 0.25, {}, challenger_lanes=True,
    )  # fmt: skip


def bars(ts_ms: int) -> BarsClosed:
    return BarsClosed(ts_ms, b"", b"", b"")


def trade(ts_ms: int, net_bps: float, lane: int = 0) -> TradeClosed:
    return TradeClosed(
        lane, True, ts_ms, ts_ms, 1.0, 1.0, 1, 0, 0, net_bps, 0.6, 1.0, "time", "", 0.5
    )


def begun(policy: RetrainPolicy, champion: Ensemble | None = None) -> LearnerState:
    lessons = LearnerState(policy, Thresholds())
    lessons.watch(RunStarted(setup(champion or ensemble("champion"))), [])
    return lessons


def started(lessons: LearnerState) -> RetrainingStarted:
    wanted = lessons.pupils[0].wanted
    assert wanted is not None
    return RetrainingStarted(wanted.at_ms, 0, wanted.trigger, wanted.reason)


def ended(one: RetrainingStarted, outcome: str = "refused", name: str = "") -> RetrainingEnded:
    return RetrainingEnded(
        one.ts_ms + MINUTE, 0, one.trigger, one.ts_ms, MINUTE, 10, 0.5, name, "v", False, (),
        outcome,  # type: ignore[arg-type]
    )  # fmt: skip


def test_a_loss_asks_for_a_training_and_a_gain_does_not() -> None:
    policy = RetrainPolicy()
    wanted = after_trade(policy, 5, [3.0, -0.1], PROMISED)
    assert wanted is not None
    assert (wanted.trigger, wanted.at_ms) == ("loss_immediate", 5)
    assert after_trade(policy, 5, [-3.0, 0.1], PROMISED) is None
    assert after_trade(policy, 5, [-3.0, 0.0], PROMISED) is None, "below zero"
    assert after_trade(RetrainPolicy(on_loss=False), 5, [-3.0], PROMISED) is None


def test_trades_below_what_was_promised_are_a_matter_of_performance() -> None:
    least = promised_least(PROMISED, 10)
    assert least is not None
    below, above = [least - 0.1] * 10, [least + 0.1] * 10
    wanted = after_trade(RetrainPolicy(on_loss=False), 5, below, PROMISED)
    assert wanted is not None
    assert wanted.trigger == "performance"
    assert after_trade(RetrainPolicy(on_loss=False), 5, [-1e6] * 9, PROMISED) is None, "too few"
    assert after_trade(RetrainPolicy(on_loss=False), 5, above, PROMISED) is None
    assert after_trade(RetrainPolicy(on_loss=False), 5, [-1e6] * 20 + [30.0] * 30, PROMISED) is None


def test_the_promise_holds_for_a_model_that_is_as_good_as_its_validation() -> None:
    draw = np.random.default_rng(3)
    below = 0
    for _ in range(2_000):
        seen, then = draw.normal(8.0, 50.0, 60), draw.normal(8.0, 50.0, 30)
        promised = Validation(60, float(seen.mean()), float(seen.std(ddof=1)))
        least = promised_least(promised, 30)
        assert least is not None
        below += bool(then.mean() < least)
    assert 0.035 < below / 2_000 < 0.065


def test_nothing_is_promised_by_nothing() -> None:
    assert promised_least(Validation(), 10) is None
    assert promised_least(Validation(1, 5.0, 0.0), 10) is None
    assert after_trade(RetrainPolicy(on_loss=False), 5, [-50.0] * 30, Validation()) is None


def test_drift_asks_by_its_score_or_by_a_worse_error() -> None:
    def seen(score: float, before: float, after: float, *, changed: bool) -> DriftMeasured:
        return DriftMeasured(7, 0, score, "rsi_14 1h", before, after, changed)

    high = after_drift(RetrainPolicy(), seen(0.71, 0.2, 0.2, changed=False))
    assert high is not None
    assert "rsi_14 1h" in high.reason
    assert after_drift(RetrainPolicy(), seen(0.70, 0.2, 0.2, changed=False)) is None
    assert after_drift(RetrainPolicy(), seen(0.1, 0.2, 0.25, changed=True)) is not None
    assert after_drift(RetrainPolicy(), seen(0.1, 0.25, 0.2, changed=True)) is None
    assert after_drift(RetrainPolicy(), seen(0.1, 0.2, 0.25, changed=False)) is None


def test_the_schedule_counts_from_the_last_begin() -> None:
    policy = RetrainPolicy(schedule_ms=HOUR_MS)
    assert after_time(policy, HOUR_MS - 1, 0) is None
    assert after_time(policy, HOUR_MS, 0) is not None
    assert after_time(RetrainPolicy(), 10**12, 0) is None


def test_the_schedule_asks_again_so_long_after_the_last_training_began() -> None:
    lessons = begun(RetrainPolicy(schedule_ms=2 * DAY_MS, interval_ms=0, on_loss=False))
    asked = []
    for hour in range(1, 24 * 7):
        lessons.watch(bars(hour * HOUR_MS), [])
        if lessons.pupils[0].wanted is not None:
            one = started(lessons)
            asked.append((one.trigger, hour))
            lessons.watch(one, [])
            lessons.watch(ended(one, "refused"), [])
    assert asked == [("schedule", 48), ("schedule", 96), ("schedule", 144)]


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
def test_no_stream_of_facts_makes_a_storm(
    policy: RetrainPolicy, facts: list[tuple[int, str, str]]
) -> None:
    lessons = begun(policy)
    now = 0
    begins: list[int] = []
    ends: list[int] = []
    rests: list[int] = []
    for number, (minutes, what, outcome) in enumerate(facts):
        now += minutes * MINUTE
        effects: list[Effect] = []
        event: Event = bars(now)
        if what == "drift":
            event = DriftMeasured(now, 0, 0.9, "x", 0.2, 0.2, False)
        elif what != "quiet":
            lane = 1 if what == "other lane" else 0
            effects = [trade(now, 20.0 if what == "gain" else -20.0, lane)]
        lessons.watch(event, effects)
        pupil = lessons.pupils[0]
        if pupil.wanted is None:
            continue
        rests.append(pupil.restraint.rest_ms if ends else 0)
        one = started(lessons)
        lessons.watch(one, [])
        name = f"refit {number}"
        end = ended(one, outcome, ensemble(name).hash)
        lessons.watch(end, [])
        if outcome == "published":
            made = ModelPublished(end.ts_ms, 0, ensemble(name), "shadow", True, "v", "", "")
            lessons.watch(made, [])
        begins.append(one.ts_ms)
        ends.append(end.ts_ms)
        now = end.ts_ms
    for begin in begins:
        assert sum(begin - DAY_MS < other <= begin for other in begins) <= policy.budget_per_day
    for end_ms, begin, rest in zip(ends, begins[1:], rests[1:], strict=False):
        assert begin - end_ms >= rest >= policy.interval_ms


def test_the_rest_doubles_with_each_failure_up_to_its_limit_and_a_success_ends_that() -> None:
    hour = HOUR_MS
    lessons = begun(
        RetrainPolicy(interval_ms=6 * hour, backoff_ms_max=50 * hour, budget_per_day=99)
    )
    now, rests = 0, []
    for outcome in ("refused", "failed", "unchanged", "refused", "published", "refused"):
        now += 10 * DAY_MS
        lessons.watch(bars(now), [trade(now, -1.0)])
        one = started(lessons)
        lessons.watch(one, [])
        lessons.watch(ended(one, outcome, ensemble("r").hash), [])
        lessons.watch(ModelPublished(now, 0, ensemble("r"), "shadow", True, "", "", ""), [])
        rests.append(lessons.pupils[0].restraint.rest_ms // hour)
    assert rests == [12, 24, 48, 50, 6, 12]


def test_who_asks_needs_no_rest_but_keeps_to_the_budget() -> None:
    restraint = RetrainThrottle(RetrainPolicy(interval_ms=6 * HOUR_MS, budget_per_day=2))
    restraint.begin(0)
    restraint.end(MINUTE, published=True)
    assert not restraint.allows(HOUR_MS)
    assert restraint.allows(HOUR_MS, asked=True)
    assert not restraint.allows(6 * HOUR_MS), "the rest begins with the end"
    assert restraint.allows(6 * HOUR_MS + MINUTE)
    restraint.begin(HOUR_MS)
    assert not restraint.allows(2 * HOUR_MS, asked=True)
    assert restraint.allows(DAY_MS, asked=True), "24 hours later the first one no longer counts"


def test_another_champion_ends_the_back_off() -> None:
    lessons = begun(RetrainPolicy(interval_ms=6 * HOUR_MS))
    lessons.watch(bars(DAY_MS), [trade(DAY_MS, -1.0)])
    one = started(lessons)
    lessons.watch(one, [])
    lessons.watch(ended(one, "refused"), [])
    restraint, champion = lessons.pupils[0].restraint, lessons.pupils[0].champion
    lessons.watch(bars(DAY_MS), [moved("canary", (champion, "champion"), ("x", "canary"))])
    assert restraint.rest_ms == 12 * HOUR_MS, "it is the same one still"
    another = ensemble("another")
    lessons.watch(ModelPublished(DAY_MS, 0, another, "champion", False, "", "ada", ""), [])
    lessons.watch(bars(DAY_MS), [moved("published", (another.hash, "champion"), ("", "empty"))])
    assert restraint.rest_ms == 6 * HOUR_MS


def moved(move: Move, *lanes: tuple[str, Stage]) -> SlotChanged:
    names = tuple(name for name, _ in lanes)
    return SlotChanged(0, 1, move, names[0], names, tuple(at for _, at in lanes), "", "", "")


def test_a_challenger_on_trial_is_given_its_time() -> None:
    lessons, challenger = begun(RetrainPolicy()), ensemble("challenger")
    made = ModelPublished(1, 0, challenger, "shadow", True, "a verdict", "learner", "")
    champion = lessons.pupils[0].champion
    lanes: list[tuple[str, Stage]] = [(champion, "champion"), (challenger.hash, "shadow")]
    lessons.watch(made, [moved("published", *lanes)])
    lessons.watch(bars(2), [trade(2, -9.0)])
    assert lessons.pupils[0].wanted is None
    gone = moved("dismissed", (champion, "champion"), ("", "empty"))
    lessons.watch(bars(3), [gone, trade(3, -9.0)])
    assert lessons.pupils[0].wanted is not None


def test_a_challenger_without_a_verdict_bars_nothing() -> None:
    lessons, challenger = begun(RetrainPolicy()), ensemble("challenger")
    made = ModelPublished(1, 0, challenger, "shadow", False, "", "ada", "")
    champion = lessons.pupils[0].champion
    lanes: list[tuple[str, Stage]] = [(champion, "champion"), (challenger.hash, "shadow")]
    lessons.watch(made, [moved("published", *lanes)])
    lessons.watch(bars(2), [trade(2, -9.0)])
    assert lessons.pupils[0].wanted is not None


def test_whoever_takes_the_place_is_taught_from_then_on() -> None:
    lessons, challenger = begun(RetrainPolicy(on_loss=False)), ensemble("challenger", Validation())
    champion = lessons.pupils[0].champion
    lessons.watch(bars(1), [trade(1, 5.0)])
    made = ModelPublished(2, 0, challenger, "shadow", True, "a verdict", "learner", "")
    lessons.watch(made, [])
    after = moved("promoted", (champion, "former"), (challenger.hash, "champion"))
    lessons.watch(bars(3), [after])
    pupil = lessons.pupils[0]
    assert (pupil.taught, pupil.lane, pupil.on_trial) == (challenger, 1, "")
    assert pupil.trades == []
    lessons.watch(bars(4), [trade(4, 7.0, lane=1), trade(4, -7.0)])
    assert [net for _, net in pupil.trades] == [7.0]
    lessons.watch(bars(5), [moved("withdrawn", ("", "empty"), (challenger.hash, "withdrawn"))])
    assert (pupil.taught, pupil.champion, pupil.lane) == (challenger, "", 1)


def test_the_trades_of_a_challenger_are_not_the_champions() -> None:
    lessons = begun(RetrainPolicy())
    lessons.watch(bars(1), [trade(1, -5.0, lane=1)])
    assert lessons.pupils[0].wanted is None


def test_a_candidate_in_the_challengers_lane_is_taught_where_there_is_no_champion() -> None:
    lane = setup(None)
    first, second = lane.instruments
    candidate = RunInstrument(second.spec, HOUR_MS, ensemble("candidate"), False)
    lessons = LearnerState(RetrainPolicy(), Thresholds())
    lane = msgspec.structs.replace(lane, instruments=(first, candidate))
    lessons.watch(RunStarted(lane), [])
    lessons.watch(bars(1), [trade(1, -5.0, lane=1)])
    assert lessons.pupils[0].wanted is not None
    assert lessons.pupils[0].champion == ""


def test_models_that_were_imported_are_left_alone() -> None:
    stranger = ensemble("imported")
    lessons = LearnerState(RetrainPolicy(schedule_ms=1), Thresholds(), frozenset({stranger.hash}))
    lessons.watch(RunStarted(setup(stranger)), [])
    lessons.watch(bars(10 * DAY_MS), [trade(1, -5.0)])
    assert lessons.pupils[0].wanted is None
    assert lessons.pupils[0].measuring_ms is None


def test_drift_is_due_once_a_period_however_long_the_run_was_silent() -> None:
    lessons = begun(RetrainPolicy(check_ms=DAY_MS))

    def due() -> int | None:
        return lessons.pupils[0].measuring_ms

    lessons.watch(bars(DAY_MS - 1), [])
    assert due() is None
    lessons.watch(bars(5 * DAY_MS + 1), [])
    assert due() == 5 * DAY_MS + 1
    assert lessons.pupils[0].check_ms == 6 * DAY_MS
    lessons.watch(DriftMeasured(5 * DAY_MS + 1, 0, 0.1, "", 0.2, 0.2, False), [])
    assert due() is None


def test_a_threshold_is_told_once_a_day() -> None:
    lessons = begun(RetrainPolicy(on_loss=False))
    told = []
    for k in range(1, 60):
        lessons.watch(bars(k * HOUR_MS), [trade(k * HOUR_MS, -30.0)])
        for alert in list(lessons.alerts):
            told.append((alert.code, alert.ts_ms // HOUR_MS))
            lessons.watch(alert, [])
    assert lessons.alerts == []
    accuracy = [hour for code, hour in told if code == "accuracy_low"]
    assert accuracy == [20, 44]
    drawdown = [hour for code, hour in told if code == "drawdown_low"]
    assert drawdown == [34, 58]
