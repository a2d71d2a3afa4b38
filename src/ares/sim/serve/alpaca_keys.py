"""Alpaca's API keys: the secret travels in the headers; 200 requests a minute."""

from __future__ import annotations

import hmac
from collections import deque
from collections.abc import Callable, Iterable, Mapping

from ares.sim.serve.alpaca_words import AlpacaError
from ares.sim.serve.keys import SimKey

REQUESTS_MAX, WINDOW_S = 200, 60.0


class AlpacaKeys:
    """The keys of the account.

    wall_s  : seconds of wall time, monotonic, which the limit follows.
    revoked : whether the name or text of a key is refused now (a fault).
    limit   : of requests in a minute of a key; 0: none.
    """

    def __init__(
        self,
        keys: Iterable[SimKey],
        wall_s: Callable[[], float],
        revoked: Callable[[str], bool] = lambda _: False,
        limit: int = REQUESTS_MAX,
    ) -> None:
        self._keys = {key.key: key for key in keys}
        self._wall_s, self._revoked, self._limit = wall_s, revoked, limit
        self._asked_s: dict[str, deque[float]] = {}

    def admit(self, headers: Mapping[str, str]) -> SimKey:
        """Return the key of a request, and count it; raise AlpacaError."""
        given = {name.lower(): value for name, value in headers.items()}
        key = self.key(given.get("apca-api-key-id", ""), given.get("apca-api-secret-key", ""))
        if key is None:
            raise AlpacaError(401, 40110000, "request is not authorized")
        requested, now_s = self._asked_s.setdefault(key.key, deque()), self._wall_s()
        while requested and requested[0] <= now_s - WINDOW_S:
            requested.popleft()
        if self._limit and len(requested) >= self._limit:
            raise AlpacaError(429, 42910000, "rate limit exceeded")
        requested.append(now_s)
        return key

    def key(self, name: str, secret: str) -> SimKey | None:
        """Return a key that is valid now."""
        key = self._keys.get(name)
        if key is None or self.is_revoked(key):
            return None
        return key if hmac.compare_digest(key.secret.encode(), secret.encode()) else None

    def is_revoked(self, key: SimKey) -> bool:
        """Return whether a key is refused now."""
        return self._revoked(f"{key.name} {key.key}")


def require(key: SimKey, *rights: str) -> None:
    """Raise AlpacaError for a key that has none of these rights.

    Alpaca's own keys have them all; those of this server that read or cancel alone are refused so.
    """
    if not set(rights) & set(key.rights):
        raise AlpacaError(403, 40310000, "access denied: the key lacks this right")
