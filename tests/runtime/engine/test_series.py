"""Runs with sentiment: news come in before the bars that may know them, and everything agrees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from ares.core.models import NO_MODELS, Models, Scorer, Scorers
from ares.core.series import NEVER_MS
from ares.core.snapshot import restore, snapshot
from ares.core.step import step
from ares.domain.errors import ExternalError
from ares.domain.events import (
    BarsClosed,
    Effect,
    Event,
    SeriesPublished,
    SeriesRestored,
    SeriesStale,
)
from ares.domain.model import Ensemble
from ares.domain.model_events import ModelPublished, ModelRefused, SlotChanged
from ares.domain.series import SentimentSpec, SeriesSpec, ValueSpec
from ares.domain.stretch import BarsStretch
from ares.domain.timeframe import HOUR_MS, MINUTE_MS, Timeframe
from ares.journal.run import RunReader, entries
from ares.journal.snapshots import load_snapshot
from ares.kernel.bars import F64
from ares.kernel.features import N_FEATURES
from ares.kernel.features.observations import ALL_INSTRUMENTS, Observations
from ares.kernel.features.sentiment import N_SENTIMENT
from ares.kernel.features.series import OBSERVATION
from ares.runtime.engine.history_run import RunOptions, run_history
from ares.runtime.engine.plan import RunPlan, SlotChoice, named, plan_run
from ares.runtime.engine.prefetch import Prefetch
from ares.runtime.replay.certify import certify
from ares.runtime.replay.explain import explain
from ares.runtime.replay.restep import restep

UNSYNCED = RunOptions(sync_ms=10**9)
SPEC = SentimentSpec(delay_ms=2 * MINUTE_MS, stale_ms=45 * MINUTE_MS)


def moody(price: Scorer, strength: float) -> Scorer:
    """Return a model of the news and the prices."""

    def score(rows: NDArray[np.float32]) -> F64:
        columns = np.nan_to_num(rows[:, N_FEATURES:].astype(np.float64))
        raw = np.log(1.0 / (1.0 / price(rows[:, :N_FEATURES]) - 1.0))
        raw += strength * columns[:, 0] + 0.2 * strength * columns[:, 4]
        return np.asarray(1.0 / (1.0 + np.exp(-raw)))

    return score


def some_news(world: Any, seed: int = 3) -> Observations:
    """Return news about BTC and the market, with two hours of silence."""
    draw = np.random.default_rng(seed)
    published = world.from_ms + draw.integers(-20 * HOUR_MS, 8 * HOUR_MS, 300)
    silent = (published > world.from_ms + 3 * HOUR_MS) & (published < world.from_ms + 5 * HOUR_MS)
    published = published[~silent]
    late = draw.integers(0, HOUR_MS, len(published)) * (draw.random(len(published)) < 0.1)
    lane = np.where(draw.random(len(published)) < 0.5, ALL_INSTRUMENTS, 0)
    scores = draw.integers(-1_000_000, 1_000_001, len(published)) / 1e6
    known = published + SPEC.delay_ms + late
    return Observations.of(
        zip(known.tolist(), published.tolist(), scores.tolist(), lane, strict=True)
    )


def plan_of(world: Any, news: Observations, challenger_lanes: bool = False) -> RunPlan:
    choices = [SlotChoice(key, world.ensemble(key), True) for key in (world.btc, world.eth)]
    frames = (Timeframe.M1, Timeframe.M5, Timeframe.M15)
    plan = plan_run(
        world.store, choices, frames, world.btc, world.from_ms, world.to_ms, world.cash_quote,
        world.rules, 0.25, world.settings_hash, series=[SPEC], history=(news,),
        challenger_lanes=challenger_lanes,
    )  # fmt: skip
    return named(plan, "history/test")


@pytest.fixture(scope="module")
def models(world: Any) -> Scorers:
    return {name: moody(model, 3.0) for name, model in world.models.items()}


@pytest.fixture(scope="module")
def recorded(world: Any, models: Scorers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run with news, gone through without a stop."""
    folder: Path = tmp_path_factory.mktemp("recorded") / "test"
    plan = plan_of(world, some_news(world))
    assert run_history(plan, models, folder, None, UNSYNCED).finished
    return folder


