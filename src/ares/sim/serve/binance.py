"""Binance's spot protocol: REST at /api/v3, streams at /ws and /stream, the API at /ws-api/v3."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ares.sim.serve.binance_account import SimBinanceAccount
from ares.sim.serve.binance_rest import BinanceRest
from ares.sim.serve.binance_socket import BinanceApi, BinanceStreams, streams_of
from ares.sim.serve.keys import SimKey
from ares.sim.serve.sockets import Socket
from ares.sim.serve.venue import Answer, Session, SignedRequest, SimVenue


class Binance:
    """The face of a market that speaks Binance's protocol.

    keys : of the account; without an exchange only public data is served.
    """

    socket_paths: tuple[str, ...] = ("/ws", "/stream")

    def __init__(self, venue: SimVenue, keys: Iterable[SimKey] = ()) -> None:
        self._venue = venue
        self._rest = BinanceRest(venue)
        self.account = None
        if venue.exchange is not None:
            self.account = SimBinanceAccount(venue, venue.exchange, keys, self._rest)

    def answer(self, path: str, query: Mapping[str, str]) -> Answer:
        """Return the answer of REST."""
        return self._rest.answer(path, query)

    def private(self, request: SignedRequest) -> Answer | None:
        """Return the answer of a signed request; None: it is a public one."""
        return None if self.account is None else self.account.private.answer(request)

    def tick(self) -> None:
        """Keep what the fault ``stale`` shows."""
        if self.account is not None:
            self.account.views.tick()

    def refusal(self, status: int) -> bytes:
        """Return the body of a refused request."""
        return self._rest.refusal(status)

    def session(self, socket: Socket, path: str, query: Mapping[str, str]) -> Session:
        """Return the session of a new socket."""
        if path.startswith("/ws-api"):
            return BinanceApi(socket, self._rest, self.account)
        streams, combined = streams_of(path, query)
        return BinanceStreams(socket, self._venue, streams, combined=combined)
