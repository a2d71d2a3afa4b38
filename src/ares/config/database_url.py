"""The database that the variables TIMESCALE_HOST, _PORT, _USER, _PASSWORD and _DB name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from ares.config.variables import variables
from ares.domain.errors import UserError

PREFIX = "TIMESCALE_"
NAMES = ("HOST", "PORT", "USER", "PASSWORD", "DB")


def timescale_url(dotenv: Path, environ: Mapping[str, str]) -> str | None:
    """Return the URL that the variables give; None where TIMESCALE_HOST is not set.

    dotenv : a file with variables; those of ``environ`` override it.

    >>> names = {"TIMESCALE_HOST": "db", "TIMESCALE_USER": "a", "TIMESCALE_PASSWORD": "p@"}
    >>> timescale_url(Path("none"), names)
    'postgresql://a:p%40@db:5432/ares'
    """
    found = variables(dotenv, environ, PREFIX)
    host, port, user, password, name = (found.get(PREFIX + each, "").strip() for each in NAMES)
    if not host:
        return None
    if port and not port.isdigit():
        raise UserError(f"{PREFIX}PORT is not a number ({port!r}): write the port, such as 5432")
    login = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
    return (
        f"postgresql://{login}{'@' if login else ''}{host}:{port or 5432}/{quote(name or 'ares')}"
    )
