"""Events and effects: each is in a union, and reads back from a journal as what it was."""

from __future__ import annotations

import typing
from types import NoneType, UnionType
from typing import Any, Literal

import msgspec
import pytest

from ares.domain import events, feed_events, holding_events, model_events, order_events
from ares.domain.events import BarsClosed, Command, Effect, Event
from ares.domain.order_events import SubmitOrder

TAGGED = [
    kind
    for module in (events, feed_events, holding_events, model_events, order_events)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__module__.endswith(
        module.__name__
    ) and kind.__struct_config__.tag is not None
]  # fmt: skip
EVENTS, EFFECTS = typing.get_args(Event), typing.get_args(Effect)


def sample(kind: Any) -> Any:
    """Return a value of a field's type that is not its default."""
    plain = {int: 7, float: 0.25, str: "x", bytes: b"\x01\x80", bool: True}
    if kind in plain:
        return plain[kind]
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return parts[-1]
    if origin in (UnionType, typing.Union):
        return sample(next(part for part in parts if part is not NoneType))
    if origin is tuple:
        return tuple(sample(part) for part in parts if part is not ...)
    if origin is dict:
        return {sample(parts[0]): sample(parts[1])}
    if issubclass(kind, msgspec.Struct):
        hints = typing.get_type_hints(kind)
        return kind(**{name: sample(hints[name]) for name in kind.__struct_fields__})
    return next(iter(kind))  # an enumeration


def test_no_event_or_effect_is_left_out_of_the_unions() -> None:
    """A journal decodes the unions: what is in neither could be written and never read."""
    assert set(TAGGED) == {*EVENTS, *EFFECTS}
    assert set(typing.get_args(Command)) <= set(EFFECTS)
    assert not set(EVENTS) & set(EFFECTS)


@pytest.mark.parametrize("kind", TAGGED, ids=lambda kind: kind.__name__)
def test_it_reads_back_as_what_it_was(kind: Any) -> None:
    written = sample(kind)
    union: Any = Event if kind in EVENTS else Effect
    content = msgspec.msgpack.encode(written)
    read = msgspec.msgpack.decode(content, type=union)
    assert type(read) is kind
    assert read == written
    assert msgspec.msgpack.encode(read) == content


def test_an_event_of_another_version_is_refused() -> None:
    content = msgspec.to_builtins(sample(BarsClosed)) | {"type": "BarsOpened"}
    with pytest.raises(msgspec.ValidationError, match="BarsOpened"):
        msgspec.convert(content, Event)
    less = msgspec.to_builtins(sample(SubmitOrder))
    del less["lots"]
    with pytest.raises(msgspec.ValidationError, match="lots"):
        msgspec.convert(less, Command)


def test_events_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        sample(BarsClosed).ts_ms = 8
