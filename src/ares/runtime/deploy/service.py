"""The service that trades, from outside: restarted by a command, watched until it is healthy."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ares.domain.errors import UserError
from ares.runtime.deploy.policy import DeployContext
from ares.runtime.engine.heartbeat import Heartbeat, read_heartbeat

OUTPUT_CHARS_MAX = 200


@dataclass(frozen=True, slots=True)
class ExpectedChampion:
    """The champion that the service must serve once it is up; an empty hash: none."""

    environment: str
    instrument: str
    ensemble_hash: str


class Service:
    """The service of a workspace: its commands, its heartbeat, and the wait until it is healthy."""

    def __init__(self, context: DeployContext) -> None:
        self._policy = context.policy.service
        self._root = context.paths.root
        self._effects = context.effects

    def require_commands(self) -> None:
        """Raise UserError where a command of the settings is not on this machine."""
        for key in ("restart_command", "health_command"):
            command = getattr(self._policy, key)
            if command is not None and shutil.which(shlex.split(command)[0]) is None:
                raise UserError(
                    f"deployment.{key}: there is no program '{shlex.split(command)[0]}' here: "
                    "set the command that does it"
                )

    def bring_up(self, expected: ExpectedChampion) -> str | None:
        """Restart the service and watch it; return None once it is healthy, else the problem."""
        restarted_ms = self._now_ms()
        command = self._policy.restart_command
        self._effects.say(f"restarting the service: {command}")
        problem = _run(command, self._policy.restart_seconds_max, self._root, {})
        if problem is not None:
            return f"the restart failed ({problem})"
        return self._watch(expected, restarted_ms)

    def heartbeat(self) -> Heartbeat | None:
        """Return the service's newest heartbeat, however old."""
        return read_heartbeat(self._root / self._policy.heartbeat_file)

    def problem(
        self, expected: ExpectedChampion, since_ms: int, before: Heartbeat | None
    ) -> str | None:
        """Return why the service is not healthy at this moment; None: it is healthy.

        since_ms : an earlier heartbeat is not of this service.
        before   : the heartbeat of the previous check; the present one must be newer.
        """
        if self._policy.health_command is not None:
            return self._health_command_problem(self._policy.health_command, expected)
        found = self.heartbeat()
        if found is None or found.at_ms < since_ms:
            return f"no heartbeat since the restart in {self._policy.heartbeat_file}"
        if before is not None and found.at_ms <= before.at_ms:
            return "its heartbeat has stopped"
        if before is not None and found.pid != before.pid:
            return f"it was started again (process {before.pid}, then {found.pid})"
        if found.environment != expected.environment:
            return f"it runs {found.environment}, not {expected.environment}"
        served = found.champions.get(expected.instrument, "")
        if served != expected.ensemble_hash:
            return f"it serves {_short(served)}, not {_short(expected.ensemble_hash)}"
        age_s = (self._now_ms() - found.at_ms) / 1000.0
        if age_s > self._policy.heartbeat_seconds_max:
            return f"its heartbeat is {age_s:.0f} s old"
        return None

    def _health_command_problem(self, command: str, expected: ExpectedChampion) -> str | None:
        variables = {
            "ARES_DEPLOY_ENVIRONMENT": expected.environment,
            "ARES_DEPLOY_INSTRUMENT": expected.instrument,
            "ARES_DEPLOY_ENSEMBLE": expected.ensemble_hash,
        }
        limit_s = self._policy.health_command_seconds_max
        problem = _run(command, limit_s, self._root, variables)
        return None if problem is None else f"the health command failed ({problem})"

    def _watch(self, expected: ExpectedChampion, since_ms: int) -> str | None:
        """Check until enough checks in a row were healthy, or the time is over."""
        policy, effects = self._policy, self._effects
        began_s = effects.elapsed_s()
        in_a_row, before, last = 0, None, ""
        while True:
            effects.sleep(policy.interval_seconds)
            problem = self.problem(expected, since_ms, before)
            if problem is None:
                in_a_row, before = in_a_row + 1, self.heartbeat()
                effects.say(f"healthy: {in_a_row} of {policy.checks} checks in a row")
                if in_a_row >= policy.checks:
                    return None
            else:
                if problem != last or in_a_row:
                    effects.say(f"not healthy yet: {problem}")
                in_a_row, before, last = 0, None, problem
            if effects.elapsed_s() - began_s >= policy.seconds_max:
                reason = problem or "too few healthy checks in a row"
                return f"not healthy within {policy.seconds_max:g} s of the restart: {reason}"

    def _now_ms(self) -> int:
        return int(self._effects.now().timestamp() * 1000)


def _short(ensemble_hash: str) -> str:
    return ensemble_hash[:12] or "no champion"


def _run(
    command: str, seconds_max: float, folder: Path, variables: Mapping[str, str]
) -> str | None:
    """Run a command without a shell; return None where its exit code is 0, else what happened.

    In a session of its own: Ctrl-C is for this process, not for a half-done restart. Its output
    goes to a file: a program that leaves a service behind would hold a pipe open for ever.
    """
    with tempfile.TemporaryFile() as output:
        try:
            child = subprocess.Popen(
                shlex.split(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={**os.environ, **variables},
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
        output.seek(0)
        words = output.read().decode(errors="replace").split()
        text = " ".join(words)[-OUTPUT_CHARS_MAX:]
        return f"{command}: exit code {code}" + (f": {text}" if text else "")
