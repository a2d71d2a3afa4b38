"""A heartbeat: a small file in which a running service states which models it serves."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

BEAT_S = 1.0
NS_PER_MS = 1_000_000


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


async def keep_heartbeat(
    path: Path,
    environment: str,
    champions: Callable[[], Mapping[str, str]],
    say: Callable[[str], None] = lambda _: None,
    wall_ns: Callable[[], int] = time.time_ns,
    interval_s: float = BEAT_S,
) -> None:
    """Write heartbeats until cancelled; a disk that does not take one is no reason to stop.

    champions : called in the thread of the event loop, so that the heartbeat stops when it hangs.
    say       : called with one line when the file cannot be written, and when it can again.
    """
    failed = False
    while True:
        served, at_ms = dict(champions()), wall_ns() // NS_PER_MS
        try:
            await asyncio.to_thread(write_heartbeat, path, environment, served, at_ms)
        except OSError as error:
            with suppress(OSError):
                os.utime(path)  # a full disk takes that: the engine lives
            if not failed:
                say(f"heartbeat: {path} cannot be written ({error.strerror})")
            failed = True
        else:
            if failed:
                say(f"heartbeat: {path} is written again")
            failed = False
        await asyncio.sleep(interval_s)
