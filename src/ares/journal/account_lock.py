"""One environment trades one account at a venue."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from ares.domain.errors import ExternalError, UserError
from ares.journal.lock import Lock

BOUND = "environment"
"""File that names the environment to which an account belongs."""


class AccountLock:
    """Held by the engine that trades an account, until its process ends.

    journals : of the workspace. identity: venue, server and key of the account.
    binds    : the account belongs to this environment from now on, also while no engine runs; a
               server of one's own may give the same key to another account.
    shared   : folder of the locks of all workspaces on this machine.

    Raises ExternalError where another engine holds it, UserError where it belongs to another
    environment of the workspace.
    """

    def __init__(
        self,
        journals: Path,
        environment: str,
        identity: str,
        *,
        binds: bool,
        shared: Path | None = None,
    ) -> None:
        name = hashlib.blake2b(identity.encode(), digest_size=12).hexdigest()
        own = journals / "accounts" / name
        everybody = (shared or _shared_folder()) / name
        self._locks: list[Lock] = []
        try:
            for folder in (own, everybody):
                self._locks.append(_locked(folder, environment))
            if binds:
                _bind(own, journals, environment)
        except BaseException:
            self.release()
            raise
        for folder in (own, everybody):
            if binds or folder is everybody:
                (folder / BOUND).write_text(environment)

    def release(self) -> None:
        """Let another engine trade the account."""
        for lock in self._locks:
            lock.release()


def _shared_folder() -> Path:
    return Path(tempfile.gettempdir()) / f"ares-accounts-{os.getuid()}"


def _locked(folder: Path, environment: str) -> Lock:
    try:
        return Lock(folder)
    except ExternalError:
        holder = _bound_to(folder) or "another environment"
        raise ExternalError(
            f"{environment}: an engine of {holder} trades the account of this key: one environment"
            " trades one account, stop it or use another key"
        ) from None


def _bind(folder: Path, journals: Path, environment: str) -> None:
    bound = _bound_to(folder)
    if bound in ("", environment) or not any((journals / bound).glob("*.journal")):
        return
    raise UserError(
        f"{environment}: the account of this key belongs to {bound}, whose journal explains its"
        " orders: one environment trades one account, use another key"
    )


def _bound_to(folder: Path) -> str:
    path = folder / BOUND
    return path.read_text().strip() if path.exists() else ""
