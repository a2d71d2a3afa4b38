"""Migrates a snapshot of an earlier version by the names of its fields.

A field that is new since then gets the value that ``ADDED`` declares; one that is gone must stand
in ``DROPPED``. Names are those of ``Layout.names``: ``trade.book.position_lots`` of an array,
``orders`` of a value, ``Order.doubt_ms`` of a structure in a value.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

INITIAL = "initial"
"""A declared default: the value before the first event."""

ADDED: dict[str, Any] = dict.fromkeys(
    (
        "Order.counted", "Order.cancel_ms", "Order.amend_ms", "Order.reported_ms", "Order.cancels",
        "Order.amended_lots", "Order.filled_ms", "Order.jumped_ms", "LaneOrders.failed_seq",
        "LaneOrders.held_ticks", "LaneOrders.seen_ticks",
        "trade.account.gas", "trade.account.gas_recent", "trade.account.gross_profit",
        "trade.account.gas_trades",
        "Order.asked_lots", "Order.asked_ticks",
    ),
    0,
) | {
    "LaneOrders.pieces": [], "Halt.detail": "", "rule_changes": INITIAL, "config_version": 0,
    "kill_executions": INITIAL,
    "taken_rules": INITIAL, "taken_champions": INITIAL,
    "outside_rest_units": INITIAL, "existing_lots": INITIAL, "dust_units": INITIAL,
    "bar_series.reference_closes.close_ms": INITIAL,
    "bar_series.reference_closes.close": INITIAL,
}  # fmt: skip
"""Fields that were added since snapshots of this format were first written -> their value in a
snapshot without them: a number for every row, ``INITIAL``, or any value of a structure's field."""

WIDENED = frozenset(f"trade.account.breaker_{name}" for name in ("status", "ms", "trials"))
"""Fields with several values that got more of them at the end, which are 0 in a snapshot without
them."""

DROPPED: frozenset[str] = frozenset()
"""Fields that were removed since then."""


class UndeclaredLayout(ValueError):
    """A snapshot has another layout, and how it is migrated is not declared."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"the snapshot was written by a version with other state layouts ({detail})"
        )


class Layout(msgspec.Struct, frozen=True):
    """Names and types of what a snapshot holds.

    arrays  : dtype (as a description, see ``numpy.lib.format``) and shape of each array.
    values  : names of the values. structs : fields of each structure in them.
    """

    arrays: dict[str, tuple[str, tuple[int, ...]]]
    values: tuple[str, ...]
    structs: dict[str, tuple[str, ...]]

    def names(self) -> list[str]:
        """Return the name of every field."""
        names = list(self.values)
        for name, (descr, _) in self.arrays.items():
            fields = dtype_of(descr).names
            names += [name] if fields is None else [f"{name}.{field}" for field in fields]
        for struct, fields in self.structs.items():
            names += [f"{struct}.{field}" for field in fields]
        return sorted(names)


def layout(
    arrays: Mapping[str, NDArray[Any]],
    values: Sequence[str],
    structs: Mapping[str, type[msgspec.Struct]],
) -> Layout:
    """Return the layout of these arrays and values."""
    return Layout(
        {name: (_descr(array.dtype), array.shape) for name, array in sorted(arrays.items())},
        tuple(values),
        {struct.__name__: struct.__struct_fields__ for struct in structs.values()},
    )


@cache
def _descr(dtype: np.dtype[Any]) -> str:
    return repr(np.lib.format.dtype_to_descr(dtype))


@cache
def dtype_of(descr: str) -> np.dtype[Any]:
    """Return the dtype of a description in a layout."""
    return np.lib.format.descr_to_dtype(ast.literal_eval(descr))


def migrate_values(
    old: Mapping[str, Any],
    initial: Mapping[str, Any],
    new: Layout,
    structs: Mapping[str, type[msgspec.Struct]],
) -> dict[str, Any]:
    """Return a snapshot's values, as plain objects, with the fields that ``new`` has.

    initial : each value before the first event.
    """
    old_layout = msgspec.convert(old["layout"], Layout)
    _require_dropped(set(old_layout.values) - set(new.values))
    values = {}
    for name in new.values:
        if name in old_layout.values:
            values[name] = old[name]
        else:
            default = _declared(name)
            values[name] = initial[name] if default == INITIAL else default
    for name, struct in structs.items():
        kind = struct.__name__
        fields = new.structs[kind]
        before = old_layout.structs.get(kind, fields)
        removed = set(before) - set(fields)
        _require_dropped({f"{kind}.{field}" for field in removed})
        added = {f: _declared(f"{kind}.{f}") for f in fields if f not in before}
        if added or removed:
            values[name] = [
                {key: value for key, value in row.items() if key not in removed} | added
                for row in values[name]
            ]
    return values


def migrate_arrays(old: Mapping[str, Any], initial: Mapping[str, NDArray[Any]]) -> dict[str, bytes]:
    """Return a snapshot's arrays as bytes with the layouts of ``initial``."""
    old_layout = msgspec.convert(old["layout"], Layout)
    _require_dropped(set(old_layout.arrays) - set(initial))
    found = {}
    for name, array in initial.items():
        if name not in old_layout.arrays:
            fields = array.dtype.names or ()
            if name in ADDED or not all(f"{name}.{field}" in ADDED for field in fields):
                fields = ()
            for field in fields or ("",):
                default = _declared(f"{name}.{field}" if field else name)
                if default != INITIAL:
                    (array[field] if field else array)[...] = default
        else:
            descr, shape = old_layout.arrays[name]
            flat = np.frombuffer(old["arrays"][name], dtype_of(descr))
            _copy(name, flat.reshape(shape), array)
        found[name] = array.tobytes()
    return found


def _copy(name: str, old: NDArray[Any], new: NDArray[Any]) -> None:
    """Copy an array into one of another layout, field by field."""
    if old.shape != new.shape:
        raise UndeclaredLayout(f"{name} has shape {old.shape}, not {new.shape}")
    if old.dtype.names is None or new.dtype.names is None:
        _require_castable(name, old.dtype, new.dtype)
        new[...] = old
        return
    _require_dropped({f"{name}.{f}" for f in old.dtype.names if f not in new.dtype.names})
    for field in new.dtype.names:
        full = f"{name}.{field}"
        if field in old.dtype.names and _is_widened(full, old.dtype[field], new.dtype[field]):
            new[field][..., : old.dtype[field].shape[0]] = old[field]
            continue
        if field in old.dtype.names:
            _require_castable(full, old.dtype[field], new.dtype[field])
            new[field] = old[field]
            continue
        default = _declared(full)
        if default != INITIAL:
            new[field] = default


def _is_widened(name: str, old: np.dtype[Any], new: np.dtype[Any]) -> bool:
    return name in WIDENED and old.base == new.base and old.shape < new.shape


def _require_castable(name: str, old: np.dtype[Any], new: np.dtype[Any]) -> None:
    if old.shape != new.shape or not np.can_cast(old.base, new.base, "safe"):
        raise UndeclaredLayout(f"{name} is {old}, not {new}")


def _declared(name: str) -> Any:
    """Return the declared value of a field that a snapshot does not have."""
    if name not in ADDED:
        raise UndeclaredLayout(f"{name} is not in it")
    return ADDED[name]


def _require_dropped(names: set[str]) -> None:
    """Raise UndeclaredLayout where fields of a snapshot are gone and not declared to be."""
    undeclared = sorted(names - DROPPED)
    if undeclared:
        raise UndeclaredLayout(f"{undeclared[0]} is gone")
