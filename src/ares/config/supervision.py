"""The settings of supervision: what counts as hanging, and who is informed."""

from __future__ import annotations

from ares.config.fields import Section, key


class SupervisionSettings(Section):
    """How `ares up` watches its processes, and who is informed; see docs/OPERATIONS.md."""

    heartbeat_url: str | None = key(
        None,
        "URL that is requested (GET) while the engine lives and gets bars, at a service that "
        "raises an alarm when that ends. It must not be on this machine.",
        secret=True,
        pattern=r"^https?://\S+$",
    )
    heartbeat_seconds: float = key(
        60.0, "Time between two requests of the heartbeat URL.", "seconds", gt=0, le=3600
    )
    notify_urls: str | None = key(
        None,
        "Where alarms go: URLs of Apprise, separated by spaces, such as tgram://TOKEN/CHAT. null: "
        "they are only in the log.",
        secret=True,
    )
    hung_seconds: float = key(
        30.0,
        "An engine without a sign of life for so long is killed and started again.",
        "seconds",
        ge=5,
        le=600,
    )
    start_seconds: float = key(
        300.0, "A start may take so long until the first sign of life.", "seconds", ge=10, le=3600
    )
    disk_free_mb_min: float = key(
        500.0, "Less free disk space in the workspace is an alarm.", "MB", ge=0
    )
