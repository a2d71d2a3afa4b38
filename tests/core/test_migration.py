"""A snapshot of an earlier version is migrated by the names of its fields, and by nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from ares.core import migration
from ares.core.migration import ADDED, DROPPED, INITIAL, Layout, dtype_of
from ares.core.snapshot import layout_of, restore, snapshot

GOLDEN = Path(__file__).parent / "snapshot_layout.json"
"""Names of what snapshots of this format held when it was introduced."""


def without(raw: bytes, *names: str) -> bytes:
    """Return a snapshot as a version would have written it that did not have these fields."""
    content = msgspec.msgpack.decode(raw)
    layout = msgspec.convert(content["layout"], Layout)
    arrays, structs = dict(layout.arrays), dict(layout.structs)
    values = list(layout.values)
    for name in names:
        head, _, field = name.rpartition(".")
        if name in values:
            values.remove(name)
            del content[name]
        elif name in arrays:
            del arrays[name], content["arrays"][name]
        elif head in structs:
            structs[head] = tuple(f for f in structs[head] if f != field)
            for key in ("orders", "ended", "lane_orders", "halts", "slots"):
                for row in content[key]:
                    row.pop(field, None)
        else:
            descr, shape = arrays[head]
            old = np.frombuffer(content["arrays"][head], dtype_of(descr)).reshape(shape)
            assert old.dtype.names is not None
            names_left = [f for f in old.dtype.names if f != field]
            new = np.zeros(shape, [(f, old.dtype[f]) for f in names_left])
            for f in names_left:
                new[f] = old[f]
            arrays[head] = (repr(np.lib.format.dtype_to_descr(new.dtype)), shape)
            content["arrays"][head] = new.tobytes()
    content["layout"] = msgspec.to_builtins(Layout(arrays, tuple(values), structs))
    content["schema"] = "older"
    return msgspec.msgpack.encode(content)


def declare(monkeypatch: pytest.MonkeyPatch, added: dict[str, Any], *dropped: str) -> None:
    monkeypatch.setattr(migration, "ADDED", ADDED | added)
    monkeypatch.setattr(migration, "DROPPED", DROPPED | set(dropped))


@pytest.fixture
def engine(engine_of: Any) -> Any:
    engine = engine_of()
    engine.bars(300)
    return engine


def test_every_change_of_the_layout_is_declared(engine: Any) -> None:
    """Where this fails, declare the field in ``core.migration``: runs of the last version go on."""
    before, now = set(json.loads(GOLDEN.read_text())), set(layout_of(engine.state).names())
    assert now - before == set(ADDED), "each of them needs a value in ADDED"
    assert before - now == DROPPED, "each of them belongs in DROPPED"


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("trade.book.position_lots", 7), ("trade.account.cash", INITIAL), ("last_fill_ms", 5),
        ("halts", []), ("orders_sent", INITIAL), ("Slot.refit", True), ("LaneOrders.retry_ms", 9),
        ("edge_lost", INITIAL),
    ],
)  # fmt: skip
def test_a_run_goes_on_after_its_state_got_a_field(
    engine: Any, monkeypatch: pytest.MonkeyPatch, name: str, default: Any
) -> None:
    state = engine.state
    old = without(snapshot(state), name)
    with pytest.raises(ValueError, match=f"other state layouts.*{name.replace('.', '[.]')} is not"):
        restore(state.setup, old)
    declare(monkeypatch, {name: default})
    again = restore(state.setup, old)
    names = layout_of(state).names()
    assert layout_of(again).names() == names
    if name == "trade.book.position_lots":
        assert (again.trade.book["position_lots"] == 7).all()
        again.trade.book["position_lots"] = state.trade.book["position_lots"]
    if name == "LaneOrders.retry_ms":
        assert {lane.retry_ms for lane in again.lane_orders} == {9}
    if name == "last_fill_ms":
        assert (again.last_fill_ms == 5).all()
    engine.state = again
    engine.bars(50)
    assert restore(state.setup, snapshot(again)) is not None


def test_what_is_in_both_layouts_keeps_its_bytes(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = engine.state
    declare(monkeypatch, {"trade.book.stop_ticks": 0, "at_ms": INITIAL})
    state.trade.book["stop_ticks"], state.at_ms = 0, 0
    again = restore(state.setup, without(snapshot(state), "trade.book.stop_ticks", "at_ms"))
    assert snapshot(again) == snapshot(state)


def test_a_removed_field_is_declared(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    state = engine.state
    content = msgspec.msgpack.decode(snapshot(state))
    content["layout"]["values"].append("mood")
    content["mood"] = "good"
    content["layout"]["structs"]["Slot"].append("colour")
    content["layout"]["arrays"]["trade.ghosts"] = ["'<i8'", [2]]
    content["arrays"]["trade.ghosts"] = bytes(16)
    content["schema"] = "older"
    for row in content["slots"]:
        row["colour"] = "red"
    raw = msgspec.msgpack.encode(content)
    with pytest.raises(ValueError, match="mood is gone"):
        restore(state.setup, raw)
    declare(monkeypatch, {}, "mood", "Slot.colour")
    with pytest.raises(ValueError, match=r"trade\.ghosts is gone"):
        restore(state.setup, raw)
    declare(monkeypatch, {}, "mood", "Slot.colour", "trade.ghosts")
    assert snapshot(restore(state.setup, raw)) == snapshot(state)


def test_a_type_may_widen_and_not_narrow_and_a_shape_stays(engine: Any) -> None:
    state = engine.state

    def with_array(descr: str, shape: list[int], raw: bytes) -> bytes:
        content = msgspec.msgpack.decode(snapshot(state))
        content["layout"]["arrays"]["last_fill_ms"] = [descr, shape]
        content["arrays"]["last_fill_ms"] = raw
        content["schema"] = "older"
        return msgspec.msgpack.encode(content)

    n = len(state.last_fill_ms)
    small = np.arange(n, dtype=np.int32)
    again = restore(state.setup, with_array("'<i4'", [n], small.tobytes()))
    assert again.last_fill_ms.tolist() == small.tolist()
    with pytest.raises(ValueError, match="last_fill_ms is float64, not int64"):
        restore(state.setup, with_array("'<f8'", [n], bytes(8 * n)))
    with pytest.raises(ValueError, match="last_fill_ms has shape"):
        restore(state.setup, with_array("'<i8'", [n + 1], bytes(8 * n + 8)))


def test_a_tripped_breaker_survives_an_upgrade_from_fewer_breakers(engine: Any) -> None:
    """The gas breaker was added behind the others: their rows stay what they are."""
    state = engine.state
    for field in ("status", "ms", "trials"):
        state.trade.account[0][f"breaker_{field}"][:] = [1, 2, 3, 4, 5, 6]
    content = msgspec.msgpack.decode(snapshot(state))
    descr, shape = content["layout"]["arrays"]["trade.account"]
    new = state.trade.account
    older = [
        (name, new.dtype[name].base, (5,)) if name.startswith("breaker_") else
        (name, new.dtype[name])
        for name in new.dtype.names
    ]  # fmt: skip
    old = np.zeros(1, older)
    for name in new.dtype.names:
        old[name] = new[name][..., :5] if name.startswith("breaker_") else new[name]
    content["layout"]["arrays"]["trade.account"] = [
        repr(np.lib.format.dtype_to_descr(old.dtype)), shape,
    ]  # fmt: skip
    content["arrays"]["trade.account"], content["schema"] = old.tobytes(), "older"
    again = restore(state.setup, msgspec.msgpack.encode(content))
    for field in ("status", "ms", "trials"):
        assert again.trade.account[0][f"breaker_{field}"].tolist() == [1, 2, 3, 4, 5, 0]
    assert descr != content["layout"]["arrays"]["trade.account"][0]


def test_a_snapshot_of_another_format_is_refused(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = snapshot(engine.state)
    monkeypatch.setattr("ares.core.snapshot.SNAPSHOT_FORMAT", 99)
    with pytest.raises(ValueError, match="format 4"):
        restore(engine.state.setup, raw)
