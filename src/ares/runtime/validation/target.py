"""Which ensemble and which environment a command names; nothing heavy is imported for it."""

from __future__ import annotations

from collections.abc import Collection

from ares.adapters.model_choice import choose_model
from ares.adapters.model_store import ModelStore
from ares.domain.errors import UserError
from ares.domain.instrument import is_called
from ares.domain.model import Ensemble
from ares.domain.model_life import ENVIRONMENTS, is_environment


def require_environment(environment: str) -> None:
    """Raise UserError where there is no such environment."""
    if not is_environment(environment):
        raise UserError(
            f"unknown environment '{environment}': use {', '.join(ENVIRONMENTS)} or rehearsal/NAME"
        )


def find(models: ModelStore, target: str, without: Collection[str] = ()) -> Ensemble:
    """Return the ensemble that ``target`` names; of a package, the ensemble of it alone.

    That one is stored when it is validated, promoted or archived; finding it changes nothing.

    without : hashes that an instrument's name does not mean while it has others.
    """
    keys = {ensemble.instrument for ensemble in models.listed().ensembles}
    named = sorted(key for key in keys if is_called(key, target))
    if len(named) > 1:
        raise UserError(f"'{target}' is on more than one venue: name one of {', '.join(named)}")
    newest = choose_model(models.listed(), named[0], without=without) if named else None
    if newest is not None:
        return newest.ensemble
    found = models.resolve(target)
    if isinstance(found, Ensemble):
        return found
    card = found.card
    if len(card.instruments) != 1:
        raise UserError(
            f"{card.ref} was made for {len(card.instruments)} instruments: name one of their "
            "ensembles (`ares models list`)"
        )
    return found.alone(card.instruments[0], card.created_at)
