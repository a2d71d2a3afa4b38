"""The settings of stopping: kill, clean stops, watchdog."""

from __future__ import annotations

from ares.config.fields import Section, key


class KillSettings(Section):
    """How `ares kill` and clean stops act."""

    collar_bps: float = key(
        200.0,
        "`ares kill --flatten` sells no lower than so far below the best bid; what is left is "
        "tried again at a new price.",
        "bps",
        gt=0,
        le=5_000,
    )
    cancel_entries_on_stop: bool = key(
        True,
        "A clean stop (Ctrl-C, SIGTERM, `ares stop`) cancels entries that are not filled. Stops "
        "at the venue always stay.",
    )


class WatchdogSettings(Section):
    """When `ares watchdog` ends an engine and acts in its place."""

    silent_seconds: float = key(
        30.0,
        "Without a sign of the engine for so long it is ended for good, and stays stopped until "
        "`ares resume`. `ares up` starts a dead or hanging engine again sooner.",
        "seconds",
        ge=5,
        le=3_600,
    )
    flatten: bool = key(
        False,
        "true: the watchdog sells what the ledger holds, where its key may trade. false: it cancels"
        " entries, and stops at the venue are kept.",
    )
