"""A deployment's request, its plan, and its report, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from ares.domain.model import Ensemble
from ares.runtime.deploy.verify import RehearsedInstall

DeployResult = Literal["installed", "already", "refused", "reverted", "rolled_back", "down"]
"""``already``: it was champion, and nothing was changed. ``reverted``: the service did not come up
with the new champion, and is up with the previous one. ``down``: it is not up with that either.
"""


@dataclass(frozen=True, slots=True)
class DeployRequest:
    """The request of ``ares deploy install``.

    to     : the environment; None: the one that ``live_trading.mode`` names.
    now    : do not wait for the quiet hours. wait: outside them, wait; else refuse.
    yes    : approved by the caller; no question is put.
    force  : without a passing verdict; needs a reason, and is refused in live.
    sha256 : what the file must be; empty: any, since a person looks at it.
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
    """What an install will do, for a person to approve.

    previous_hash : the present champion, to which a failed install goes back; empty: none.
    previous      : the same ensemble, where it can be read.
    resumed       : it is champion already, and only the service's restart is left.
    starts_at     : when the service will be restarted.
    remarks       : what a person should know before.
    """

    request: DeployRequest
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
    """The outcome of a deployment: who is champion now, and why.

    ensemble, champion : hashes of the requested ensemble, and of the present champion; empty: none.
    healthy : whether the service was seen healthy with that champion; None: it was not restarted.
    """

    result: DeployResult
    environment: str
    instrument: str
    ensemble: str
    champion: str
    healthy: bool | None
    reason: str
    package: str = ""
    package_hash: str = ""
    warnings: tuple[str, ...] = ()
