"""The settings of deployment: how a new model comes into use, and how it is proven to serve."""

from __future__ import annotations

import shlex
from datetime import time
from typing import Literal

from pydantic import field_validator, model_validator

from ares.config.fields import Section, key, mistake

HOUR_AND_MINUTE = r"([01]\d|2[0-3]):[0-5]\d"


class DeploymentSettings(Section):
    """How a new model comes into use. docs/DEPLOY.md tells the whole way."""

    policy: Literal["hot_swap", "restart"] = key(
        "hot_swap", "hot_swap: between two bars. restart: staged, in a quiet hour."
    )
    quiet_hours: str = key(
        "02:00-05:00",
        "When `ares deploy install` may restart the service; it may pass midnight, and "
        "00:00-00:00 is always.",
        "HH:MM-HH:MM, UTC",
        pattern=rf"^{HOUR_AND_MINUTE}-{HOUR_AND_MINUTE}$",
    )
    restart_command: str = key(
        "systemctl restart ares", "Restarts the service; run without a shell.", "command"
    )
    restart_seconds_max: float = key(
        120.0, "The restart command is ended after this long, and has failed.", "seconds", gt=0
    )
    health_command: str | None = key(
        None,
        "Says with exit code 0 that the service is healthy; null reads the service's heartbeat, "
        "which also says which models it serves.",
        "command",
    )
    health_command_seconds_max: float = key(
        10.0, "A health command is ended after this long, and has said no.", "seconds", gt=0
    )
    heartbeat_file: str = key(
        "logs/heartbeat.json", "Where the service says that it lives; in this folder.", "path"
    )
    heartbeat_seconds_max: float = key(
        15.0, "A heartbeat older than this is none.", "seconds", gt=0
    )
    health_checks: int = key(
        3, "So many checks in a row must be healthy after a restart.", "checks", ge=1, le=100
    )
    health_interval_seconds: float = key(5.0, "Time between two checks.", "seconds", gt=0, le=3600)
    health_seconds_max: float = key(
        180.0,
        "A service that is not healthy this long after its restart is taken back to the champion "
        "before.",
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
                raise mistake(f"is no command ({error}): close every quote") from None
            if not words:
                raise mistake("is empty: write a command, such as systemctl restart ares")
        return command

    @model_validator(mode="after")
    def _long_enough(self) -> DeploymentSettings:
        wanted = self.health_checks * self.health_interval_seconds
        if self.health_seconds_max < wanted:
            raise mistake(
                f"must be at least health_checks times health_interval_seconds ({wanted:g})",
                "health_seconds_max",
            )
        return self

    @property
    def quiet(self) -> tuple[time, time]:
        """Return the quiet hours' beginning and end, UTC."""
        begin, _, end = self.quiet_hours.partition("-")
        return time.fromisoformat(begin), time.fromisoformat(end)