def journaled(folder: Path) -> list[tuple[Event, list[Effect]]]:
    return [(entry.event, entry.effects) for entry in entries(folder)]


def test_news_come_before_the_bars_that_may_know_them(world: Any, recorded: Path) -> None:
    news, bars = 0, 0
    waiting: SeriesPublished | None = None
    last_ms = 0
    for event, _ in journaled(recorded):
        if isinstance(event, SeriesPublished):
            rows = np.frombuffer(event.rows, OBSERVATION)
            assert (rows["known_ms"] <= event.ts_ms).all()
            assert (rows["known_ms"] > last_ms).all()
            news, waiting = news + len(rows), event
        elif isinstance(event, BarsClosed):
            assert waiting is None or waiting.ts_ms == event.ts_ms
            waiting, last_ms, bars = None, event.ts_ms, bars + 1
    planned = plan_of(world, some_news(world)).history[0]
    assert news == len(planned) > 60
    assert bars > news / 2


def test_certify_and_restep_agree_and_stale_news_are_journaled(
    world: Any, models: Scorers, recorded: Path
) -> None:
    done = certify(recorded, models)
    assert done.mismatches == 0
    assert done.lines["series"][0] >= 2
    assert done.lines["orders"][0] > 0
    again = restep(recorded, models)
    assert (again.mismatches, again.compared) == (0, again.events)
    facts = [e for _, effects in journaled(recorded) for e in effects]
    missing = [e for e in facts if isinstance(e, SeriesStale)]
    back = [e for e in facts if isinstance(e, SeriesRestored)]
    assert {e.instrument for e in missing} == {e.instrument for e in back} == {0, 1}
    assert any(e.ts_ms > world.from_ms + 3 * HOUR_MS and e.age_hours > 0.75 for e in missing)
    assert all(e.age_hours <= 0.75 for e in back)


def test_the_news_move_the_scores(world: Any, models: Scorers, recorded: Path) -> None:
    without_news = {name: moody(model, 0.0) for name, model in world.models.items()}
    assert certify(recorded, without_news).mismatches > 0


def test_instant_by_instant_it_is_the_same(
    world: Any, models: Scorers, recorded: Path, tmp_path: Path
) -> None:
    plan = plan_of(world, some_news(world))
    run_history(plan, models, tmp_path / "test", None, replace(UNSYNCED, stretch_instants=0))
    parts = list(RunReader(recorded).parts())
    assert sum(len(part) for part in parts if isinstance(part, BarsStretch)) > 100
    assert list(entries(tmp_path / "test")) == list(entries(recorded))
    states = [load_snapshot(folder) for folder in (recorded, tmp_path / "test")]
    assert states[0] is not None
    assert states[1] is not None
    assert states[0].state == states[1].state


@pytest.mark.parametrize("stops", [(7,), (431, 60), (300, 1, 1)])
def test_a_resumed_run_has_the_same_journal(
    world: Any, models: Scorers, recorded: Path, tmp_path: Path, stops: tuple[int, ...]
) -> None:
    plan = plan_of(world, some_news(world))
    folder = tmp_path / "test"
    for instants in stops:
        stopped = world.stop_after(instants)
        run_history(
            plan, models, folder, None, RunOptions(10**9, stretch_instants=1, stopped=stopped)
        )
    options = RunOptions(10**9, snapshot_events=100)
    assert run_history(plan, models, folder, None, options).finished
    assert world.story(folder) == world.story(recorded)
    assert certify(folder, models).mismatches == 0


