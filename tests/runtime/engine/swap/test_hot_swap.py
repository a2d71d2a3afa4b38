"""Models come and go while the engine runs: seated between two bars, reproduced, survived."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ares.core.models import Scorers
from ares.core.snapshot import restore, snapshot
from ares.domain.events import (
    BarsClosed,
    DecisionMade,
    Event,
)
from ares.domain.model import Ensemble
from ares.domain.model_events import (
    ModelPublished,
    ModelRefused,
    SlotChanged,
    SlotChangeRefused,
    SlotChangeRequested,
)
from ares.domain.stretch import BarsStretch
from ares.domain.timeframe import MINUTE_MS
from ares.journal.log import HEAD, read
from ares.journal.run import RunReader, entries
from ares.journal.snapshots import load_snapshot
from ares.runtime.engine.hot_swap import HotSwap, newest_rows
from ares.runtime.engine.plan import RunPlan
from ares.runtime.engine.serving import ServedModels
from ares.runtime.replay.certify import certify
from ares.runtime.replay.restep import restep

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


def test_it_is_reproduced_to_the_byte(world: Any, swaps: Any, busy: tuple[Path, RunPlan]) -> None:
    folder, _ = busy
    stepped = restep(folder, world.models, None, swaps.opener())
    assert (stepped.mismatches, stepped.first) == (0, None)
    certified = certify(folder, world.models, None, swaps.opener())
    assert (certified.mismatches, certified.first) == (0, None)
    assert certified.lines["trades"][0] > 5


def test_two_runs_write_the_same_bytes(
    swaps: Any, busy: tuple[Path, RunPlan], tmp_path: Path
) -> None:
    swaps.run(tmp_path / "run", swaps.plan(), swaps.busy_day(), snapshot_events=60)
    first = [path.read_bytes() for path in sorted(busy[0].glob("*.journal"))]
    assert first == [p.read_bytes() for p in sorted((tmp_path / "run").glob("*.journal"))]


def test_instant_by_instant_it_is_the_same(
    swaps: Any, busy: tuple[Path, RunPlan], tmp_path: Path
) -> None:
    whole, plan = busy
    parts = list(RunReader(whole).parts())
    assert sum(len(part) for part in parts if isinstance(part, BarsStretch)) > 100
    swaps.run(tmp_path / "run", plan, swaps.busy_day(), stretch_instants=0)
    assert not any(isinstance(part, BarsStretch) for part in RunReader(tmp_path / "run").parts())
    assert list(entries(tmp_path / "run")) == list(entries(whole))
    assert last_state(tmp_path / "run") == last_state(whole)


def test_the_first_scores_of_a_lane_are_computed_before_the_swap(world: Any, swaps: Any) -> None:
    """``step`` only looks them up; any other row, and every row afterwards, is scored."""
    state, calls = swaps.plan().state, list[int]()
    state.last_warm[:] = True
    state.features[:] = np.random.default_rng(1).standard_normal(state.features.shape)

    def opener(ensemble: Ensemble) -> Scorers:
        return {name: counted(scorer, calls) for name, scorer in swaps.opener()(ensemble).items()}

    serving = ServedModels({})
    swap, ensemble = HotSwap(serving, opener), swaps.variant(world.ensemble(world.btc), "better")
    _, event = swaps.published(state.now_ms, 0, ensemble)
    swap.prepare(ensemble, state).result()
    assert swap.admitted(event, state) is event
    plain, newest, before = swaps.opener()(ensemble), newest_rows(state, ensemble), len(calls)
    looked_up = 0
    for member in ensemble.members:
        served, scorer = serving.scorers[member.package_hash], plain[member.package_hash]
        for row in newest[member.timeframe]:
            assert served(row[None]).tobytes() == scorer(row[None]).tobytes()
            looked_up += 1
    assert looked_up > 0
    assert len(calls) == before
    served, row = serving.scorers[ensemble.members[0].package_hash], np.ones_like(row)
    served(row[None])
    served(np.stack([row, row]))
    assert calls[before:] == [1, 2]
    row = newest[ensemble.members[0].timeframe][0]
    swap.release_unused(state, [SlotChangeRefused(0, state.now_ms, ensemble.hash, "full")])
    served(row[None])
    assert calls[before:] == [1, 2, 1]
    swap.close()


def counted(scorer: Any, calls: list[int]) -> Any:
    def score(rows: Any) -> Any:
        calls.append(len(rows))
        return scorer(rows)

    return score


def last_state(folder: Path) -> bytes:
    found = load_snapshot(folder)
    assert found is not None
    return found.state


def test_cut_anywhere_it_goes_on_the_same(
    world: Any, swaps: Any, busy: tuple[Path, RunPlan], fast_disk: Path
) -> None:
    """Every record about models, and some of the others."""
    whole, plan = busy
    uninterrupted = world.story(whole)
    ends, size = [], 0
    for payload in read(whole):
        size += HEAD.size + len(payload)
        ends.append(size)
    near, k = [], 0
    for entry in RunReader(whole).parts():
        k += 1
        if isinstance(entry, BarsStretch):
            continue
        models = not isinstance(entry.event, BarsClosed) or any(
            isinstance(e, SlotChanged) for e in entry.effects
        )
        if models and isinstance(entry.event, ModelPublished | SlotChangeRequested | BarsClosed):
            near += [k - 2, k - 1, k]
        k += 1
    raw = (whole / "000001.journal").read_bytes()
    cuts = sorted({*near, *range(5, len(ends), 67)})
    for k in cuts:
        folder = fast_disk / "cut"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "snapshots").mkdir(parents=True)
        (folder / "000001.journal").write_bytes(raw[: ends[k]])
        newest = max((e.seq for e in entries(folder) if e.effects_raw is not None), default=0)
        for path in (whole / "snapshots").iterdir():
            if int(path.stem[:12]) <= newest:
                shutil.copy(path, folder / "snapshots")
        swaps.run(folder, plan, swaps.busy_day(), snapshot_events=60)
        assert world.story(folder) == uninterrupted, f"cut after record {k}"


@pytest.mark.parametrize("name", ["missing", "constant", "nan", "outside"])
def test_one_that_fails_changes_nothing(world: Any, swaps: Any, tmp_path: Path, name: str) -> None:
    btc = world.ensemble(world.btc)
    at = world.from_ms + 30 * MINUTE_MS
    plain = swaps.plan()
    swaps.run(tmp_path / "without", plain, [])
    swaps.run(
        tmp_path / "with", plain, [swaps.published(at, 0, swaps.variant(btc, name), "champion")]
    )
    (refused,) = swaps.facts(tmp_path / "with", ModelRefused)
    assert refused.reason
    assert not swaps.facts(tmp_path / "with", SlotChanged)
    before = world.story(tmp_path / "without")
    after = [e for e in world.story(tmp_path / "with") if e[1] != "ModelRefused"]
    assert before == after
    assert restep(tmp_path / "with", world.models, None, swaps.opener()).mismatches == 0


def test_no_bar_is_missed_and_no_decision_made_twice(
    swaps: Any, busy: tuple[Path, RunPlan]
) -> None:
    bars = [e.ts_ms for e in swaps.facts(busy[0], BarsClosed)]
    assert bars == sorted(set(bars))
    assert bars == busy[1].feed.close_ms.tolist()
    decided_ms = [d.ts_ms for d in swaps.facts(busy[0], DecisionMade)]
    assert decided_ms == [t for t in bars if t > busy[1].setup.from_ms]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(moments)
def test_whatever_comes_and_whenever(
    world: Any, swaps: Any, fast_disk: Path, uninterrupted: list[Any]
) -> None:
    """One champion at most, no lane with more than its share, and the same again from the bytes."""
    script: list[tuple[int, Event]] = []
    for minute, i, what, name, passed in sorted(uninterrupted):
        at = world.from_ms + minute * MINUTE_MS
        if what in ("shadow", "champion"):
            ensemble = swaps.variant(world.ensemble((world.btc, world.eth)[i]), name)
            script.append(swaps.published(at, i, ensemble, what, "v" if passed else ""))
        else:
            script.append((at, SlotChangeRequested(at, i, what, "me", "because")))
    folder = fast_disk / "any"
    shutil.rmtree(folder, ignore_errors=True)
    plan = swaps.plan(confidence_min=0.3)
    swaps.run(folder, plan, script)
    for move in swaps.facts(folder, SlotChanged):
        assert move.stages.count("champion") <= 1
        assert move.stages.count("canary") <= 1
        assert all(
            bool(h) == (s != "empty") for h, s in zip(move.lane_hashes, move.stages, strict=True)
        )
        assigned = [h for h in move.lane_hashes if h]
        assert len(assigned) == len(set(assigned))
    found = load_snapshot(folder)
    assert found is not None
    state = restore(plan.setup, found.state)
    assert snapshot(state) == found.state
    for i in range(2):
        share = [
            state.params.specs[x]["size_share"] * state.params.specs[x]["has_champion"]
            for x in (i, i + 2)
        ]
        assert sum(share) <= 1.0
    assert restep(folder, world.models, None, swaps.opener()).mismatches == 0
    certified = certify(folder, world.models, None, swaps.opener())
    assert (certified.mismatches, certified.first) == (0, None)
