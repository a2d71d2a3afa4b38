"""Snapshots: a state as bytes, and back."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ares.core.initial_state import new_state
from ares.core.orders import Order
from ares.core.slot import Slot
from ares.core.slots import write_slots
from ares.core.state import State
from ares.domain.formats import SNAPSHOT_FORMAT
from ares.domain.model import Ensemble
from ares.domain.run import RunSetup

ARRAYS = (
    "features", "last_warm", "last_fill_ms", "bar_windows", "edge_lost", "challenger_better",
    "challenger_worse", "hour_values", "start_values", "compared_since_ms",
)  # fmt: skip
"""Fields of ``State`` that a snapshot holds as bytes."""

ARRAY_GROUPS = {
    "bar_series": ("aggregates", "features"),
    "latest": ("p", "close_ms", "sigma"),
    "trade": ("account", "book", "virtual"),
}
"""Fields of ``State`` that are several arrays. ``trade.venue`` is not used by ``step``."""

ARRAY_TUPLES = ("series",)
"""Fields of ``State`` that are tuples of arrays."""

VALUES = (
    "seq", "now_ms", "orders", "stop_ids", "working_ids", "slots", "previous_champions",
    "review_due",
)  # fmt: skip
"""Fields of ``State`` that a snapshot holds as values."""

DERIVED = {
    "setup": "the first record of the journal",
    "slot_records": "from the slots",
    "params": "from the setup and the slots",
    "packages": "from the slots",
    "package_hashes": "from the slots",
    "intervals": "from the setup",
    "price_scale": "from the setup",
    "weights": "from the setup",
    "scratch": "without meaning between two events",
}
"""Fields of ``State`` that a snapshot leaves out, and what ``restore`` derives them from."""


class Snapshot(msgspec.Struct, frozen=True):
    """A state's bytes at one ``seq``; ``schema`` refuses a snapshot with other layouts."""

    schema: str
    seq: int
    now_ms: int
    arrays: dict[str, bytes]
    orders: list[Order]
    stop_ids: list[str]
    working_ids: list[str]
    slots: list[Slot]
    previous_champions: list[Ensemble | None]
    review_due: bool


def schema_hash(state: State) -> str:
    """Return the hash of the format and of every array's layout and shape."""
    arrays = sorted(_arrays(state).items())
    text = ";".join(f"{name}:{a.dtype.descr}:{a.shape}" for name, a in arrays)
    return hashlib.sha256(f"{SNAPSHOT_FORMAT};{text}".encode()).hexdigest()


def snapshot(state: State) -> bytes:
    """Return the state as bytes; equal states give equal bytes."""
    values = {name: getattr(state, name) for name in VALUES}
    values["orders"] = [order for order in state.orders.values() if order.open]
    arrays = {name: array.tobytes() for name, array in _arrays(state).items()}
    return msgspec.msgpack.encode(Snapshot(schema=schema_hash(state), arrays=arrays, **values))


def restore(setup: RunSetup, raw: bytes) -> State:
    """Return the state of a snapshot; raise ValueError where its layouts are not this code's."""
    state = new_state(setup)
    try:
        content = msgspec.msgpack.decode(raw, type=Snapshot)
    except msgspec.DecodeError:
        content = None
    if content is None or content.schema != schema_hash(state):
        raise ValueError("the snapshot was written by a version with other state layouts")
    for name, array in _arrays(state).items():
        flat = np.frombuffer(content.arrays[name], array.dtype)
        array[...] = flat.reshape(array.shape)
    for name in VALUES:
        setattr(state, name, getattr(content, name))
    state.orders = {order.client_id: order for order in content.orders}
    write_slots(state, range(len(state.slots)))
    return state


def _arrays(state: State) -> dict[str, NDArray[Any]]:
    """Return the arrays that a snapshot holds, by name."""
    arrays = {name: getattr(state, name) for name in ARRAYS}
    for group, names in ARRAY_GROUPS.items():
        arrays |= {f"{group}.{name}": getattr(getattr(state, group), name) for name in names}
    for name in ARRAY_TUPLES:
        arrays |= {f"{name}.{k}": array for k, array in enumerate(getattr(state, name))}
    return {name: array for name, array in arrays.items() if array is not None}