@pytest.mark.parametrize("answered", [True, False])
def test_a_crash_between_news_and_their_bars(
    world: Any, models: Scorers, recorded: Path, tmp_path: Path, answered: bool
) -> None:
    plan, folder = plan_of(world, some_news(world)), tmp_path / "test"
    run_history(
        plan,
        models,
        folder,
        None,
        RunOptions(10**9, stretch_instants=1, stopped=world.stop_after(400)),
    )
    seqs = [e.seq for e in entries(folder) if isinstance(e.event, SeriesPublished)]
    cut = seqs[len(seqs) // 2]
    raw = [(e.seq, e.event, e.effects) for e in entries(folder)]
    world.forge(folder, lambda seq, event, effects: (event, effects) if seq <= cut else None)
    if not answered:  # the effects of the news (none) were not written any more
        (path,) = folder.glob("*.journal")
        path.write_bytes(path.read_bytes()[:-1])
    assert len(raw) > cut
    assert run_history(plan, models, folder, None, UNSYNCED).finished
    assert world.story(folder) == world.story(recorded)


@pytest.mark.parametrize("what", ["gone", "more", "other"])
def test_news_that_change_while_a_run_waits_stop_it(
    world: Any, models: Scorers, tmp_path: Path, what: str
) -> None:
    plan, folder = plan_of(world, some_news(world)), tmp_path / "test"
    run_history(
        plan,
        models,
        folder,
        None,
        RunOptions(10**9, stretch_instants=1, stopped=world.stop_after(300)),
    )
    news = plan.history[0]
    more = (int(news.known_ms[0]) + MINUTE_MS, int(news.known_ms[0]), 1, ALL_INSTRUMENTS)
    rows = zip(news.known_ms.tolist(), news.published_ms.tolist(), news.values.tolist(),
               news.lane.tolist(), strict=True)  # fmt: skip
    changed = {
        "gone": news[1:],
        "more": Observations.of([*rows, more]),
        "other": replace(news, values=-news.values),
    }[what]
    before = world.story(folder)
    with pytest.raises(ExternalError, match="other values"):
        run_history(replace(plan, history=(changed,)), models, folder, None, UNSYNCED)
    assert world.story(folder) == before
    later = replace(news, values=np.where(np.arange(len(news)) == len(news) - 1, 9, news.values))
    assert run_history(replace(plan, history=(later,)), models, folder, None, UNSYNCED).finished


def test_news_moved_to_an_earlier_bar_are_found(
    world: Any, models: Scorers, recorded: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "test"
    plan = plan_of(world, some_news(world))
    news = plan.history[0]
    early = replace(news, known_ms=news.known_ms - 10 * MINUTE_MS)
    run_history(replace(plan, history=(early,)), models, folder, None, UNSYNCED)

    def honest(seq: int, event: Event, effects: list[Effect]) -> tuple[Event, list[Effect]]:
        if isinstance(event, SeriesPublished):  # says when they were known; they came before that
            rows = np.frombuffer(event.rows, OBSERVATION).copy()
            rows["known_ms"] += 10 * MINUTE_MS
            event = msgspec.structs.replace(event, rows=rows.tobytes())
        return event, effects

    world.forge(folder, honest)
    assert certify(folder, models).mismatches > 0


def test_without_any_news_they_are_stale(world: Any, models: Scorers, tmp_path: Path) -> None:
    folder = tmp_path / "test"
    run_history(plan_of(world, Observations.of([])), models, folder, None, UNSYNCED)
    facts = [e for _, effects in journaled(folder) for e in effects]
    missing = [e for e in facts if isinstance(e, SeriesStale)]
    assert [(e.instrument, np.isnan(e.age_hours)) for e in missing] == [(0, True), (1, True)]
    assert not any(isinstance(e, SeriesRestored) for e in facts)
    assert certify(folder, models).mismatches == 0


def test_a_snapshot_holds_the_series(world: Any) -> None:
    plan = plan_of(world, some_news(world))
    raw = snapshot(plan.state)
    state = restore(plan.setup, raw)
    assert snapshot(state) == raw
    event = SeriesPublished(1, np.array([(1, 1, 0.5, 0, 1)], OBSERVATION).tobytes())
    before = state.series[0].copy()
    assert step(state, event, NO_MODELS) == []
    assert state.series[0][0]["counts"].tolist() == before[0]["counts"].tolist()
    assert state.series[0][1]["until_ms"] == 1
    assert snapshot(state) != raw


def test_a_price_only_run_has_no_series(world: Any, plan: RunPlan) -> None:
    state = restore(plan.setup, snapshot(plan.state))
    assert state.series == ()
    assert state.features.shape[2] == N_FEATURES
    assert b"sentiment" not in msgspec.msgpack.encode(plan.setup)
    assert step(state, SeriesPublished(1, b""), NO_MODELS) == []


def test_scores_are_prefetched_with_their_news(world: Any, models: Scorers) -> None:
    plan = plan_of(world, some_news(world), challenger_lanes=True)
    state = restore(plan.setup, snapshot(plan.state))
    prefetch = Prefetch(models, plan.feed, block=64, history=plan.history)
    for t in range(len(plan.feed)):
        event = plan.series_event(t)
        if event is not None:
            step(state, event, Models(prefetch.scorers))
        prefetch.advance(state, t)
        step(state, plan.feed.event(t, plan.warming(t)), Models(prefetch.scorers))
    assert prefetch.misses == 0
    lanes, width = len(state.slots), state.setup.n_instruments
    both_lanes = state.features[:width, 0, -N_SENTIMENT:], state.features[width:, 0, -N_SENTIMENT:]
    assert lanes == 2 * width
    assert both_lanes[0].tobytes() == both_lanes[1].tobytes()


class PublishOnce:
    """Learner events that publish one ensemble at its time, as champion."""

    def __init__(self, at_ms: int, ensemble: Ensemble) -> None:
        self._event: list[Event] = [
            ModelPublished(at_ms, 0, ensemble, "champion", True, "v", "learner", "drift")
        ]
        self._at_ms = at_ms

    def watch(self, _seq: int, event: Event, _effects: list[Effect]) -> None:
        if isinstance(event, ModelPublished | ModelRefused):
            self._event = []

    def watch_stretch(self, _stretch: BarsStretch) -> None:
        pass

    def quiet_until_ms(self) -> int:
        return self._at_ms if self._event else NEVER_MS

    def due(self, now_ms: int) -> list[Event]:
        return self._event if self._at_ms <= now_ms else []

    def close(self) -> None:
        pass


def test_a_published_model_uses_the_news_at_once(
    world: Any, models: Scorers, tmp_path: Path
) -> None:
    before = world.ensemble(world.btc)
    members = tuple(
        msgspec.structs.replace(m, package_hash=f"{m.package_hash}-new") for m in before.members
    )
    newer = msgspec.structs.replace(before, members=members, created_at="newer")

    def open_ensemble(ensemble: Ensemble) -> Scorers:
        return {
            m.package_hash: moody(world.models[m.package_hash.removesuffix("-new")], 6.0)
            for m in ensemble.members
        }

    at_ms, folder = world.from_ms + 121 * MINUTE_MS, tmp_path / "test"
    plan = plan_of(world, some_news(world), challenger_lanes=True)
    learner = PublishOnce(at_ms, newer)
    run_history(plan, models, folder, None, UNSYNCED, learner=learner, open_ensemble=open_ensemble)
    moved = [e for _, effects in journaled(folder) for e in effects if isinstance(e, SlotChanged)]
    assert [move.move for move in moved] == ["published"]
    assert certify(folder, models, None, open_ensemble).mismatches == 0
    assert restep(folder, models, None, open_ensemble).mismatches == 0


def test_a_model_that_fails_without_news_is_not_served(
    world: Any, models: Scorers, tmp_path: Path
) -> None:
    before = world.ensemble(world.btc)
    members = tuple(
        msgspec.structs.replace(m, package_hash=f"{m.package_hash}-bad") for m in before.members
    )
    newer = msgspec.structs.replace(before, members=members, created_at="newer")

    def open_ensemble(ensemble: Ensemble) -> Scorers:
        def fails_without_news(rows: NDArray[np.float32]) -> F64:
            return np.asarray(1.0 / (1.0 + np.exp(-rows[:, -1].astype(np.float64))))

        return {m.package_hash: fails_without_news for m in ensemble.members}

    folder = tmp_path / "test"
    plan = plan_of(world, some_news(world), challenger_lanes=True)
    learner = PublishOnce(world.from_ms + 31 * MINUTE_MS, newer)
    run_history(plan, models, folder, None, UNSYNCED, learner=learner, open_ensemble=open_ensemble)
    refused = [event for event, _ in journaled(folder) if isinstance(event, ModelRefused)]
    assert "gives NaN for" in refused[0].reason


def test_why_names_the_columns_of_news(world: Any, models: Scorers, recorded: Path) -> None:
    names = set()
    for hours in (1, 2, 3, 6, 7):
        why = explain(recorded, "BTC/USDT", world.from_ms + hours * HOUR_MS, models)
        names |= {name for vote in why.votes for name, _, _ in vote.features}
    assert {"sentiment_fast", "sentiment_count"} & names


RATE = ValueSpec("rate", stale_ms=90 * MINUTE_MS)


def some_rates(world: Any) -> Observations:
    """Return a rate for all, published every half an hour, known 7 minutes later, with a pause."""
    offsets = np.array([*range(-8, 2), *range(9, 16)]) * 30 * MINUTE_MS
    published = world.from_ms + offsets
    rates = np.random.default_rng(6).standard_normal(len(published))
    lane = [ALL_INSTRUMENTS] * len(published)
    return Observations.of(zip(published + 7 * MINUTE_MS, published, rates, lane, strict=True))


def rated(price: Scorer) -> Scorer:
    """Return a model that uses the first column of sentiment, the rate, its change and its age."""

    def score(rows: NDArray[np.float32]) -> F64:
        columns = np.nan_to_num(rows[:, N_FEATURES:].astype(np.float64))
        raw = np.log(1.0 / (1.0 / price(rows[:, :N_FEATURES]) - 1.0))
        raw += 3.0 * columns[:, 0] + columns[:, 6] + 0.5 * columns[:, 7] + 0.3 * columns[:, 8]
        return np.asarray(1.0 / (1.0 + np.exp(-raw)))

    return score


def test_sentiment_and_a_rate_share_a_run(world: Any, tmp_path: Path) -> None:
    choices = [SlotChoice(key, world.ensemble(key), True) for key in (world.btc, world.eth)]
    frames = (Timeframe.M1, Timeframe.M5, Timeframe.M15)
    specs: list[SeriesSpec] = [SPEC, RATE]
    plan = plan_run(
        world.store, choices, frames, world.btc, world.from_ms, world.to_ms, world.cash_quote,
        world.rules, 0.25, world.settings_hash, series=specs,
        history=(some_news(world), some_rates(world)),
    )  # fmt: skip
    plan, folder = named(plan, "history/test"), tmp_path / "test"
    models = {name: rated(model) for name, model in world.models.items()}
    for stop in (140, 203):
        run_history(
            plan,
            models,
            folder,
            None,
            RunOptions(10**9, stretch_instants=1, stopped=world.stop_after(stop)),
        )
    assert run_history(plan, models, folder, None, UNSYNCED).finished
    assert certify(folder, models).mismatches == 0
    assert restep(folder, models).mismatches == 0
    without_rate = {name: moody(model, 3.0) for name, model in world.models.items()}
    assert certify(folder, without_rate).mismatches > 0
    facts = [e for _, effects in journaled(folder) for e in effects]
    stale = [e for e in facts if isinstance(e, SeriesStale) and e.series == "rate"]
    back = [e for e in facts if isinstance(e, SeriesRestored) and e.series == "rate"]
    assert [e.instrument for e in stale] == [e.instrument for e in back] == [0, 1]
    assert all(90 / 60 < e.age_hours <= 91 / 60 for e in stale)
    assert all(e.age_hours == 7 / 60 for e in back)
    events = [event for event, _ in journaled(folder) if isinstance(event, SeriesPublished)]
    rows = np.concatenate([np.frombuffer(event.rows, OBSERVATION) for event in events])
    assert set(rows["series"].tolist()) == {0, 1}
    why = explain(folder, "BTC/USDT", world.from_ms + 5 * HOUR_MS, models)
    assert {"rate_value", "rate_change"} & {n for v in why.votes for n, _, _ in v.features}
