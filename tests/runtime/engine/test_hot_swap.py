"""Models come and go while the engine runs: seated between two bars, reproduced, survived."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ares.core.state import Scorers, restore, snapshot
from ares.domain.errors import WorldTrouble
from ares.domain.events import (
    BY_CONFIDENCE,
    BarsClosed,
    Decided,
    Effect,
    Event,
    ModeChanged,
    SubmitOrder,
    TradeClosed,
)
from ares.domain.model import Ensemble
from ares.domain.model_events import (
    ArmsCompared,
    ModelPublished,
    ModelRefused,
    SlotChanged,
    SlotOrdered,
    SlotRefused,
)
from ares.domain.run import Rollout
from ares.domain.timeframe import HOUR_MS, MINUTE_MS
from ares.journal.log import HEAD, read
from ares.journal.run import entries, load_snapshot
from ares.runtime.certify import certify
from ares.runtime.plan import Choice, Plan, named, plan_run
from ares.runtime.restep import restep

ROLLOUT = Rollout(
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
        if isinstance(event, ModelPublished | ModelRefused | SlotOrdered):
            self._seen += 1

    def due(self, now_ms: int) -> list[Event]:
        return [event for at_ms, event in self._script[self._seen :] if at_ms <= now_ms]

    def close(self) -> None:
        pass


def plan_of(
    world: Any, previous: bool = False, rollout: Rollout | None = ROLLOUT, **more: Any
) -> Plan:
    """Return a run whose instruments have a lane for challengers."""
    choices = []
    for key in (world.btc, world.eth):
        now = world.ensemble(key)
        before = variant(now, "before") if previous else None
        choices.append(Choice(key, now, True, before))
    plan = plan_run(
        world.store, choices, list(world.plan().setup.timeframes), world.btc, world.from_ms,
        world.to_ms, world.cash_quote, world.rules, 0.25, "settings",
        **({"challengers": True, "rollout": rollout} | more),
    )  # fmt: skip
    return named(plan, "history/test")


def variant(ensemble: Ensemble, name: str, **changes: Any) -> Ensemble:
    """Return another ensemble of the same instrument, with packages of its own."""
    members = tuple(
        msgspec.structs.replace(m, package_hash=f"{m.package_hash}-{name}", version=name)
        for m in ensemble.members
    )
    return msgspec.structs.replace(ensemble, members=members, created_at=name, **changes)


def opener(world: Any) -> Any:
    """Return an opener: a variant answers as its base does, leaning to one side by its name."""

    def lean(scorer: Any, by: float) -> Any:
        return lambda rows: np.clip(scorer(rows) + by, 0.0, 1.0)

    def open_ensemble(ensemble: Ensemble) -> Scorers:
        opened = {}
        for member in ensemble.members:
            base, _, name = member.package_hash.rpartition("-")
            if member.package_hash in world.models:
                opened[member.package_hash] = world.models[member.package_hash]
            elif name == "missing":
                raise WorldTrouble(f"{member.name}/{member.version} is missing")
            elif name == "constant":
                opened[member.package_hash] = lambda rows: np.full(len(rows), 0.5)
            elif name == "nan":
                opened[member.package_hash] = lambda rows: np.full(len(rows), np.nan)
            elif name == "outside":
                opened[member.package_hash] = lambda rows: rows[:, 0].astype(np.float64) + 2.0
            else:
                opened[member.package_hash] = lean(world.models[base], 0.01 * (len(name) - 3))
        return opened

    return open_ensemble


def published(
    at_ms: int, i: int, ensemble: Ensemble, station: Any = "shadow", verdict: str = "v"
) -> tuple[int, Event]:
    return at_ms, ModelPublished(at_ms, i, ensemble, station, True, verdict, "learner", "drift")


def facts(folder: Path, kind: type[Any]) -> list[Any]:
    return [
        e for entry in entries(folder) for e in (entry.event, *entry.effects) if isinstance(e, kind)
    ]


def script_of(world: Any) -> list[tuple[int, Event]]:
    """Return a busy day: a challenger for each, a swap, a rollback, a dismissal."""
    btc, eth = world.ensemble(world.btc), world.ensemble(world.eth)
    t = world.from_ms
    return [
        published(t + 30 * MINUTE_MS, 0, variant(btc, "better")),
        published(t + 31 * MINUTE_MS, 1, variant(eth, "shade")),
        published(t + 40 * MINUTE_MS, 1, variant(eth, "shade")),  # it is there already
        published(t + 50 * MINUTE_MS, 1, btc),  # made for another instrument
        (t + 200 * MINUTE_MS, SlotOrdered(t, 1, "rollback", "me", "I do not like it")),
        published(t + 240 * MINUTE_MS, 0, variant(btc, "newest"), "champion"),
        (t + 300 * MINUTE_MS, SlotOrdered(t, 0, "rollback", "me", "back")),
        (t + 301 * MINUTE_MS, SlotOrdered(t, 0, "promote", "me", "nobody is there")),
        published(t + 310 * MINUTE_MS, 1, variant(eth, "later"), "shadow", ""),
        (t + 400 * MINUTE_MS, SlotOrdered(t, 1, "dismiss", "me", "enough")),
    ]  # fmt: skip


def run_script(
    world: Any, folder: Path, plan: Plan, script: Sequence[tuple[int, Event]], **more: Any
) -> Any:
    return world.run(folder, plan=plan, teacher=Script(script), open_ensemble=opener(world), **more)


@pytest.fixture(scope="module")
def busy(world: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Plan]:
    folder = tmp_path_factory.mktemp("busy") / "run"
    plan = plan_of(world)
    end = run_script(world, folder, plan, script_of(world), snapshot_events=60)
    assert end.finished
    return folder, plan


def test_the_rollout_goes_its_way(world: Any, busy: tuple[Path, Plan]) -> None:
    moves = [(m.instrument, m.move, m.stations) for m in facts(busy[0], SlotChanged)]
    assert (0, "published", ("champion", "shadow")) in moves
    assert (0, "canary", ("champion", "canary")) in moves
    assert (0, "promoted", ("former", "champion")) in moves
    assert (1, "promoted", ("former", "champion")) in moves
    assert (1, "rolled_back", ("champion", "withdrawn")) in moves
    assert (0, "published", ("champion", "former")) in moves  # a champion at once, beside the old
    assert (0, "rolled_back", ("withdrawn", "champion")) in moves
    assert (1, "dismissed", ("champion", "empty")) in moves
    refused = [fact.reason for fact in facts(busy[0], SlotRefused)]
    assert "it is there already" in refused
    assert any("made for" in reason for reason in refused)
    assert "there is no challenger" in refused
    canary = [m for m in facts(busy[0], SlotChanged) if m.move == "canary"]
    changed = [m for m in facts(busy[0], SlotChanged) if m.move == "promoted"]
    assert all(
        HOUR_MS <= b.ts_ms - a.ts_ms <= 2 * HOUR_MS for a, b in zip(canary, changed, strict=True)
    )


def test_both_arms_trade_with_their_share(world: Any, busy: tuple[Path, Plan]) -> None:
    canaries, entries_of = [], []
    station: dict[int, str] = {}
    for entry in entries(busy[0]):
        for effect in entry.effects:
            if isinstance(effect, SlotChanged):
                lanes = (effect.instrument, effect.instrument + 2)
                station |= dict(zip(lanes, effect.stations, strict=True))
            if isinstance(effect, SubmitOrder) and effect.kind == "entry":
                entries_of.append(station.get(effect.instrument, "champion"))
                if station.get(effect.instrument) == "canary":
                    canaries.append(effect)
    assert canaries
    assert set(entries_of) <= {"champion", "canary"}
    told = facts(busy[0], ArmsCompared)
    assert told
    assert all(one.e_better >= 0.0 and one.e_worse >= 0.0 and one.steps > 0 for one in told)
    virtual = [t for t in facts(busy[0], TradeClosed) if t.instrument >= 2 and t.virtual]
    assert virtual


def test_it_is_reproduced_to_the_byte(world: Any, busy: tuple[Path, Plan]) -> None:
    folder, _ = busy
    stepped = restep(folder, world.models, None, opener(world))
    assert (stepped.mismatches, stepped.first) == (0, None)
    certified = certify(folder, world.models, None, opener(world))
    assert (certified.mismatches, certified.first) == (0, None)
    assert certified.lines["trades"][0] > 5


def test_two_runs_write_the_same_bytes(world: Any, busy: tuple[Path, Plan], tmp_path: Path) -> None:
    run_script(world, tmp_path / "run", plan_of(world), script_of(world), snapshot_events=60)
    first = [path.read_bytes() for path in sorted(busy[0].glob("*.journal"))]
    assert first == [p.read_bytes() for p in sorted((tmp_path / "run").glob("*.journal"))]


def test_cut_anywhere_it_goes_on_the_same(
    world: Any, busy: tuple[Path, Plan], fast_disk: Path
) -> None:
    """Every record about models, and some of the others."""
    whole, plan = busy
    told = world.story(whole)
    ends, size = [], 0
    for payload in read(whole):
        size += HEAD.size + len(payload)
        ends.append(size)
    near = []
    for k, entry in enumerate(entries(whole)):
        models = not isinstance(entry.event, BarsClosed) or any(
            isinstance(e, SlotChanged) for e in entry.effects
        )
        if models and isinstance(entry.event, ModelPublished | SlotOrdered | BarsClosed):
            near += [2 * k - 1, 2 * k, 2 * k + 1]
    raw = (whole / "000001.journal").read_bytes()
    cuts = sorted({*near, *range(5, len(ends), 211)})
    for k in cuts:
        folder = fast_disk / "cut"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "snapshots").mkdir(parents=True)
        (folder / "000001.journal").write_bytes(raw[: ends[k]])
        newest = max((e.seq for e in entries(folder) if e.effects_raw is not None), default=0)
        for path in (whole / "snapshots").iterdir():
            if int(path.stem) <= newest:
                shutil.copy(path, folder / "snapshots")
        run_script(world, folder, plan, script_of(world), snapshot_events=60)
        assert world.story(folder) == told, f"cut after record {k}"


@pytest.mark.parametrize("name", ["missing", "constant", "nan", "outside"])
def test_one_that_fails_changes_nothing(world: Any, tmp_path: Path, name: str) -> None:
    btc = world.ensemble(world.btc)
    at = world.from_ms + 30 * MINUTE_MS
    plain = plan_of(world)
    run_script(world, tmp_path / "without", plain, [])
    run_script(world, tmp_path / "with", plain, [published(at, 0, variant(btc, name), "champion")])
    (refused,) = facts(tmp_path / "with", ModelRefused)
    assert refused.reason
    assert not facts(tmp_path / "with", SlotChanged)
    before = world.story(tmp_path / "without")
    after = [e for e in world.story(tmp_path / "with") if e[0] != "ModelRefused"]
    assert before == after
    assert restep(tmp_path / "with", world.models, None, opener(world)).mismatches == 0


def test_a_champion_whose_evidence_turns_leaves_within_the_bar(world: Any, tmp_path: Path) -> None:
    """A model that buys whatever falls is seated as champion: the one before it comes back."""
    btc = world.ensemble(world.btc)
    bad = variant(btc, "x" * 30, gain=3.0)  # sure of every trade
    rollout = msgspec.structs.replace(ROLLOUT, confidence_min=0.45)
    plan = plan_of(world, rollout=rollout)
    at = world.from_ms + 10 * MINUTE_MS
    run_script(world, tmp_path / "run", plan, [published(at, 0, bad, "champion")])
    moves = [m for m in facts(tmp_path / "run", SlotChanged) if m.instrument == 0]
    fallen = [m for m in moves if m.move in ("rolled_back", "withdrawn")]
    assert [m.move for m in fallen][:1] == ["rolled_back"]
    back = fallen[0]
    assert back.lanes[back.stations.index("champion")] == btc.hash
    assert back.subject == bad.hash
    assert back.who == "engine"
    assert "confidence" in back.why
    # No entry of the fallen one at the instant of its fall or after.
    lane = back.lanes.index(bad.hash) * 2
    late = [
        e
        for entry in entries(tmp_path / "run")
        if isinstance(entry.event, BarsClosed) and entry.event.ts_ms >= back.ts_ms
        for e in entry.effects
        if isinstance(e, SubmitOrder) and e.instrument == lane and e.kind == "entry"
    ]
    assert not late
    assert restep(tmp_path / "run", world.models, None, opener(world)).mismatches == 0
    assert certify(tmp_path / "run", world.models, None, opener(world)).mismatches == 0


def modes_follow_the_transitions(folder: Path) -> list[str]:
    """Check that at every close the mode of each champion is what the transitions led to.

    Returns the reasons of the transitions that came with another champion, or with none.
    """
    mode: dict[int, str] = {}
    reasons: list[str] = []
    stations = ["champion", "champion", "empty", "empty"]
    for entry in entries(folder):
        for effect in entry.effects:
            if isinstance(effect, SlotChanged):
                stations[effect.instrument :: 2] = effect.stations
            if isinstance(effect, ModeChanged):
                i = effect.instrument % 2
                if effect.reason != BY_CONFIDENCE:
                    reasons.append(effect.reason)
                    assert mode.get(i, effect.before) == effect.before
                if effect.reason != BY_CONFIDENCE or stations[effect.instrument] == "champion":
                    mode[i] = effect.after
        moved = any(isinstance(e, SlotChanged) for e in entry.effects)
        for decided in (e for e in entry.effects if isinstance(e, Decided) and not moved):
            modes = np.frombuffer(decided.said).reshape(5, -1)[4]
            for lane in (x for x in range(4) if stations[x] == "champion"):
                now = "TRADING" if modes[lane] else "LEARNING"
                assert mode.setdefault(lane % 2, now) == now
    return reasons


def test_modes_are_what_the_transitions_say(busy: tuple[Path, Plan]) -> None:
    modes_follow_the_transitions(busy[0])


def test_without_a_champion_before_it_nobody_trades(world: Any, tmp_path: Path) -> None:
    rollout = msgspec.structs.replace(ROLLOUT, confidence_min=0.9)
    plan = plan_of(world, rollout=rollout)
    run_script(world, tmp_path / "run", plan, [])
    moves = facts(tmp_path / "run", SlotChanged)
    assert moves
    assert {m.move for m in moves} == {"withdrawn"}
    reasons = modes_follow_the_transitions(tmp_path / "run")
    assert reasons
    assert all(reason.startswith("withdrawn: ") for reason in reasons)
    gone_ms = {m.instrument: m.ts_ms for m in moves}
    for entry in entries(tmp_path / "run"):
        for e in entry.effects:
            if isinstance(e, SubmitOrder) and e.kind == "entry" and e.instrument in gone_ms:
                assert isinstance(entry.event, BarsClosed)
                assert entry.event.ts_ms <= gone_ms[e.instrument]


def test_no_bar_is_missed_and_no_decision_made_twice(world: Any, busy: tuple[Path, Plan]) -> None:
    bars = [e.ts_ms for e in facts(busy[0], BarsClosed)]
    assert bars == sorted(set(bars))
    assert bars == busy[1].feed.close_ms.tolist()
    said = [d.ts_ms for d in facts(busy[0], Decided)]
    assert said == [t for t in bars if t > busy[1].setup.from_ms]


moments = st.lists(
    st.tuples(
        st.integers(0, 470),
        st.integers(0, 1),
        st.sampled_from(["shadow", "shadow", "champion", "promote", "rollback", "dismiss"]),
        st.sampled_from(["one", "three", "seven", "eleven"]),
        st.booleans(),
    ),
    min_size=1,
    max_size=14,
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(moments)
def test_whatever_comes_and_whenever(world: Any, fast_disk: Path, told: list[Any]) -> None:
    """One champion at most, no lane with more than its share, and the same again from the bytes."""
    script: list[tuple[int, Event]] = []
    for minute, i, what, name, passed in sorted(told):
        at = world.from_ms + minute * MINUTE_MS
        if what in ("shadow", "champion"):
            ensemble = variant(world.ensemble((world.btc, world.eth)[i]), name)
            script.append(published(at, i, ensemble, what, "v" if passed else ""))
        else:
            script.append((at, SlotOrdered(at, i, what, "me", "because")))
    folder = fast_disk / "any"
    shutil.rmtree(folder, ignore_errors=True)
    plan = plan_of(world, rollout=msgspec.structs.replace(ROLLOUT, confidence_min=0.3))
    run_script(world, folder, plan, script)
    for move in facts(folder, SlotChanged):
        assert move.stations.count("champion") <= 1
        assert move.stations.count("canary") <= 1
        assert all(
            bool(h) == (s != "empty") for h, s in zip(move.lanes, move.stations, strict=True)
        )
        seated = [h for h in move.lanes if h]
        assert len(seated) == len(set(seated))
    found = load_snapshot(folder)
    assert found is not None
    state = restore(plan.setup, found[1])
    assert snapshot(state) == found[1]
    for i in range(2):
        share = [state.specs[x]["size_share"] * state.specs[x]["has_champion"] for x in (i, i + 2)]
        assert sum(share) <= 1.0
    assert restep(folder, world.models, None, opener(world)).mismatches == 0
    certified = certify(folder, world.models, None, opener(world))
    assert (certified.mismatches, certified.first) == (0, None)


@pytest.mark.parametrize("refit", [True, False])
def test_a_refit_begins_with_what_its_recipe_has_shown(
    world: Any, tmp_path: Path, refit: bool
) -> None:
    """Newer data do not undo losses; another recipe begins with its own validation."""
    btc = world.ensemble(world.btc)
    at = world.from_ms + 240 * MINUTE_MS
    _, event = published(at, 0, variant(btc, "newer"), "champion")
    assert isinstance(event, ModelPublished)
    event = msgspec.structs.replace(event, refit=refit)
    plan = plan_of(world, rollout=msgspec.structs.replace(ROLLOUT, confidence_min=0.0))
    run_script(world, tmp_path / "run", plan, [(at, event)])
    said = {
        d.ts_ms: np.frombuffer(d.said).reshape(5, -1)[3] for d in facts(tmp_path / "run", Decided)
    }
    before, after = said[at - MINUTE_MS], said[at]  # published between these two closes
    assert 0.0 < before[0] < 1.0
    assert bool(after[2] == before[0]) == refit
    assert certify(tmp_path / "run", world.models, None, opener(world)).mismatches == 0
