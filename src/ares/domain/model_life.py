"""The records of the models' journal: tried, judged, promoted, imported, installed, archived."""

from __future__ import annotations

import hashlib
import re

import msgspec

from ares.domain.trial import Trial

LIVE = "live"
ENVIRONMENTS = ("history", "paper", LIVE)

_REHEARSAL = re.compile(r"rehearsal/[a-z0-9][a-z0-9_-]{0,30}")


def is_rehearsal(environment: str) -> bool:
    """Return whether an environment is live against a server of one's own, or a sandbox.

    >>> [is_rehearsal(name) for name in ("rehearsal/kraken", "rehearsal/", "live")]
    [True, False, False]
    """
    return _REHEARSAL.fullmatch(environment) is not None


def is_environment(name: str) -> bool:
    """Return whether a champion may be of this environment."""
    return name in ENVIRONMENTS or is_rehearsal(name)


def slots_of(environment: str) -> str:
    """Return whose champions an environment has: all history runs have those of ``history``.

    >>> [slots_of(name) for name in ("history/may", "paper", "rehearsal/kraken")]
    ['history', 'paper', 'rehearsal/kraken']
    """
    return "history" if environment.startswith("history/") else environment


class VerdictBasis(msgspec.Struct, frozen=True):
    """What a verdict rests on beside the ensemble. Once one of these has changed, the verdict is
    not of today's evidence any more.

    champion : hash of the environment's champion that it was compared with; empty: none.
    rule, limits : of the gate, the limits as a hash.
    terms    : hash of costs, sizes, stops and capital.
    trials   : distinct recipes tried by then.
    code     : hash of the kernel and of the features.
    """

    champion: str
    rule: str
    limits: str
    terms: str
    trials: int
    code: str

    def changed(self, now: VerdictBasis) -> tuple[str, ...]:
        """Return the names of the fields that differ."""
        return tuple(
            name for name in self.__struct_fields__ if getattr(self, name) != getattr(now, name)
        )


class VerdictRecorded(msgspec.Struct, frozen=True, tag=True):
    """An ensemble was judged for an environment.

    failed : names of the lines that did not pass.
    verdict_hash : of the verdict; file, file_hash : its file in ``models/verdicts``, and SHA-256.
    plausible_by, plausible_reason : the person who answers for results above the limits of
                   plausibility, and why they are true; empty: nobody had to.
    """

    environment: str
    instrument: str
    ensemble_hash: str
    passed: bool
    failed: tuple[str, ...]
    verdict_hash: str
    evidence_hash: str
    basis: VerdictBasis
    file: str
    file_hash: str
    at: str
    who: str
    plausible_by: str = ""
    plausible_reason: str = ""


class EnsemblePromoted(msgspec.Struct, frozen=True, tag=True):
    """An ensemble became champion of its instrument in an environment.

    ensemble_hash : empty: there is no champion any more.
    verdict_hash : of the passing verdict; empty where it was forced.
    rolled_back  : a former champion came back; the one that it replaced is archived.
    reverted     : the one that it replaced did not come into service, so its promotion is undone;
                   it is not archived, and a rollback does not go to it.
    """

    environment: str
    instrument: str
    ensemble_hash: str
    previous_hash: str
    at: str
    who: str
    reason: str
    forced: bool
    verdict_hash: str = ""
    rolled_back: bool = False
    reverted: bool = False


class EnsembleArchived(msgspec.Struct, frozen=True, tag=True):
    """An ensemble was archived for good: it is not promoted any more."""

    ensemble_hash: str
    at: str
    who: str
    reason: str


class ModelsImported(msgspec.Struct, frozen=True, tag=True):
    """Models that were made elsewhere were stored in this workspace.

    packages      : ``name/version`` of each. ensemble_hash : empty: no ensemble came with them.
    source        : the name of the file or folder that held them.
    """

    packages: tuple[str, ...]
    ensemble_hash: str
    source: str
    at: str
    who: str


class RequestRefused(msgspec.Struct, frozen=True, tag=True):
    """A request on a model was refused; nothing changed.

    action : validate, promote, rollback, archive, import or install.
    target : the ensemble's hash; where there is none, the name in the request.
    """

    action: str
    target: str
    environment: str
    reason: str
    at: str
    who: str


class InstallStarted(msgspec.Struct, frozen=True, tag=True):
    """A package was approved and is being put into service: the promotion and the restart follow.

    previous_hash : the champion to go back to; empty: none.
    package, package_hash : the file's name and SHA-256; empty for a rollback.
    approved : ``at the terminal`` or ``--yes``.
    """

    environment: str
    instrument: str
    ensemble_hash: str
    previous_hash: str
    package: str
    package_hash: str
    at: str
    who: str
    reason: str
    approved: str


class InstallCompleted(msgspec.Struct, frozen=True, tag=True):
    """The restarted service was healthy ``checks`` times in a row with this champion."""

    environment: str
    instrument: str
    ensemble_hash: str
    checks: int
    at: str
    who: str


class InstallFailed(msgspec.Struct, frozen=True, tag=True):
    """The service did not come up with a new champion, and the previous one was restored.

    restored_hash : the champion again; empty: none.
    healthy       : whether the service came up with that one; None: it was not restarted.
    """

    environment: str
    instrument: str
    ensemble_hash: str
    restored_hash: str
    healthy: bool | None
    reason: str
    at: str
    who: str


Record = (
    Trial
    | VerdictRecorded
    | EnsemblePromoted
    | EnsembleArchived
    | ModelsImported
    | RequestRefused
    | InstallStarted
    | InstallCompleted
    | InstallFailed
)


def hash_of(value: object) -> str:
    """Return the SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()
