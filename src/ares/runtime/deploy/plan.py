"""What is asked of a deployment, what will happen, and what came of it, as values."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from ares.domain.model import Ensemble
from ares.runtime.deploy.verify import RehearsedInstall

Result = Literal["installed", "already", "refused", "taken back", "rolled back", "down"]


@dataclass(frozen=True, slots=True)
class DeployRequest:
    """What a person asks for.

    to     : the environment; None: the one that ``live_trading.mode`` names.
    now    : do not wait for the quiet hours. wait : where it is not quiet, wait; else refuse.
    yes    : nobody is asked, the caller has approved.
    force  : without a passing verdict; needs a reason, and is refused in live.
    sha256 : what the file must be; empty: whatever it is, a person looks at it.
    """

    package: Path
    to: str | None = None
    now: bool = False
    wait: bool = True
    yes: bool = False
    force: bool = False
    reason: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class DeployPlan:
    """What will happen, for a person to approve.

    previous_hash : the champion now, which an install that fails goes back to; empty: nobody.
    previous      : the same, where it can be read.
    resumed       : it is champion already, and only the service is left.
    starts_at     : when the service will be restarted.
    remarks       : what a person should know before.
    """

    asked: DeployRequest
    environment: str
    rehearsed: RehearsedInstall
    package_hash: str
    previous_hash: str
    previous: Ensemble | None
    resumed: bool
    starts_at: datetime
    restart_command: str
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeployReport:
    """What came of it: who is champion now, and why.

    ensemble, champion : hashes of what was asked for, and of the champion now; empty: nobody.
    healthy : whether the service was seen healthy with that champion; None: it was not touched.
    """

    result: Result
    environment: str
    instrument: str
    ensemble: str
    champion: str
    healthy: bool | None
    reason: str
    package: str = ""
    package_hash: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeployEffects:
    """The world around a deployment.

    say : told of each step. at : told after each write, by its name (a test kills there).
    temporary : where staging folders are made.
    """

    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    elapsed_s: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    say: Callable[[str], None] = field(default=lambda _text: None)
    at: Callable[[str], None] = field(default=lambda _point: None)
    temporary: Path = field(default_factory=lambda: Path(tempfile.gettempdir()))
