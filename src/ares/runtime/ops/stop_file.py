"""The stop file: stopped stays stopped, over restarts, until a person's ``ares resume``.

It lies beside the journal. Its blocks are reserved when an engine starts, and it is written over in
place: that needs no free space. Whoever starts an engine carries its order out before all else.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from ares.domain.errors import ExternalError, UserError

NAME = "stop"
BYTES = 4096


class StopOrder(msgspec.Struct, frozen=True):
    """Who stopped an environment, when, and how.

    id     : of the engine's command that carries it out, so that it is carried out once.
    owner  : begins every client id of the environment; empty: not known.
    flatten: all that is held is sold; otherwise entries alone are stopped.
    """

    id: str
    environment: str
    owner: str
    who: str
    reason: str
    at_ms: int
    flatten: bool

    @property
    def verb(self) -> str:
        """Return the engine's command that carries it out."""
        return "flatten" if self.flatten else "halt"


def stop_path(folder: Path) -> Path:
    """Return the stop file of an environment, whose journal is in ``folder``."""
    return folder / NAME


def reserve(folder: Path) -> None:
    """Make the file as large as an order is, unless it is; raises OSError where that fails."""
    path = stop_path(folder)
    if path.exists() and path.stat().st_size >= BYTES:
        return
    content = path.read_bytes() if path.exists() else b""
    with path.open("r+b" if path.exists() else "wb") as file:
        file.write(content.ljust(BYTES))
        file.flush()
        os.fsync(file.fileno())


def write_stop(folder: Path, order: StopOrder) -> None:
    """Write an order, durable; raises OSError where the disk does not take it.

    One that sells is not replaced by one that does not.
    """
    path = stop_path(folder)
    if not order.flatten and b'"flatten":true' in _content(path):
        return
    raw = _encoded(order)
    with path.open("r+b" if path.exists() else "wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())


def read_stop(folder: Path, environment: str, owner: str = "") -> StopOrder | None:
    """Return the order that stands; None: the environment is not stopped.

    Raises UserError for an order of another environment, ExternalError for a file that cannot be
    read: what it says is not known, so nothing may trade.
    """
    path = stop_path(folder)
    content = _content(path)
    if not content:
        return None
    try:
        order = msgspec.json.decode(content, type=StopOrder)
    except msgspec.DecodeError as error:
        raise ExternalError(
            f"{path} is damaged ({error}): look at the venue, then `ares resume` removes it"
        ) from None
    is_same_owner = not order.owner or not owner or order.owner == owner
    if order.environment != environment or not is_same_owner:
        other = order.environment if order.environment != environment else "another workspace"
        raise UserError(
            f"{path} stops {other}, not {environment}: it came from elsewhere, move it away"
        )
    return order


def is_stopped(folder: Path) -> bool:
    """Return whether a stop file stands, whatever it says."""
    return bool(_content(stop_path(folder)))


def clear_stop(folder: Path) -> bool:
    """Let the environment trade again; return whether it was stopped. The blocks stay reserved."""
    path = stop_path(folder)
    if not _content(path):
        return False
    with path.open("r+b") as file:
        file.write(b" " * max(BYTES, path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())
    return True


def _encoded(order: StopOrder) -> bytes:
    """Return an order in exactly the reserved bytes; a long reason is cut."""
    raw = msgspec.json.encode(order)
    if len(raw) > BYTES:
        order = msgspec.structs.replace(order, reason=order.reason[:200], who=order.who[:100])
        raw = msgspec.json.encode(order)
    return raw.ljust(BYTES)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes().strip(b" \n\0")
    except FileNotFoundError:
        return b""
