"""What a venue server does wrong in a world: every fault that it has, drawn."""

from __future__ import annotations

from random import Random
from typing import Any

from ares.sim.serve.faults import Fault

SECONDS = (2.0, 40.0)
SHARES = (0.1, 0.3, 0.6)
ATTACKS: tuple[dict[str, Any], ...] = (
    {"kind": "reply_lost", "on": "rest"},
    {"kind": "reply_lost", "on": "rest", "only": "Order"},
    {"kind": "error_before", "on": "rest"},
    {"kind": "error_after", "on": "rest"},
    {"kind": "request_orphaned", "on": "rest", "only": "Order", "ms": (100, 12_000)},
    {"kind": "request_late", "on": "rest", "ms": (100, 12_000)},
    {"kind": "duplicate", "on": "socket"},
    {"kind": "reorder", "on": "socket"},
    {"kind": "drop", "on": "socket"},
    {"kind": "fill_during_cancel"},
    {"kind": "partial_fills", "rate": 50.0},
    {"kind": "stop_cancelled", "count": 1},
    {"kind": "http_503"},
    {"kind": "http_429"},
    {"kind": "html"},
    {"kind": "not_json"},
    {"kind": "latency", "ms": (50, 7_000)},
    {"kind": "incomplete", "on": "rest"},
    {"kind": "stale", "on": "rest"},
    {"kind": "unavailable", "on": "rest"},
    {"kind": "close", "count": 1},
    {"kind": "mute", "on": "socket"},
    {"kind": "mute_private", "on": "socket"},
    {"kind": "big", "count": 1},
    {"kind": "wrong_clock", "ms": (-4_000, 4_000)},
    {"kind": "cancel_only"},
    {"kind": "post_only"},
    {"kind": "maintenance"},
    {"kind": "key_revoked", "only": "engine"},
)
ALWAYS = (
    "fill_during_cancel", "partial_fills", "stop_cancelled", "cancel_only", "post_only",
    "maintenance", "key_revoked", "wrong_clock", "close", "mute", "mute_private", "stale",
    "unavailable",
)  # fmt: skip
"""Kinds that strike whenever they can while they last."""


def drawn_attack(draw: Random) -> Fault:
    """Return a fault that ends by itself."""
    chosen = dict(draw.choice(ATTACKS))
    if isinstance(chosen.get("ms"), tuple):
        chosen["ms"] = draw.randint(*chosen["ms"])
    if chosen["kind"] not in ALWAYS:
        chosen["probability"] = draw.choice(SHARES)
    return Fault(**chosen, seconds=round(draw.uniform(*SECONDS), 1))


def text_of(fault: Fault) -> str:
    """Return a fault as `ares sim fault` takes it."""
    default = Fault(fault.kind)
    parts = [
        f"{name}={getattr(fault, name)}"
        for name in fault.__struct_fields__
        if name != "kind" and getattr(fault, name) != getattr(default, name)
    ]
    return " ".join([fault.kind, *parts])
