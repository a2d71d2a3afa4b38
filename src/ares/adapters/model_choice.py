"""The model that an instrument's name stands for where it has no champion."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ares.adapters.model_store import StoredModels
from ares.domain.instrument import is_called
from ares.domain.model import Ensemble

SHARE_MIN = 0.5
"""A model of less than this share of the longest training window is passed over: a training on one
day for a try must not become what is traded."""


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """The ensemble that was taken, and why."""

    ensemble: Ensemble
    reason: str


def choose_model(
    models: StoredModels,
    instrument: str,
    judged: Collection[str] = (),
    without: Collection[str] = (),
) -> ModelChoice | None:
    """Return an instrument's newest ensemble that was judged, else the newest with enough rows.

    judged  : hashes of ensembles with a verdict, passed or not.
    without : hashes of archived ensembles.

    Returns None where there is no ensemble. Ensembles are ordered as in ``StoredModels.of``.
    """
    candidates = [e for e in models.of(instrument) if e.hash not in without]
    if not candidates:
        return None
    with_verdict = [e for e in candidates if e.hash in judged]
    if with_verdict:
        chosen, reason = with_verdict[0], "the newest with a verdict"
    else:
        rank = models.rank(candidates[0])
        windows_ms = {e: _window_ms(models, e) for e in candidates if models.rank(e) == rank}
        least_ms = SHARE_MIN * max(windows_ms.values())
        chosen = next(e for e, window_ms in windows_ms.items() if window_ms >= least_ms)
        reason = "the newest"
        if chosen is not candidates[0]:
            reason = "the newest with enough rows"
    newer = sum(e.created_at > chosen.created_at for e in candidates)
    passed_over = f" ({newer} newer passed over)" if newer else ""
    return ModelChoice(chosen, f"{chosen.hash[:12]}, {reason}{passed_over}")


def choose_by_symbol(
    models: StoredModels,
    name: str,
    judged: Collection[str] = (),
    without: Collection[str] = (),
) -> ModelChoice | None:
    """Return what a symbol or key means; None where it names no instrument, or several."""
    keys = {e.instrument for e in models.ensembles if is_called(e.instrument, name)}
    return choose_model(models, keys.pop(), judged, without) if len(keys) == 1 else None


def _window_ms(models: StoredModels, ensemble: Ensemble) -> int:
    """Return the length of the longest training window of an ensemble's members."""
    names = {(member.name, member.version) for member in ensemble.members}
    return max(
        (
            card.data_to_ms - card.data_from_ms
            for card in models.packages
            if (card.name, card.version) in names
        ),
        default=0,
    )
