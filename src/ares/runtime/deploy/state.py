"""An install that was interrupted, in words: what happened, who is champion, what to do."""

from __future__ import annotations

from ares.runtime.registry.registry_state import UnfinishedInstall


def describe(unfinished: UnfinishedInstall) -> str:
    """Return what happened, who is champion, and what to do."""
    install = unfinished.install
    new, old = install.ensemble_hash[:12], install.previous_hash[:12] or "nobody"
    kind = "install of" if install.package else "rollback to"
    what = (
        f"the {kind} {new} ({install.instrument}, {install.environment}, {install.at} by "
        f"{install.who})"
    )
    if unfinished.stage == "announced":
        return f"{what} was interrupted before it changed anything: champion is {old}"
    if unfinished.stage == "promoted":
        not_seen = (
            f"{what} was interrupted: champion is {new}, but the service was not seen healthy with "
            "it: "
        )
        if not install.package:
            return f"{not_seen}`ares deploy rollback` goes on"
        return (
            f"{not_seen}`ares deploy install` of the same package goes on, `ares deploy rollback` "
            "takes it back"
        )
    return (
        f"{what} was interrupted while it was taken back: champion is {old}, but the service was "
        "not seen healthy with it: `ares deploy rollback` restarts and checks it"
    )
