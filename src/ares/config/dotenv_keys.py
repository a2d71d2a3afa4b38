"""API keys that lie in ``.env`` in plain text: found, and removed once they are stored."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from ares.config.variables import variables
from ares.domain.api_key import ApiKey, key_name

LIVE_VENUES = ("kraken", "alpaca", "binance")
_NAME = re.compile(r"\s*(?:export\s+)?([A-Za-z_]\w*)\s*=")


class DotenvKey(NamedTuple):
    """A key and its secret in ``.env``, under the name that it gets in the key file."""

    name: str
    venue: str
    variables: tuple[str, str]
    key: ApiKey


def keys_in_dotenv(path: Path, venue: str) -> tuple[list[DotenvKey], list[str]]:
    """Return the keys of a ``.env``, and the variables that lack their other half.

    venue : of the workspace: that of a rehearsal whose name begins with no venue.
    """
    set_here = {name: text.strip() for name, text in variables(path, {}, "").items()}
    found, halves = [], []
    for first, second, name, of in _pairs(set_here, venue):
        key, secret = set_here.get(first, ""), set_here.get(second, "")
        if key and secret:
            found.append(DotenvKey(name, of, (first, second), ApiKey(key, secret)))
        elif key or secret:
            halves.append(first if key else second)
    return found, halves


def without_lines(text: bytes, names: Collection[str]) -> bytes:
    r"""Return a ``.env`` without the lines of some variables; all others are as they were.

    >>> without_lines(b"A=1\nexport B=2\n# B=3\n", {"B"})
    b'A=1\n# B=3\n'
    """
    kept, quote = [], b""
    for line in text.splitlines(keepends=True):
        if quote:  # inside of a removed value that goes over several lines
            quote = b"" if quote in line else quote
            continue
        match = _NAME.match(line.decode("utf-8", errors="replace"))
        if match is None or match[1] not in names:
            kept.append(line)
            continue
        value = line.partition(b"=")[2].strip()
        if value[:1] in (b"'", b'"') and value.count(value[:1]) == 1:
            quote = value[:1]
    return b"".join(kept)


def _pairs(set_here: Iterable[str], venue: str) -> list[tuple[str, str, str, str]]:
    """Return (key's variable, secret's variable, name in the key file, venue)."""
    pairs = [
        (f"{of.upper()}_API_KEY", f"{of.upper()}_API_SECRET", key_name("live", of), of)
        for of in LIVE_VENUES
    ]
    stems = {
        name.removesuffix(end)
        for name in set_here
        for end in ("_KEY", "_SECRET")
        if name.startswith(("REHEARSAL_", "LIVE")) and name.endswith(end)
    }
    for stem in sorted(stems):
        environment, _, rest = stem.partition("_")
        name = rest.lower().replace("_", "-")
        if environment == "REHEARSAL" and name:
            of = next((known for known in LIVE_VENUES if name.startswith(known)), venue)
            pairs.append((f"{stem}_KEY", f"{stem}_SECRET", f"rehearsal/{name}", of))
        elif stem == "LIVE" or environment == "LIVE":
            pairs.append((f"{stem}_KEY", f"{stem}_SECRET", key_name("live", venue, name), venue))
    return pairs
