"""The settings of deployment: how a new model is put into production, and verified there."""

from __future__ import annotations

import shlex
from datetime import time
from typing import Literal

from pydantic import field_validator, model_validator

from ares.config.fields import Section, key, setting_error

HOUR_AND_MINUTE = r"([01]\d|2[0-3]):[0-5]\d"


class DeploymentSettings(Section):
    """How a new model is put into production; see docs/DEPLOY.md."""

    policy: Literal["hot_swap", "restart"] = key(
        "hot_swap",
        "hot_swap: swapped between two bars. restart: staged, then installed in quiet hours.",
    )
    quiet_hours: str = key(
        "02:00-05:00",
        "When `ares deploy install` may restart the service. The span may include midnight; "
        "00:00-00:00 is all day.",
        "HH:MM-HH:MM, UTC",
        pattern=rf"^{HOUR_AND_MINUTE}-{HOUR_AND_MINUTE}$",
    )
    restart_command: str = key(
        "systemctl restart ares",
        "Command that restarts the service; run without a shell.",
        "command",
    )
    restart_seconds_max: float = key(
        120.0,
        "Timeout of the restart command; it is then killed and counts as failed.",
        "seconds",
        gt=0,
    )
    health_command: str | None = key(
        None,
        "Command whose exit code 0 means healthy. null: the service's heartbeat is read, which "
        "also lists the models it serves.",
        "command",
    )
    health_command_seconds_max: float = key(
        10.0,
        "Timeout of the health command; it is then killed and counts as unhealthy.",
        "seconds",
        gt=0,
    )
    heartbeat_file: str = key(
        "logs/heartbeat.json",
        "File in which the service writes its heartbeat, relative to the workspace.",
        "path",
    )
    heartbeat_seconds_max: float = key(
        15.0, "An older heartbeat counts as missing.", "seconds", gt=0
    )
    health_checks: int = key(
        3, "Healthy checks in a row required after a restart.", "checks", ge=1, le=100
    )
    health_interval_seconds: float = key(5.0, "Time between two checks.", "seconds", gt=0, le=3600)
    health_seconds_max: float = key(
        180.0,
        "A service that is not healthy this long after its restart is rolled back to the previous "
        "champion.",
        "seconds",
        gt=0,
    )

    @field_validator("restart_command", "health_command")
    @classmethod
    def _command(cls, command: str | None) -> str | None:
        if command is not None:
            try:
                words = shlex.split(command)
            except ValueError as error:
                raise setting_error(f"is not a command ({error}): close every quote") from None
            if not words:
                raise setting_error("is empty: write a command, such as systemctl restart ares")
        return command

    @model_validator(mode="after")
    def _long_enough(self) -> DeploymentSettings:
        wanted = self.health_checks * self.health_interval_seconds
        if self.health_seconds_max < wanted:
            raise setting_error(
                f"must be at least health_checks times health_interval_seconds ({wanted:g})",
                "health_seconds_max",
            )
        return self

    @property
    def quiet(self) -> tuple[time, time]:
        """Return start and end of the quiet hours, UTC."""
        begin, _, end = self.quiet_hours.partition("-")
        return time.fromisoformat(begin), time.fromisoformat(end)
