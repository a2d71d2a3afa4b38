"""Writes an encoded sample of every stored record: tests/domain/stored_records.json.

One for each member of the unions of events, effects and the models' journal, with a value in every
field. Run it when stored records change on purpose, and not otherwise: the difference shows which
names and forms of journals that exist are read no more.

    .venv/bin/python scripts/make_record_samples.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import msgspec
from msgspec import inspect

from ares.domain.events import Effect, Event
from ares.domain.model_life import Record

TARGET = Path(__file__).parents[1] / "tests" / "domain" / "stored_records.json"
UNIONS = {"Event": Event, "Effect": Effect, "Record": Record}


def main() -> None:
    """Write the samples of all unions."""
    samples = {
        union: {kind.__name__: entry_of(kind) for kind in get_args(members)}
        for union, members in UNIONS.items()
    }
    TARGET.write_text(json.dumps(samples, indent=1) + "\n", encoding="utf-8")


def entry_of(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the names of a record's fields, a value in built-in types, and its encoding."""
    value = sample(inspect.type_info(kind), kind.__name__)
    return {
        "fields": list(kind.__struct_encode_fields__),
        "value": msgspec.to_builtins(value),
        "msgpack": msgspec.msgpack.encode(value).hex(),
    }


def sample(info: inspect.Type, name: str, default: object = inspect.UNSET) -> Any:
    """Return a value of a type: the same at each call, and never the default.

    name : of the field; the value of a text.
    """
    match info:
        case inspect.StructType() | inspect.DataclassType():
            return info.cls(
                **{field.name: sample(field.type, field.name, field.default)
                   for field in info.fields}
            )  # fmt: skip
        case inspect.UnionType():
            chosen = next(each for each in info.types if not isinstance(each, inspect.NoneType))
            return sample(chosen, name, default)
        case inspect.EnumType():
            return next(member for member in info.cls if member != default)
        case inspect.LiteralType():
            return next(value for value in info.values if value != default)
        case inspect.TupleType():
            return tuple(sample(item, name) for item in info.item_types)
        case inspect.VarTupleType():
            return tuple(sample(item, name) for item in members(info.item_type))
        case inspect.ListType():
            return [sample(item, name) for item in members(info.item_type)]
        case inspect.DictType():
            return {sample(info.key_type, name): sample(info.value_type, name)}
        case inspect.BoolType():
            return default is not True
        case inspect.IntType():
            return 8 if default == 7 else 7
        case inspect.FloatType():
            return 0.25 if default == 1.5 else 1.5
        case inspect.StrType():
            return name
        case inspect.BytesType():
            return b"\x01\x02"
        case inspect.AnyType():
            return name
    raise TypeError(f"{name}: no sample of {info}: add one to scripts/make_record_samples.py")


def members(info: inspect.Type) -> tuple[inspect.Type, ...]:
    """Return the types of a union, of which a sequence has one value each; else the type."""
    return info.types if isinstance(info, inspect.UnionType) else (info,)


if __name__ == "__main__":
    main()
