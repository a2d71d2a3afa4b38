"""What a supervisor does at each turn beside its processes: health, alarms, off-box heartbeat."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from shutil import disk_usage
from typing import Protocol

import msgspec

from ares.observe.component_health import (
    ComponentHealth,
    EngineView,
    HealthChecks,
    components,
)
from ares.observe.silence_alarm import ProblemKind, SilenceAlarm, bars_late_s
from ares.runtime.ops.child import ChildEvent
from ares.runtime.ops.supervisor import Liveness, ProcessStatus

FIRST_CHECK_S = 3.0
CHECK_S = 10.0
ALARM_S = 1.0
LOOK_OLD_S = 30.0
CLOSE_S = 10.0
ENGINE = "engine"
MB = 1e6


class AlarmRules(msgspec.Struct, frozen=True):
    """What is watched, and who is informed.

    base_ms : of the engine's bars. heartbeat_s : between two requests of the off-box heartbeat.
    """

    environment: str
    folder: Path
    base_ms: int = 60_000
    disk_free_mb_min: float = 0.0
    heartbeat_s: float = 60.0


class Looks(Protocol):
    """Looks at an engine's status, see ``BackgroundLook``."""

    def newest(self, now_s: float) -> tuple[float, EngineView | None]:
        """Return how old the newest look is, and what it saw."""

    def stop(self) -> None:
        """Look no more."""


class Messages(Protocol):
    """Takes messages to be sent, see ``Outbox``."""

    def put(self, title: str, text: str) -> None:
        """Have a message sent."""

    def close(self, wait_s: float) -> None:
        """Send what waits, for so long at most."""


class Beats(Protocol):
    """Requests the off-box heartbeat, see ``Pulse``."""

    def begin(self) -> bool:
        """Begin a request; return whether it has begun."""

    def join(self, wait_s: float) -> None:
        """Wait for the newest request."""


