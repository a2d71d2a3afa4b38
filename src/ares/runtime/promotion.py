"""Who is champion where: an append-only, chained list of promotions, folded when asked."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ares.adapters.model_store import ModelStore
from ares.config.workspace import Workspace
from ares.domain.errors import UserMistake
from ares.domain.model import Ensemble
from ares.journal.log import Lock, Writer, read

ENVIRONMENTS = ("history", "paper", "live")


class Promotion(msgspec.Struct, frozen=True):
    """One ensemble became champion of its instrument in an environment."""

    environment: str
    instrument: str
    ensemble_hash: str
    previous_hash: str
    at: str
    who: str
    reason: str
    forced: bool


def promote(
    workspace: Workspace, target: str | None, to: str, force: bool, reason: str | None
) -> list[Promotion]:
    """Make ensembles champions of ``to`` and return what was written.

    target : an ensemble's hash (or its beginning), an instrument (key or symbol), or None for the
             newest candidate of every instrument.
    Raises UserMistake: an unknown target or environment, no reason for a forced promotion, or a
    promotion without a passing verdict.
    """
    if to not in ENVIRONMENTS:
        raise UserMistake(f"unknown environment '{to}': use one of {', '.join(ENVIRONMENTS)}")
    if not force:
        raise UserMistake(
            "no passing verdict: the gate has not judged this ensemble; to rehearse with it in"
            " history, use --force --reason rehearsal"
        )
    if not reason or not reason.strip():
        raise UserMistake("a forced promotion needs a reason: --reason TEXT")
    if to != "history":
        raise UserMistake(f"--force is for rehearsals: it promotes to history, not to {to}")
    models = ModelStore(workspace.models_dir)
    chosen = _targets(models, target)
    folder = promotions_dir(workspace.journal_dir)
    lock = Lock(folder, "another promotion", "nothing was promoted: look at what it did, try again")
    try:
        before = champions(workspace.journal_dir, to)
        made = [
            Promotion(
                to,
                ensemble.instrument,
                ensemble.hash,
                before.get(ensemble.instrument, ""),
                datetime.now(UTC).isoformat(timespec="seconds"),
                getpass.getuser(),
                reason.strip(),
                force,
            )
            for ensemble in chosen
        ]
        writer = Writer(folder)
        for promotion in made:
            writer.append(msgspec.msgpack.encode(promotion))
        writer.close()
    finally:
        lock.release()
    return made


def promotions_dir(journal_dir: Path) -> Path:
    """Return the folder of the promotions' journal."""
    return journal_dir / "models"


def promotions(journal_dir: Path) -> list[Promotion]:
    """Return every promotion, oldest first, verified."""
    folder = promotions_dir(journal_dir)
    return [msgspec.msgpack.decode(raw, type=Promotion) for raw in read(folder)]


def champions(journal_dir: Path, environment: str) -> dict[str, str]:
    """Return the champion's ensemble hash by instrument key."""
    kind = environment.partition("/")[0]
    return {p.instrument: p.ensemble_hash for p in promotions(journal_dir) if p.environment == kind}


def _targets(models: ModelStore, target: str | None) -> list[Ensemble]:
    """Return the ensembles that a person means."""
    ensembles = models.listed().ensembles  # newest first
    if not ensembles:
        raise UserMistake("there is no ensemble yet: `ares train` makes some")
    newest: dict[str, Ensemble] = {}
    for ensemble in ensembles:
        newest.setdefault(ensemble.instrument, ensemble)
    if target is None:
        return sorted(newest.values(), key=lambda e: e.instrument)
    named = [e for key, e in newest.items() if target in (key, key.partition(":")[2])]
    if len(named) > 1:
        keys = ", ".join(e.instrument for e in named)
        raise UserMistake(f"'{target}' is on more than one venue: name one of {keys}")
    if not named and not set(target) <= set("0123456789abcdef"):
        raise UserMistake(f"no model of '{target}': `ares models list` shows all")
    return named or [models.ensemble(target)]
