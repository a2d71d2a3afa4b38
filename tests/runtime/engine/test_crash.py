"""Killed anywhere, started again: the same fills, trades, equity and rows, none lost, none twice.

A crash leaves the journal up to some byte, a database that lags behind it, and the snapshots that
were written before it. The window is dense: positions, stops, parts, rejections.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

import msgspec
import pytest
from sqlalchemy import Engine
from tests.no_gap import assert_no_gap

from ares.domain.events import BarsClosed, TradeClosed
from ares.domain.order_events import CancelOrder, OrderEnded, OrderMoved, SubmitOrder
from ares.domain.stretch import BarsStretch
from ares.domain.timeframe import HOUR_MS
from ares.journal.log import HEAD, read
from ares.journal.run import RunReader, entries
from ares.journal.tail import JournalTail
from ares.runtime.engine.plan import RunPlan
from ares.runtime.replay.certify import certify
from ares.runtime.replay.restep import restep
from ares.store.database import open_database
from ares.store.projections import Projector, delete_rows

SNAPSHOT_EVENTS = 40


class Whole(NamedTuple):
    """The run that was never interrupted, and where its records end."""

    world: Any
    plan: RunPlan
    folder: Path
    database: Engine
    ends: list[int]
    story: list[tuple[Any, ...]]
    tables: dict[str, list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def whole(world: Any, fast_disk: Path, empty_database: Path) -> Iterator[Whole]:
    root = Path(mkdtemp(dir=fast_disk))
    shutil.copy(empty_database, root / "rows.db")
    database = open_database(root / "rows.db")
    short = world.with_(
        from_ms=world.from_ms + 9 * HOUR_MS // 2, to_ms=world.from_ms + 15 * HOUR_MS // 2
    )
    plan = short.plan()
    short.run(root / "run", database, plan, snapshot_events=SNAPSHOT_EVENTS)
    ends = [0]
    for payload in read(root / "run"):
        ends.append(ends[-1] + HEAD.size + len(payload))
    facts, rows = world.story(root / "run"), world.tables(database)
    yield Whole(short, plan, root / "run", database, ends, facts, rows)
    database.dispose()


def crashed(whole: Whole, folder: Path, size: int, lag: int) -> None:
    """Leave behind what a crash would: ``size`` bytes of journal, ``lag`` events fewer rows."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "snapshots").mkdir(parents=True)
    raw = (whole.folder / "000001.journal").read_bytes()
    (folder / "000001.journal").write_bytes(raw[:size])
    answered = [entry for entry in entries(folder) if entry.effects_raw is not None]
    newest = answered[-1].seq if answered else 0
    for path in (whole.folder / "snapshots").iterdir():
        if int(path.stem[:12]) <= newest:
            shutil.copy(path, folder / "snapshots")
    rows_until(whole, folder, max(0, len(answered) - lag))


def rows_until(whole: Whole, folder: Path, entries_max: int) -> None:
    """Leave the rows of so many entries, and of the rest of a stretch."""
    delete_rows(whole.database, whole.plan.setup.environment)
    if not entries_max:
        return
    projector, tail = Projector(whole.database, whole.plan.setup), JournalTail(folder)
    for part in tail.read(entries_max):
        if isinstance(part, BarsStretch):
            projector.add_stretch(part)
        else:
            projector.add([(part.seq, part.event, part.effects)])
    projector.flush(msgspec.msgpack.encode(tail.position), "2024-01-01 00:00:00")


def check(whole: Whole, folder: Path, what: str) -> None:
    """Start again, and compare everything with the whole run."""
    end = whole.world.run(folder, whole.database, whole.plan, snapshot_events=SNAPSHOT_EVENTS)
    assert end.finished, what
    assert whole.world.story(folder) == whole.story, what
    assert whole.world.tables(whole.database) == whole.tables, what


