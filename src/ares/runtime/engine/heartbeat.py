"""A heartbeat: a small file in which a service says that it lives, and which models it serves."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec


class Heartbeat(msgspec.Struct, frozen=True):
    """What a service says of itself, again and again.

    at_ms     : when, in milliseconds since the epoch.
    pid       : of its process: another one means that it was started again.
    champions : hash of the ensemble that it serves, by instrument key.
    """

    at_ms: int
    pid: int
    environment: str
    champions: dict[str, str]


def beat(path: Path, environment: str, champions: Mapping[str, str], at_ms: int) -> None:
    """Write this process's heartbeat: whole, and not synced, since it is old in a moment."""
    said = Heartbeat(at_ms, os.getpid(), environment, dict(champions))
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(msgspec.json.encode(said))
    draft.replace(path)


def heard(path: Path) -> Heartbeat | None:
    """Return the newest heartbeat; None where there is none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Heartbeat)
    except (OSError, msgspec.DecodeError):
        return None
