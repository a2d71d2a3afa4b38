"""Records of journals that exist are read: a sample of each decodes to the value it was made of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from ares.domain.events import Effect, Event
from ares.domain.model_life import Record

UNIONS: dict[str, Any] = {"Event": Event, "Effect": Effect, "Record": Record}
STORED: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "stored_records.json").read_text(encoding="utf-8")
)
ADVICE = "stored records have changed: if on purpose, run scripts/make_record_samples.py"
MEMBERS = [(union, kind) for union, members in UNIONS.items() for kind in get_args(members)]


@pytest.mark.parametrize("union", UNIONS)
def test_each_member_has_a_sample_and_no_sample_is_of_another(union: str) -> None:
    names = {kind.__name__ for kind in get_args(UNIONS[union])}
    assert set(STORED[union]) == names, ADVICE


@pytest.mark.parametrize(
    ("union", "kind"), MEMBERS, ids=lambda value: getattr(value, "__name__", value)
)
def test_a_stored_record_is_read_as_it_was_written(union: str, kind: type[msgspec.Struct]) -> None:
    entry = STORED[union][kind.__name__]
    raw = bytes.fromhex(entry["msgpack"])
    assert list(kind.__struct_encode_fields__) == entry["fields"], ADVICE
    assert msgspec.msgpack.decode(raw)["type"] == kind.__name__, ADVICE
    value = msgspec.msgpack.decode(raw, type=UNIONS[union])
    assert type(value) is kind
    assert json.loads(json.dumps(msgspec.to_builtins(value))) == entry["value"], ADVICE
    assert msgspec.msgpack.encode(value) == raw, ADVICE


@pytest.mark.parametrize(
    ("union", "kind"), MEMBERS, ids=lambda value: getattr(value, "__name__", value)
)
def test_a_sample_has_every_field(union: str, kind: type[msgspec.Struct]) -> None:
    entry = STORED[union][kind.__name__]
    stored = msgspec.msgpack.decode(bytes.fromhex(entry["msgpack"]))
    assert list(stored) == ["type", *entry["fields"]]
