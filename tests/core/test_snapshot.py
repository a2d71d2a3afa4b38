"""A snapshot holds the whole state: what it leaves out is derived, and declared to be."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import msgspec
import numpy as np
import pytest

from ares.core.snapshot import (
    ARRAY_GROUPS,
    ARRAY_TUPLES,
    ARRAYS,
    DERIVED,
    VALUES,
    restore,
    schema_hash,
    snapshot,
)
from ares.core.state import State
from ares.domain.model_events import SlotChangeRequested

IN_SNAPSHOT = (*ARRAYS, *ARRAY_GROUPS, *ARRAY_TUPLES, *VALUES)


def test_every_field_of_the_state_is_in_the_snapshot_or_declared_derived() -> None:
    names = [field.name for field in fields(State)]
    assert sorted(names) == sorted([*IN_SNAPSHOT, *DERIVED])
    assert len(set(IN_SNAPSHOT)) == len(IN_SNAPSHOT)


def test_every_array_of_a_group_is_in_the_snapshot(engine_of: Any) -> None:
    state = engine_of().state
    for group, names in ARRAY_GROUPS.items():
        arrays = getattr(state, group)
        held = set(getattr(arrays, "_fields", None) or arrays.__slots__)
        assert held - set(names) == ({"venue"} if group == "trade" else set()), group


@pytest.mark.parametrize("name", [*ARRAYS, *ARRAY_GROUPS])
def test_a_changed_byte_of_any_array_changes_the_snapshot(engine_of: Any, name: str) -> None:
    state = engine_of().state
    names = ARRAY_GROUPS.get(name)
    held = getattr(state, name)
    arrays = [held] if names is None else [getattr(held, part) for part in names]
    for array in arrays:
        if array is None:  # this run has none of it
            continue
        before = snapshot(state)
        raw = array.reshape(-1).view(np.uint8)
        raw[0] ^= 1
        assert snapshot(state) != before
        assert snapshot(restore(state.setup, snapshot(state))) == snapshot(state)
        raw[0] ^= 1


def test_a_restored_state_has_every_field_of_the_first(engine_of: Any) -> None:
    engine = engine_of()
    engine.publish("second")
    engine.bars(200)
    engine.take(SlotChangeRequested(engine.now_ms, 0, "promote", "ada", "test"))
    state = engine.state
    again = restore(state.setup, snapshot(state))
    for name in (*VALUES, "package_hashes"):
        assert getattr(again, name) == getattr(state, name), name
    for name in ("slot_records", "packages", "price_scale"):
        assert getattr(again, name).tobytes() == getattr(state, name).tobytes(), name
    assert again.params.specs.tobytes() == state.params.specs.tobytes()
    assert snapshot(again) == snapshot(state)


def test_what_is_no_snapshot_is_refused(engine_of: Any) -> None:
    state = engine_of().state
    for raw in (msgspec.msgpack.encode({"schema": "old"}), b"", b"\xff"):
        with pytest.raises(ValueError, match="written by a version with other state layouts"):
            restore(state.setup, raw)


def test_the_format_is_part_of_the_schema(engine_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    state = engine_of().state
    before = schema_hash(state)
    monkeypatch.setattr("ares.core.snapshot.SNAPSHOT_FORMAT", 99)
    assert schema_hash(state) != before
