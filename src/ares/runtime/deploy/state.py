"""An interrupted install as a sentence: what happened, who is champion, what to do."""

from __future__ import annotations

from ares.runtime.registry.registry_state import UnfinishedInstall


def describe(unfinished: UnfinishedInstall) -> str:
    """Return what happened, who is champion, and what to do."""
    install = unfinished.install
    new, old = install.ensemble_hash[:12], install.previous_hash[:12] or "none"
    kind = "install of" if install.package else "rollback to"
    subject = (
        f"the {kind} {new} ({install.instrument}, {install.environment}, {install.at} by "
        f"{install.who})"
    )
    if unfinished.stage == "announced":
        return f"{subject} was interrupted before it changed anything: champion is {old}"
    if unfinished.stage == "promoted":
        not_healthy = (
            f"{subject} was interrupted: champion is {new}, but the service was not seen healthy "
            "with it: "
        )
        if not install.package:
            return f"{not_healthy}`ares deploy rollback` completes it"
        return (
            f"{not_healthy}`ares deploy install` of the same package completes it, `ares deploy "
            "rollback` reverts it"
        )
    return (
        f"{subject} was interrupted while it was reverted: champion is {old}, but the service was "
        "not seen healthy with it: `ares deploy rollback` restarts and checks it"
    )
