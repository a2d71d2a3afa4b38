"""The key of an environment's account at its venue, until the encrypted store holds it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ares.config.variables import variables
from ares.domain.api_key import ApiKey
from ares.domain.errors import UserError


def names_of(environment: str) -> tuple[str, str]:
    """Return the names of the two variables.

    >>> names_of("rehearsal/kraken-2")
    ('REHEARSAL_KRAKEN_2_KEY', 'REHEARSAL_KRAKEN_2_SECRET')
    """
    stem = environment.upper().replace("/", "_").replace("-", "_")
    return f"{stem}_KEY", f"{stem}_SECRET"


def account_key(dotenv: Path, environ: Mapping[str, str], environment: str) -> ApiKey | None:
    """Return the key of an environment's account; None: neither variable is set.

    dotenv : a file with variables; those of ``environ`` override it.

    Raises UserError where only one of the two is set.

    >>> account_key(Path("none"), {"LIVE_KEY": "abcdef", "LIVE_SECRET": "s"}, "live")
    ApiKey(abcd...)
    """
    names = names_of(environment)
    stem = names[0].removesuffix("KEY")
    found = variables(dotenv, environ, stem)
    key, secret = (found.get(name, "").strip() for name in names)
    if bool(key) != bool(secret):
        missing = names[1] if key else names[0]
        raise UserError(f"{missing} is not set: the key of an account and its secret go together")
    return ApiKey(key, secret) if key else None
