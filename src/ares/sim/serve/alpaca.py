"""Alpaca's protocol of crypto: /v2 (trading), /v1beta3/crypto (data), and both streams."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from ares.sim.serve.alpaca_account import SimAlpacaAccount, TradingStream
from ares.sim.serve.alpaca_data import AlpacaData
from ares.sim.serve.alpaca_socket import DataStream
from ares.sim.serve.keys import SimKey
from ares.sim.serve.sockets import Socket
from ares.sim.serve.venue import Answer, Session, SignedRequest, SimVenue


class Alpaca:
    """The face of a market that speaks Alpaca's protocol.

    keys : of the account; without an exchange only market data is served.
    tier : ``none``: requests are not limited.
    """

    socket_paths: tuple[str, ...] = ("/stream", "/v1beta2/crypto", "/v1beta3/crypto")

    def __init__(
        self, venue: SimVenue, keys: Iterable[SimKey] = (), tier: str = "intermediate"
    ) -> None:
        self._venue = venue
        self._data = AlpacaData(venue)
        self.account = None
        if venue.exchange is not None:
            self.account = SimAlpacaAccount(venue, venue.exchange, keys, tier)

    def answer(self, path: str, query: Mapping[str, str]) -> Answer:
        """Return the answer of market data."""
        return self._data.answer(path, query)

    def private(self, request: SignedRequest) -> Answer | None:
        """Return the answer of a request of the account; None: it is of market data."""
        if self.account is None or not request.path.startswith("/v2/"):
            return None
        return self.account.rest.answer(request)

    def tick(self) -> None:
        """Keep what the fault ``stale`` shows."""
        if self.account is not None:
            self.account.views.tick()

    def refusal(self, status: int) -> bytes:
        """Return the body of a refused request."""
        message = "too many requests." if status == 429 else "service unavailable"
        return msgspec.json.encode({"code": status * 100_000 + 10_000, "message": message})

    def session(self, socket: Socket, path: str, _query: Mapping[str, str]) -> Session:
        """Return the session of a new socket."""
        if path.startswith("/stream"):
            return TradingStream(socket, self.account)
        return DataStream(socket, self._venue, self._data, self.account)
