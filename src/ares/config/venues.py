"""The known venues: those of ccxt, and ``simulated`` for synthetic markets."""

from __future__ import annotations

import difflib
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from ares.domain.errors import UserError

SIMULATED = "simulated"


@lru_cache(maxsize=1)
def known_venues() -> frozenset[str]:
    """Return the names of all venues, without importing ccxt, which takes more than a second."""
    spec = find_spec("ccxt")
    folders = [] if spec is None else list(spec.submodule_search_locations or ())
    files = [path for folder in folders for path in Path(folder).glob("[!_]*.py")]
    return frozenset(path.stem for path in files) | {SIMULATED}


def require_known_venue(name: str) -> None:
    """Raise UserError, with the nearest name, for an unknown venue."""
    known = known_venues()
    if name not in known:
        near = difflib.get_close_matches(name, sorted(known), n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UserError(
            f"unknown venue '{name}': {hint}Write its ccxt name, "
            f"such as binance, or {SIMULATED} for synthetic candles"
        )
