"""What ``ares up`` writes about itself, once a second, for others to read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

import msgspec

from ares.domain.errors import ExternalError
from ares.journal.lock import holder
from ares.observe.component_health import ComponentHealth
from ares.runtime.ops.supervisor import ProcessStatus

STATUS_FILE = "up.json"
SUPERVISOR = "up"
"""The folder whose lock a supervisor holds."""

WRITE_S = 1.0


class UpStatus(msgspec.Struct, frozen=True):
    """A supervisor and its processes.

    checks_in_a_row : at how many checks in a row all components were healthy.
    alarms          : that stand, by their kind.
    """

    environment: str
    pid: int
    at_ms: int
    processes: tuple[ProcessStatus, ...]
    components: tuple[ComponentHealth, ...] = ()
    checks_in_a_row: int = 0
    alarms: dict[str, str] = {}


class StatusFile:
    """Writes the status into a folder once a second; a full disk is no reason to stop."""

    def __init__(self, folder: Path, environment: str) -> None:
        self._path, self._environment = folder / STATUS_FILE, environment
        self._next_s = float("-inf")

    def write(
        self,
        processes: tuple[ProcessStatus, ...],
        now_s: float,
        at_ms: int,
        components: tuple[ComponentHealth, ...] = (),
        checks_in_a_row: int = 0,
        alarms: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Write the status, where that is due."""
        if now_s < self._next_s:
            return
        self._next_s = now_s + WRITE_S
        status = UpStatus(
            self._environment, os.getpid(), at_ms, processes, components, checks_in_a_row,
            dict(alarms),
        )  # fmt: skip
        draft = self._path.with_name(f".{self._path.name}")
        with suppress(OSError):
            draft.write_bytes(msgspec.json.encode(status))
            draft.replace(self._path)


def read_status(folder: Path, environment: str) -> UpStatus:
    """Return the newest status of a supervisor that runs; raise ExternalError where none does."""
    if holder(folder / SUPERVISOR) is None:
        raise ExternalError(
            f"no `ares up` runs in {environment}: start it with `ares up --env {environment}`"
        )
    try:
        return msgspec.json.decode((folder / STATUS_FILE).read_bytes(), type=UpStatus)
    except (OSError, msgspec.DecodeError) as error:
        raise ExternalError(f"the status of `ares up` cannot be read yet ({error})") from None
