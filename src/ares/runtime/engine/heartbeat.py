"""A heartbeat: a small file in which a running service states which models it serves."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec


class Heartbeat(msgspec.Struct, frozen=True):
    """What a service states about itself, at short intervals.

    at_ms     : when, in milliseconds since the epoch.
    pid       : of its process; a changed pid means that it was restarted.
    champions : hash of the ensemble that it serves, by instrument key.
    """

    at_ms: int
    pid: int
    environment: str
    champions: dict[str, str]


def write_heartbeat(path: Path, environment: str, champions: Mapping[str, str], at_ms: int) -> None:
    """Write this process's heartbeat, whole or not at all; it is not synced to disk."""
    content = Heartbeat(at_ms, os.getpid(), environment, dict(champions))
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(msgspec.json.encode(content))
    draft.replace(path)


def read_heartbeat(path: Path) -> Heartbeat | None:
    """Return the newest heartbeat; None where there is none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Heartbeat)
    except (OSError, msgspec.DecodeError):
        return None
