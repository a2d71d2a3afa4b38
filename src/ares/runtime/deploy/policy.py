"""What a deployment works with: the settings' policy, paths, and effects outside Ares."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from datetime import time as time_of_day
from pathlib import Path

from ares.runtime.registry.paths import ModelPaths
from ares.runtime.validation.request import ValidationConfig


@dataclass(frozen=True, slots=True)
class ServicePolicy:
    """How the service is restarted, and when it counts as healthy.

    restart_command, restart_seconds_max : run without a shell; killed after that time.
    health_command : exit code 0 means healthy; None: the heartbeat is read instead.
    heartbeat_file : of the service. heartbeat_seconds_max : an older heartbeat counts as missing.
    checks         : healthy checks in a row that are required, ``interval_seconds`` apart.
    seconds_max    : within which they must have been seen after a restart.
    """

    restart_command: str
    restart_seconds_max: float
    health_command: str | None
    health_command_seconds_max: float
    heartbeat_file: Path
    heartbeat_seconds_max: float
    checks: int
    interval_seconds: float
    seconds_max: float


@dataclass(frozen=True, slots=True)
class DeployPolicy:
    """What may be deployed from a workspace, where to, and when.

    by_restart  : ``deployment.policy`` is restart: models go into production by `ares deploy`.
    environment : where no environment is named.
    instruments : keys of those that are traded.
    quiet_hours : as the settings write it; quiet: start and end, UTC.
    parity_difference_max : by which a graph's outputs may differ from those where it was exported.
    """

    by_restart: bool
    environment: str
    instruments: tuple[str, ...]
    quiet_hours: str
    quiet: tuple[time_of_day, time_of_day]
    parity_difference_max: float
    service: ServicePolicy


@dataclass(frozen=True, slots=True)
class DeployEffects:
    """The world around a deployment.

    say        : called with a line for each step.
    checkpoint : called after each write with the name of the point (a test kills there).
    temporary  : where staging folders are made.
    """

    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    elapsed_s: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    say: Callable[[str], None] = field(default=lambda _text: None)
    checkpoint: Callable[[str], None] = field(default=lambda _point: None)
    temporary: Path = field(default_factory=lambda: Path(tempfile.gettempdir()))


@dataclass(frozen=True, slots=True)
class DeployContext:
    """Everything that a deployment of a workspace needs.

    validation : made when a model is looked at: a user's features that cannot be loaded are no
                 reason not to roll back or to show the status.
    """

    paths: ModelPaths
    policy: DeployPolicy
    validation: Callable[[], ValidationConfig]
    effects: DeployEffects
