"""Snapshots: a state as bytes, and back."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ares.core.initial_state import new_state, write_rules
from ares.core.migration import (
    Layout,
    UndeclaredLayout,
    layout,
    migrate_arrays,
    migrate_values,
)
from ares.core.orders import Halt, LaneOrders, Order
from ares.core.slot import Slot
from ares.core.slots import write_slots
from ares.core.state import State
from ares.domain.formats import SNAPSHOT_FORMAT
from ares.domain.holding_events import DifferenceFound
from ares.domain.model import Ensemble
from ares.domain.order_events import CommandDone, CommandRefused, OrderFilled
from ares.domain.run import RunSetup

ARRAYS = (
    "features", "last_warm", "last_fill_ms", "bar_windows", "edge_lost", "challenger_better",
    "challenger_worse", "hour_values", "start_values", "compared_since_ms",
)  # fmt: skip
"""Fields of ``State`` that a snapshot holds as bytes."""

ARRAY_GROUPS = {
    "bar_series": ("aggregates", "features", "reference_closes"),
    "latest": ("p", "close_ms", "sigma"),
    "trade": ("account", "book", "virtual"),
}
"""Fields of ``State`` that are several arrays. ``trade.venue`` is not used by ``step``."""

ARRAY_TUPLES = ("series",)
"""Fields of ``State`` that are tuples of arrays."""

VALUES = (
    "seq", "now_ms", "at_ms", "orders", "ended", "lane_orders", "trades_begun", "nonce",
    "orders_sent", "halts", "differences", "venue_up", "reconciling", "account_known",
    "outside_lots", "existing_lots", "outside_rest_units", "dust_units", "mismatch_ms", "ledger_ms",
    "account_due_ms", "strange_execs", "kill_executions",
    "venue_ahead_ms", "answers", "rule_changes", "config_version",
    "taken_rules", "taken_champions", "slots", "previous_champions", "review_due",
)  # fmt: skip
"""Fields of ``State`` that a snapshot holds as values."""

STRUCTS: dict[str, type[msgspec.Struct]] = {
    "orders": Order, "ended": Order, "lane_orders": LaneOrders, "halts": Halt, "slots": Slot,
}  # fmt: skip
"""Values that are lists of structures of the core. Those of events and models may only get fields
with defaults, as in the journal."""

DERIVED = {
    "setup": "the first record of the journal",
    "slot_records": "from the slots",
    "params": "from the setup, the slots and the rules",
    "packages": "from the slots",
    "package_hashes": "from the slots",
    "intervals": "from the setup",
    "price_scale": "from the setup",
    "weights": "from the setup",
    "scratch": "without meaning between two events",
}
"""Fields of ``State`` that a snapshot leaves out, and what ``restore`` derives them from."""


class Snapshot(msgspec.Struct, frozen=True):
    """A state's bytes at one ``seq``, with the layout that they have.

    schema : hash of ``layout``: equal where nothing is to be migrated.
    """

    format: int
    schema: str
    layout: Layout
    arrays: dict[str, bytes]
    seq: int
    now_ms: int
    at_ms: int
    orders: list[Order]
    ended: list[Order]
    lane_orders: list[LaneOrders]
    trades_begun: list[int]
    nonce: str
    orders_sent: int
    halts: list[Halt]
    differences: list[DifferenceFound]
    venue_up: bool
    reconciling: bool
    account_known: bool
    outside_lots: list[int]
    existing_lots: list[int]
    outside_rest_units: list[int]
    dust_units: list[int]
    mismatch_ms: list[int]
    ledger_ms: int
    account_due_ms: int
    strange_execs: dict[str, int]
    kill_executions: list[OrderFilled]
    venue_ahead_ms: int
    answers: dict[str, CommandDone | CommandRefused]
    rule_changes: dict[str, float]
    config_version: int
    taken_rules: dict[str, float]
    taken_champions: dict[str, str]
    slots: list[Slot]
    previous_champions: list[Ensemble | None]
    review_due: bool


class _Head(msgspec.Struct, frozen=True):
    """What a snapshot says of itself; the rest is not decoded."""

    format: int
    schema: str


def layout_of(state: State) -> Layout:
    """Return the layout of a state's snapshot: of its arrays, values and structures."""
    return layout(_arrays(state), VALUES, STRUCTS)


def schema_hash(state: State) -> str:
    """Return the hash of the format and of a state's layout."""
    text = msgspec.json.encode((SNAPSHOT_FORMAT, layout_of(state)))
    return hashlib.sha256(text).hexdigest()


def snapshot(state: State) -> bytes:
    """Return the state as bytes; equal states give equal bytes."""
    values = {name: getattr(state, name) for name in VALUES}
    values["orders"] = list(state.orders.values())
    values["ended"] = list(state.ended.values())
    arrays = {name: array.tobytes() for name, array in _arrays(state).items()}
    return msgspec.msgpack.encode(
        Snapshot(
            format=SNAPSHOT_FORMAT,
            schema=schema_hash(state),
            layout=layout_of(state),
            arrays=arrays,
            **values,
        )
    )


def restore(setup: RunSetup, raw: bytes) -> State:
    """Return the state of a snapshot.

    One of another layout is migrated by field name, with the defaults and drops that
    ``core.migration`` declares. Raises ValueError where something is not declared.
    """
    state = new_state(setup)
    try:
        head = msgspec.msgpack.decode(raw, type=_Head)
        if head.format != SNAPSHOT_FORMAT:
            raise UndeclaredLayout(f"format {head.format}")
        if head.schema == schema_hash(state):
            content = msgspec.msgpack.decode(raw, type=Snapshot)
        else:
            content = _migrated(state, raw)
    except msgspec.DecodeError as error:
        raise UndeclaredLayout(str(error)) from None
    for name, array in _arrays(state).items():
        flat = np.frombuffer(content.arrays[name], array.dtype)
        array[...] = flat.reshape(array.shape)
    for name in VALUES:
        setattr(state, name, getattr(content, name))
    state.orders = {order.client_id: order for order in content.orders}
    state.ended = {order.client_id: order for order in content.ended}
    write_rules(state)
    write_slots(state, range(len(state.slots)))
    return state


def _migrated(state: State, raw: bytes) -> Snapshot:
    """Return the content of a snapshot with another layout, as this one has it.

    state : a new one, whose values stand for what is declared as ``INITIAL``.
    """
    old = msgspec.msgpack.decode(raw)
    initial = {name: msgspec.to_builtins(getattr(state, name)) for name in VALUES}
    initial["orders"], initial["ended"] = [], []
    values = migrate_values(old, initial, layout_of(state), STRUCTS)
    arrays = migrate_arrays(old, _arrays(state))
    content = {**values, "format": SNAPSHOT_FORMAT, "schema": "", "layout": old["layout"]}
    return msgspec.convert({**content, "arrays": arrays}, Snapshot)


def _arrays(state: State) -> dict[str, NDArray[Any]]:
    """Return the arrays that a snapshot holds, by name."""
    arrays = {name: getattr(state, name) for name in ARRAYS}
    for group, names in ARRAY_GROUPS.items():
        arrays |= {f"{group}.{name}": getattr(getattr(state, group), name) for name in names}
    for name in ARRAY_TUPLES:
        arrays |= {f"{name}.{k}": array for k, array in enumerate(getattr(state, name))}
    return {name: array for name, array in arrays.items() if array is not None}
