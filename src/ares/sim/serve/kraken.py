"""Kraken's protocol: REST under /0, WebSocket v2 at /v2."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from ares.sim.serve.kraken_rest import KrakenRest
from ares.sim.serve.kraken_socket import KrakenSession
from ares.sim.serve.sockets import Socket
from ares.sim.serve.venue import Answer, SimVenue


class Kraken:
    """The face of a market that speaks Kraken's protocol."""

    socket_paths: tuple[str, ...] = ("/v2",)

    def __init__(self, venue: SimVenue) -> None:
        self._venue = venue
        self._rest = KrakenRest(venue)
        self._numbers = itertools.count(1)

    def answer(self, path: str, query: Mapping[str, str]) -> Answer:
        """Return the answer of REST."""
        return self._rest.answer(path, query)

    def refusal(self, status: int) -> bytes:
        """Return the body of a refused request."""
        return self._rest.refusal(status)

    def session(self, socket: Socket, _path: str, _query: Mapping[str, str]) -> KrakenSession:
        """Return the session of a new socket."""
        return KrakenSession(socket, self._venue, next(self._numbers))
