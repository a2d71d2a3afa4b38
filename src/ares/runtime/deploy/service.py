"""The service that trades, from outside: restarted by a command, watched until it is healthy."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ares.config.deployment import DeploymentSettings
from ares.domain.errors import UserError
from ares.runtime.engine.heartbeat import Heartbeat, read_heartbeat

OUT_MAX = 200


@dataclass(frozen=True, slots=True)
class ExpectedChampion:
    """Who should be champion where, once the service is up; an empty hash: nobody."""

    environment: str
    instrument: str
    ensemble_hash: str


class Service:
    """A service whose restart command and health are as the settings say.

    now, sleep : the clock. elapsed_s : a clock that nobody sets. say : told what is waited for.
    """

    def __init__(
        self,
        settings: DeploymentSettings,
        root: Path,
        now: Callable[[], datetime],
        elapsed_s: Callable[[], float],
        sleep: Callable[[float], None],
        say: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._root = root
        self._now = now
        self._elapsed_s = elapsed_s
        self._sleep = sleep
        self._say = say

    def require_commands(self) -> None:
        """Raise UserMistake where a command of the settings is not on this machine."""
        for key in ("restart_command", "health_command"):
            command = getattr(self._settings, key)
            if command is not None and shutil.which(shlex.split(command)[0]) is None:
                raise UserError(
                    f"deployment.{key}: there is no program '{shlex.split(command)[0]}' here: "
                    "set the command that does it"
                )

    def bring_up(self, wanted: ExpectedChampion) -> str | None:
        """Restart the service and watch it; return None once it is healthy, else what is wrong."""
        restarted_ms = self._now_ms()
        command = self._settings.restart_command
        self._say(f"restarting the service: {command}")
        wrong = _run(command, self._settings.restart_seconds_max, self._root, {})
        if wrong is not None:
            return f"the restart failed ({wrong})"
        return self._watch(wanted, restarted_ms)

    def heartbeat(self) -> Heartbeat | None:
        """Return the service's newest heartbeat, however old."""
        return read_heartbeat(self._root / self._settings.heartbeat_file)

    def trouble(
        self, wanted: ExpectedChampion, since_ms: int, before: Heartbeat | None
    ) -> str | None:
        """Return why the service is not healthy at this moment; None: it is.

        since_ms : a heartbeat from before is not of this service.
        before   : the heartbeat of the check before this one; the next must be a newer one.
        """
        if self._settings.health_command is not None:
            told = {
                "ARES_DEPLOY_ENVIRONMENT": wanted.environment,
                "ARES_DEPLOY_INSTRUMENT": wanted.instrument,
                "ARES_DEPLOY_ENSEMBLE": wanted.ensemble_hash,
            }
            limit_s = self._settings.health_command_seconds_max
            wrong = _run(self._settings.health_command, limit_s, self._root, told)
            return None if wrong is None else f"the health command says no ({wrong})"
        found = self.heartbeat()
        if found is None or found.at_ms < since_ms:
            return f"no heartbeat since the restart in {self._settings.heartbeat_file}"
        if before is not None and found.at_ms <= before.at_ms:
            return "its heartbeat has stopped"
        if before is not None and found.pid != before.pid:
            return f"it was started again (process {before.pid}, then {found.pid})"
        if found.environment != wanted.environment:
            return f"it runs {found.environment}, not {wanted.environment}"
        served = found.champions.get(wanted.instrument, "")
        if served != wanted.ensemble_hash:
            return f"it serves {_short(served)}, not {_short(wanted.ensemble_hash)}"
        age_s = (self._now_ms() - found.at_ms) / 1000.0
        if age_s > self._settings.heartbeat_seconds_max:
            return f"its heartbeat is {age_s:.0f} s old"
        return None

    def _watch(self, wanted: ExpectedChampion, since_ms: int) -> str | None:
        """Check until so many checks in a row were healthy, or it has taken too long."""
        began_s = self._elapsed_s()
        in_a_row, before, last = 0, None, ""
        while True:
            self._sleep(self._settings.health_interval_seconds)
            wrong = self.trouble(wanted, since_ms, before)
            if wrong is None:
                in_a_row, before = in_a_row + 1, self.heartbeat()
                self._say(f"healthy: {in_a_row} of {self._settings.health_checks} checks in a row")
                if in_a_row >= self._settings.health_checks:
                    return None
            else:
                if wrong != last or in_a_row:
                    self._say(f"not healthy yet: {wrong}")
                in_a_row, before, last = 0, None, wrong
            seconds = self._settings.health_seconds_max
            if self._elapsed_s() - began_s >= seconds:
                reason = wrong or "too few healthy checks in a row"
                return f"not healthy within {seconds:g} s of the restart: {reason}"

    def _now_ms(self) -> int:
        return int(self._now().timestamp() * 1000)


def _short(ensemble_hash: str) -> str:
    return ensemble_hash[:12] or "no champion"


def _run(command: str, seconds_max: float, folder: Path, more: Mapping[str, str]) -> str | None:
    """Run a command without a shell; return None where it left with 0, else what happened.

    In a session of its own: a person's Ctrl-C is for us, not for a half-done restart. Its output
    goes to a file: a program that leaves a service behind would hold a pipe open for ever.
    """
    with tempfile.TemporaryFile() as said:
        try:
            child = subprocess.Popen(
                shlex.split(command),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={**os.environ, **more},
                start_new_session=True,
            )
        except OSError as error:
            return f"{command}: {error.strerror}"
        try:
            code = child.wait(seconds_max)
        except BaseException as error:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                return f"{command}: took longer than {seconds_max:g} s"
            raise
        if code == 0:
            return None
        said.seek(0)
        lines = said.read().decode(errors="replace").split()
        text = " ".join(lines)[-OUT_MAX:]
        return f"{command}: exit code {code}" + (f": {text}" if text else "")