class AlarmWatch:
    """Health, alarms and the off-box heartbeat of one engine.

    looks    : at the engine's status. messages: where alarms go; None: they are only said.
    beats    : the off-box heartbeat; None: there is none.
    free_mb  : free disk space; raises OSError.
    """

    def __init__(
        self,
        rules: AlarmRules,
        looks: Looks,
        clock: Callable[[], float],
        say: Callable[[str], None],
        messages: Messages | None = None,
        beats: Beats | None = None,
        free_mb: Callable[[Path], float] | None = None,
    ) -> None:
        self._rules, self._looks, self._clock, self._say = rules, looks, clock, say
        self._messages, self._beats = messages, beats
        self._free_mb = free_mb or free_space_mb
        self._alarms, self._checks = SilenceAlarm(), HealthChecks()
        self._health: list[ComponentHealth] = []
        self._bars_ms, self._bars_s = 0, clock()
        self._next_alarm_s = self._next_beat_s = clock()
        self._next_check_s = clock() + FIRST_CHECK_S

    @property
    def health(self) -> tuple[ComponentHealth, ...]:
        """Return the components as of the newest check."""
        return tuple(self._health)

    @property
    def checks_in_a_row(self) -> int:
        """Return at how many checks in a row all were healthy."""
        return self._checks.in_a_row

    @property
    def alarms(self) -> dict[str, str]:
        """Return the alarms that stand, by their kind."""
        return {str(kind): text for kind, text in self._alarms.standing.items()}

    def on_event(self, event: ChildEvent) -> None:
        """Take what happened to a process: a death is an alarm at once."""
        if event.change in ("died", "refused"):
            self._send(f"{event}")
        if event.name == ENGINE and event.change in ("started", "adopted"):
            self._bars_ms, self._bars_s = 0, self._clock()

    def turn(self, now_s: float, processes: tuple[ProcessStatus, ...]) -> None:
        """Look at everything; called often."""
        engine: Liveness = next((p.liveness for p in processes if p.name == ENGINE), "dead")
        if now_s >= self._next_alarm_s:
            self._next_alarm_s = now_s + ALARM_S
            for alarm in self._alarms.look(now_s, self._problems(now_s, engine, processes)):
                self._send(alarm.text)
            self._beat(now_s, engine)
        if now_s >= self._next_check_s:
            self._next_check_s = now_s + CHECK_S
            self._check(now_s, engine, processes)

    def close(self) -> None:
        """Send what still waits, for some seconds."""
        self._looks.stop()
        if self._messages is not None:
            self._messages.close(CLOSE_S)
        if self._beats is not None:
            self._beats.join(CLOSE_S)

    # --- parts ---------------------------------------------------------------------------------

    def _view(self, now_s: float) -> EngineView:
        age_s, seen = self._looks.newest(now_s)
        if age_s > LOOK_OLD_S:
            return EngineView(f"does not answer for {age_s:.0f} s")
        return seen or EngineView("was not looked at yet")

    def _bars_late(self, now_s: float, engine: Liveness) -> str:
        """Return why bars are late; empty: they are not, or there is no engine to have them."""
        age_s, seen = self._looks.newest(now_s)
        if engine != "live" or seen is None or seen.problem or age_s > LOOK_OLD_S:
            if engine != "live":
                self._bars_s = now_s
            return ""
        if seen.bars_ms != self._bars_ms:
            self._bars_ms, self._bars_s = seen.bars_ms, now_s
        late_s = now_s - self._bars_s
        if late_s < bars_late_s(self._rules.base_ms):
            return ""
        return f"no bar was processed for {late_s:.0f} s"

    def _problems(
        self, now_s: float, engine: Liveness, processes: tuple[ProcessStatus, ...]
    ) -> dict[ProblemKind, str]:
        found: dict[ProblemKind, str] = {}
        stopped = any(p.name == ENGINE and p.state == "stopped" for p in processes)
        if engine in ("dead", "hung") and not stopped:
            found["engine"] = "it does not live"
        view = self._view(now_s)
        late = self._bars_late(now_s, engine)
        if late:
            found["bars"] = late
        if engine == "live" and not view.problem and not view.venue_up:
            found["venue"] = "the engine has lost its venue"
        if view.problem and not view.problem.startswith("was not"):
            found["database"] = view.problem
        disk = self._disk()
        if disk:
            found["disk"] = disk
        others = [p for p in processes if p.name != ENGINE and _wrong(p)]
        if others:
            found["processes"] = "; ".join(f"{p.name}: {_wrong(p)}" for p in others)
        return found

    def _disk(self) -> str:
        try:
            free_mb = self._free_mb(self._rules.folder)
        except OSError as error:
            return f"cannot be looked at ({error.strerror})"
        if free_mb < self._rules.disk_free_mb_min:
            return f"{free_mb:.0f} MB are free, less than {self._rules.disk_free_mb_min:.0f}"
        return ""

    def _check(self, now_s: float, engine: Liveness, processes: tuple[ProcessStatus, ...]) -> None:
        view = self._view(now_s)
        wrong: Mapping[str, str] = {each.name: _wrong(each) for each in processes}
        late = self._bars_late(now_s, engine)
        self._health = components(view, engine == "live", late, wrong)
        line = self._checks.take(self._health)
        if line:
            self._say(line)

    def _beat(self, now_s: float, engine: Liveness) -> None:
        """Request the off-box heartbeat, where it is due and the engine lives and has bars."""
        if self._beats is None or engine != "live" or self._bars_late(now_s, engine):
            return
        if now_s >= self._next_beat_s and self._beats.begin():
            self._next_beat_s = now_s + self._rules.heartbeat_s

    def _send(self, text: str) -> None:
        self._say(f"ALARM {text}")
        if self._messages is not None:
            self._messages.put(f"Ares {self._rules.environment}", text)


def free_space_mb(folder: Path) -> float:
    """Return the free space of the disk with a folder; raises OSError."""
    return disk_usage(folder).free / MB


def _wrong(process: ProcessStatus) -> str:
    """Return what is wrong with a process; empty: nothing, or a person stopped it."""
    if process.state == "stopped" or process.liveness in ("live", "starting"):
        return ""
    return process.detail or f"is {process.liveness}"


def failed_view(error: Exception) -> EngineView:
    """Return what is seen of an engine where a look at it has failed."""
    text = str(error).splitlines()
    return EngineView(text[0] if text else type(error).__name__)