def test_the_window_has_every_kind_of_order(whole: Whole) -> None:
    seen: Counter[Any] = Counter()
    kinds: dict[str, str] = {}
    for entry in entries(whole.folder):
        for what in (entry.event, *entry.effects):
            seen[type(what)] += 1
            if isinstance(what, SubmitOrder):
                seen[what.kind] += 1
                kinds[what.client_id] = what.kind
            if isinstance(what, OrderMoved) and what.status == "partly_filled":
                seen["part of", kinds[what.client_id]] += 1
            if isinstance(what, OrderEnded):
                seen[what.reason] += 1
            if isinstance(what, TradeClosed) and what.reason == "stop" and not what.virtual:
                seen["stopped"] += 1
    assert seen["entry"] > 12
    assert min(seen[k] for k in ("exit", "stop", "stopped", "rejected")) > 0
    assert min(seen["part of", kind] for kind in ("exit", "stop")) > 0
    assert len(whole.ends) > 550


def is_dense(whole: Whole) -> list[bool]:
    """Return for each record whether it has to do with orders."""
    dense: list[bool] = []
    for part in RunReader(whole.folder).parts():
        if isinstance(part, BarsStretch):
            dense.append(False)
            continue
        orders = any(isinstance(e, SubmitOrder | CancelOrder | TradeClosed) for e in part.effects)
        dense += [orders or not isinstance(part.event, BarsClosed)] * 2
    return dense


@pytest.mark.slow
def test_at_every_record(whole: Whole, fast_disk: Path) -> None:
    """Every boundary of records about orders, every fourth of the others; the rows lag."""
    lags = (0, 1, 3, 50, 10**9)
    dense = is_dense(whole)
    assert len(dense) == len(whole.ends) - 1
    tried = 0
    for k, end in enumerate(whole.ends):
        near = any(dense[max(0, k - 1) : k + 1])
        if near or k % 4 == 0 or k < 6:
            lag = lags[k % len(lags)]
            crashed(whole, fast_disk / "run", end, lag)
            check(whole, fast_disk / "run", f"after record {k}, rows {lag} behind")
            tried += 1
    assert tried > 250


def test_inside_a_record(whole: Whole, fast_disk: Path) -> None:
    dense = is_dense(whole)
    for k in range(0, len(dense), 13):
        at = k if dense[k] else next((j for j in range(k, len(dense)) if dense[j]), k)
        size = whole.ends[at] + (1, HEAD.size, whole.ends[at + 1] - whole.ends[at] - 1)[k % 3]
        crashed(whole, fast_disk / "run", size, lag=2)
        check(whole, fast_disk / "run", f"inside record {at}")


def test_again_and_again(whole: Whole, fast_disk: Path) -> None:
    """Each start is killed a few records later; in the end all is there once."""
    folder = fast_disk / "run"
    crashed(whole, folder, whole.ends[3], lag=1)
    for instants in range(1, 40, 3):
        whole.world.run(
            folder, whole.database, whole.plan, snapshot_events=SNAPSHOT_EVENTS,
            stopped=whole.world.stop_after(instants % 13),
        )  # fmt: skip
        raw = (folder / "000001.journal").read_bytes()
        cut = (instants * 37) % 250
        (folder / "000001.journal").write_bytes(raw[: max(whole.ends[2], len(raw) - cut)])
    check(whole, folder, "killed thirteen times")
    assert restep(folder, whole.world.models).mismatches == 0
    assert certify(folder, whole.world.models).mismatches == 0


def test_an_interrupted_run_is_certified_as_far_as_it_came(whole: Whole, fast_disk: Path) -> None:
    for k in range(120, len(whole.ends), 37):
        crashed(whole, fast_disk / "run", whole.ends[k] + 5, lag=0)
        certified = certify(fast_disk / "run", whole.world.models)
        assert (certified.mismatches, certified.first) == (0, None), k
        assert_no_gap(fast_disk / "run")
        stepped = restep(fast_disk / "run", whole.world.models)
        assert (stepped.mismatches, stepped.first) == (0, None), k


@pytest.mark.parametrize("size", [0, 10, 100])
def test_before_anything_was_durable(whole: Whole, fast_disk: Path, size: int) -> None:
    crashed(whole, fast_disk / "run", size, lag=0)
    check(whole, fast_disk / "run", "nothing journaled")
