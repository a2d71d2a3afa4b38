"""The key of an account's API, and what it is called."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

ROLES = ("", "reader", "watchdog")
"""Whose key it is: the engine's, of what only reads, the watchdog's."""


class ApiKey(NamedTuple):
    """A key and its secret, which is never printed.

    >>> ApiKey("abcdefgh", "secret")
    ApiKey(abcd...)
    """

    key: str
    secret: str

    def __repr__(self) -> str:
        """Return a text without the secret."""
        return f"ApiKey({self.key[:4]}...)"

    @property
    def fingerprint(self) -> str:
        """Return what tells one key from another, and gives nothing of it away."""
        return hashlib.sha256(f"ares key {self.key}".encode()).hexdigest()[:32]


def key_name(environment: str, venue: str, role: str = "") -> str:
    """Return the name of an environment's key.

    >>> key_name("live", "kraken"), key_name("rehearsal/kraken", "kraken", "watchdog")
    ('live/kraken', 'rehearsal/kraken-watchdog')
    """
    stem = f"live/{venue}" if environment == "live" else environment
    return f"{stem}-{role}" if role else stem


def role_of(name: str) -> str:
    """Return whose key a name is.

    >>> role_of("live/kraken-reader"), role_of("rehearsal/kraken-2")
    ('reader', '')
    """
    return next((role for role in ROLES[1:] if name.endswith(f"-{role}")), "")
