"""Sends signed requests to one host: over TLS, or to a server of this machine."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from ares.domain.api_key import ApiKey
from ares.domain.errors import ExternalError, UserError
from ares.venues.ccxt_setup import SANDBOX
from ares.venues.signing import PrivateCall, VenueSigning

if TYPE_CHECKING:
    import aiohttp

ANSWER_S = 10.0
BODY_MAX = 32 << 20
AGENT = {"User-Agent": "ares", "Accept-Encoding": "gzip, deflate"}


class VenueAnswer(NamedTuple):
    """What a venue answered."""

    status: int
    reason: str
    headers: dict[str, str]
    body: bytes


class NotSendable(Exception):
    """A request that the list of the venue's requests does not have; it was not sent."""


def pinned_host(signing: VenueSigning, address: str | None) -> str:
    """Return the only host that requests are sent to.

    address : of a server of this machine, or ``SANDBOX``, for a rehearsal; None: the venue's own.

    Raises UserError where it is neither.
    """
    if address is None:
        return signing.host
    if address == SANDBOX:
        if not signing.sandbox:
            raise UserError(f"{signing.venue} has no sandbox")
        return signing.sandbox
    found = urlsplit(address)
    host = found.hostname or ""
    try:
        is_own = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_own = False
    if not is_own or found.scheme not in ("http", "https") or found.path.strip("/"):
        raise UserError(
            f"--address {address} is not on this machine: keys are sent to {signing.host}, or in a"
            " rehearsal to a loopback address such as http://127.0.0.1:8600"
        )
    return f"{found.scheme}://{found.netloc}"


class Sender:
    """The way of one key to its venue.

    now_ms : of the machine's clock: nonces are made of it, and increase when it is set back.
    rights : of the venue's requests that are sent.
    """

    def __init__(
        self,
        signing: VenueSigning,
        key: Callable[[], ApiKey],
        now_ms: Callable[[], int],
        address: str | None = None,
        rights: tuple[str, ...] = ("query", "trade", "cancel"),
    ) -> None:
        self._signing, self._key, self._now_ms = signing, key, now_ms
        self._host, self._rights = pinned_host(signing, address), rights
        self._nonce = 0
        self._session: aiohttp.ClientSession | None = None

    @property
    def host(self) -> str:
        """Return the host that everything is sent to."""
        return self._host

    def require(self, call: PrivateCall) -> None:
        """Raise NotSendable for a request that does not trade, query or cancel."""
        if self._signing.right(call.method, call.path) not in self._rights:
            raise NotSendable(
                f"{call.method} {call.path[:80]!r} is not sent with this key: it does not"
                f" {', '.join(self._rights)}"
            )
        if any(part in call.query + call.body for part in ("\r", "\n", "\0")):
            raise NotSendable("a request with control characters is not sent")

    async def send(self, call: PrivateCall, answer_s: float = ANSWER_S) -> VenueAnswer:
        """Sign and send a request; raise NotSendable, ConnectionError or TimeoutError."""
        import aiohttp
        from yarl import URL

        self.require(call)
        session = self._opened()
        self._nonce = max(self._nonce + 1, self._now_ms())
        signed = self._signing.sign(self._key(), call, self._nonce)
        url = URL(self._host + signed.target, encoded=True)
        try:
            async with asyncio.timeout(answer_s), session.request(
                signed.method, url, data=signed.body or None, headers=signed.headers,
                allow_redirects=False,
            ) as response:  # fmt: skip
                body = await response.content.read(BODY_MAX + 1)
                while len(body) <= BODY_MAX and not response.content.at_eof():
                    body += await response.content.read(BODY_MAX + 1)
                if len(body) > BODY_MAX:
                    raise ConnectionError("the answer is larger than 32 MiB")
                headers = {str(name): str(value) for name, value in response.headers.items()}
                return VenueAnswer(response.status, str(response.reason or ""), headers, body)
        except aiohttp.ClientError as error:
            raise ConnectionError(f"{type(error).__name__}: {error}") from None

    async def ask(self, call: PrivateCall) -> tuple[int, bytes]:
        """Return status and body; raise ExternalError where there is no answer."""
        try:
            answer = await self.send(call)
        except (ConnectionError, TimeoutError) as error:
            text = " ".join(str(error).split()) or "timed out"
            raise ExternalError(f"{self._signing.venue} at {self._host}: {text}") from None
        return answer.status, answer.body

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        """Return the session: no proxy, no cookies, no redirect, certificates checked."""
        import aiohttp

        if self._session is None:
            context = ssl.create_default_context() if self._host.startswith("https") else True
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=context, limit=8, keepalive_timeout=30.0),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=AGENT,
                trust_env=False,
                timeout=aiohttp.ClientTimeout(total=None),
            )
        return self._session
