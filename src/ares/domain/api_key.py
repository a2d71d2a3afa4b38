"""The key of an account's API."""

from __future__ import annotations

from typing import NamedTuple


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
