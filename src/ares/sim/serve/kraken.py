"""Kraken's protocol: REST under /0, WebSocket v2 at /v2; of an account, too."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping

from ares.sim.serve.keys import SimKey
from ares.sim.serve.kraken_account import SimKrakenAccount
from ares.sim.serve.kraken_rest import KrakenRest
from ares.sim.serve.kraken_socket import KrakenSession
from ares.sim.serve.sockets import Socket
from ares.sim.serve.venue import Answer, SignedRequest, SimVenue


class Kraken:
    """The face of a market that speaks Kraken's protocol.

    keys : of the account; without any, or without an exchange, only public data is served.
    tier : of the call counters (``kraken_keys.TIERS``); empty: they are off.
    """

    socket_paths: tuple[str, ...] = ("/v2",)

    def __init__(
        self, venue: SimVenue, keys: Iterable[SimKey] = (), tier: str = "intermediate"
    ) -> None:
        self._venue = venue
        self._rest = KrakenRest(venue)
        self.account = None
        if venue.exchange is not None:
            self.account = SimKrakenAccount(venue, venue.exchange, keys, self._rest.symbol, tier)
        self._numbers = itertools.count(1)

    def answer(self, path: str, query: Mapping[str, str]) -> Answer:
        """Return the answer of REST."""
        return self._rest.answer(path, query)

    def private(self, request: SignedRequest) -> Answer | None:
        """Return the answer of private REST; None: the request is a public one."""
        if self.account is None or not request.path.startswith("/0/private/"):
            return None
        return self.account.rest.answer(request)

    def tick(self) -> None:
        """Keep what the fault ``stale`` shows."""
        if self.account is not None:
            self.account.views.tick()

    def refusal(self, status: int) -> bytes:
        """Return the body of a refused request."""
        return self._rest.refusal(status)

    def session(self, socket: Socket, _path: str, _query: Mapping[str, str]) -> KrakenSession:
        """Return the session of a new socket."""
        return KrakenSession(socket, self._venue, next(self._numbers), self.account)
