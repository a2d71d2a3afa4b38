"""Where a deployment stands, as the models' journal tells it: also after a kill at any point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ares.domain.model_life import (
    EnsemblePromoted,
    InstallCompleted,
    InstallFailed,
    InstallStarted,
    Record,
)

Stage = Literal["announced", "promoted", "taken back"]


@dataclass(frozen=True, slots=True)
class UnfinishedInstall:
    """An install whose end is not in the journal.

    stage : ``announced``: nothing has changed yet. ``promoted``: the new one is champion, and the
            service was not seen healthy with it. ``taken back``: the champion before is back, and
            the service was not seen healthy with that.
    """

    install: InstallStarted
    stage: Stage

    @property
    def sentence(self) -> str:
        """Return what happened, who is champion, and what to do."""
        one = self.install
        new, old = one.ensemble_hash[:12], one.previous_hash[:12] or "nobody"
        kind = "install of" if one.package else "rollback to"
        what = f"the {kind} {new} ({one.instrument}, {one.environment}, {one.at} by {one.who})"
        if self.stage == "announced":
            return f"{what} was interrupted before it changed anything: champion is {old}"
        if self.stage == "promoted" and not one.package:
            return (
                f"{what} was interrupted: champion is {new}, but the service was not seen healthy "
                "with it: `ares deploy rollback` goes on"
            )
        if self.stage == "promoted":
            return (
                f"{what} was interrupted: champion is {new}, but the service was not seen healthy "
                "with it: `ares deploy install` of the same package goes on, `ares deploy "
                "rollback` takes it back"
            )
        return (
            f"{what} was interrupted while it was taken back: champion is {old}, but the service "
            "was not seen healthy with it: `ares deploy rollback` restarts and checks it"
        )


def unfinished(records: Sequence[Record], environment: str) -> list[UnfinishedInstall]:
    """Return the newest install of each instrument that has no end, where it still matters."""
    found = []
    for instrument in dict.fromkeys(
        one.instrument
        for one in records
        if isinstance(one, InstallStarted) and one.environment == environment
    ):
        mine = [
            one
            for one in records
            if isinstance(one, InstallStarted | InstallCompleted | InstallFailed | EnsemblePromoted)
            and (one.environment, one.instrument) == (environment, instrument)
        ]
        place = max(k for k, one in enumerate(mine) if isinstance(one, InstallStarted))
        begun, later = mine[place], mine[place + 1 :]
        assert isinstance(begun, InstallStarted)
        if any(isinstance(one, InstallCompleted | InstallFailed) for one in later):
            continue
        crowned = [one for one in later if isinstance(one, EnsemblePromoted)]
        stage = _stage(begun, crowned)
        if stage is not None:
            found.append(UnfinishedInstall(begun, stage))
    return found


def last_end(
    records: Sequence[Record], environment: str, instrument: str
) -> InstallCompleted | InstallFailed | None:
    """Return how the newest finished install of an instrument ended."""
    ends = [
        one
        for one in records
        if isinstance(one, InstallCompleted | InstallFailed)
        and (one.environment, one.instrument) == (environment, instrument)
    ]
    return ends[-1] if ends else None


def _stage(begun: InstallStarted, crowned: Sequence[EnsemblePromoted]) -> Stage | None:
    """Return where an install stands; None where somebody else has crowned another one since."""
    if not crowned:
        return "announced"
    last = crowned[-1]
    if last.taken_back and last.previous_hash == begun.ensemble_hash:
        return "taken back"
    return "promoted" if last.ensemble_hash == begun.ensemble_hash else None
