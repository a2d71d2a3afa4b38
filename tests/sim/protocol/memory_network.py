"""The network between a client and a venue server of the same process: requests and sockets.

It stands in for aiohttp's client session below ccxt and for its requests in front of the server.
Bytes are the same as over a real connection; signing, parsing and errors are ccxt's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, cast

import aiohttp
from aiohttp import WSMessage, WSMsgType, web
from multidict import CIMultiDict
from yarl import URL

from ares.sim.serve.server import MarketServer

Latency = Callable[[], float]
"""Returns the seconds that a message takes, one way."""


class MemoryNetwork:
    """Connections with one server.

    tasks : what the server is doing; it goes on when its client is gone.
    error : raised by all that is begun, such as that of a name that cannot be resolved.
    """

    def __init__(self, server: MarketServer, latency_s: Latency) -> None:
        self.server, self.latency_s = server, latency_s
        self.requests = self.messages = 0
        self.error: Exception | None = None
        self.tasks: set[asyncio.Task[Any]] = set()
        self._exchanges: list[Any] = []

    def attach(self, exchange: Any, now_ms: Callable[[], int]) -> None:
        """Give an exchange of ccxt this network for its connections, and another clock."""
        exchange.session, exchange.own_session = MemorySession(self), False
        exchange.ssl_context = False
        self._exchanges.append(exchange)
        exchange.milliseconds = now_ms
        exchange.seconds = lambda: now_ms() // 1000
        exchange.microseconds = lambda: now_ms() * 1000

    def start(self, work: Any) -> asyncio.Task[Any]:
        """Let the server do something."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def stop(self) -> None:
        """End what the server is doing."""
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for exchange in self._exchanges:
            exchange.session = None  # ccxt complains of those that nobody closed
        self._exchanges.clear()


@contextmanager
def clock_of_ccxt(now_ms: Callable[[], int]) -> Iterator[None]:
    """Have ccxt's sockets use another clock, too: they ask a class for it."""
    from ccxt.base.exchange import BaseExchange

    before = BaseExchange.__dict__["milliseconds"]
    BaseExchange.milliseconds = staticmethod(now_ms)
    try:
        yield
    finally:
        BaseExchange.milliseconds = before


class MemorySession:
    """What ccxt needs of ``aiohttp.ClientSession``."""

    closed = False

    def __init__(self, network: MemoryNetwork) -> None:
        self._network = network
        self.headers: dict[str, str] = {}

    def get(self, url: URL, **how: Any) -> _Exchanged:
        return _Exchanged(self._network, "GET", url, how)

    def post(self, url: URL, **how: Any) -> _Exchanged:
        return _Exchanged(self._network, "POST", url, how)

    def put(self, url: URL, **how: Any) -> _Exchanged:
        return _Exchanged(self._network, "PUT", url, how)

    def patch(self, url: URL, **how: Any) -> _Exchanged:
        return _Exchanged(self._network, "PATCH", url, how)

    def delete(self, url: URL, **how: Any) -> _Exchanged:
        return _Exchanged(self._network, "DELETE", url, how)

    def ws_connect(self, url: str, **how: Any) -> _Opening:
        return _Opening(self._network, URL(url), how)

    async def close(self) -> None:
        return


class _Transport:
    """What the server needs of a connection: that it can be cut."""

    def __init__(self) -> None:
        self.cut: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def abort(self) -> None:
        if not self.cut.done():
            self.cut.set_result(None)


class ServedRequest:
    """A request as the server sees it: what it uses of ``aiohttp.web.Request``."""

    def __init__(self, method: str, url: URL, headers: Mapping[str, str], body: bytes) -> None:
        self.method, self.rel_url, self.path, self.path_qs = method, url, url.path, url.path_qs
        self.query, self.headers = url.query, CIMultiDict(headers)
        self._body = body
        self.transport = _Transport()

    async def read(self) -> bytes:
        return self._body

    async def post(self) -> Mapping[str, str]:
        return URL("?" + self._body.decode(), encoded=True).query


class ClientResponse:
    """What ccxt needs of ``aiohttp.ClientResponse``."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status, self.headers, self._body = status, headers, body
        self.reason, self.content = str(status), body

    async def text(self, errors: str = "strict") -> str:
        return self._body.decode(errors=errors)


class _Exchanged:
    """One request and its answer: ``async with session.post(...)``."""

    def __init__(self, network: MemoryNetwork, method: str, url: URL, how: dict[str, Any]) -> None:
        self._network, self._method, self._url, self._how = network, method, url, how

    async def __aenter__(self) -> ClientResponse:
        timeout: aiohttp.ClientTimeout = self._how["timeout"]
        network = self._network
        network.requests += 1
        if network.error is not None:
            raise network.error
        body = self._how.get("data") or b""
        request = ServedRequest(self._method, self._url, self._how["headers"], body)
        async with asyncio.timeout(timeout.total):
            await asyncio.sleep(network.latency_s())  # cancelled here it never arrives
            answering = network.start(network.server.respond(cast(web.Request, request)))
            await asyncio.wait(
                [answering, request.transport.cut], return_when=asyncio.FIRST_COMPLETED
            )
            if request.transport.cut.done():
                raise aiohttp.ServerDisconnectedError
            answer = answering.result()
            await asyncio.sleep(network.latency_s())
        return ClientResponse(answer.status, answer.headers, cast(web.Response, answer).body)  # type: ignore[arg-type]

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return


class _Opening:
    """A socket that is opened: ``session.ws_connect(...).__aenter__()``."""

    def __init__(self, network: MemoryNetwork, url: URL, how: dict[str, Any]) -> None:
        self._network, self._url, self._how = network, url, how

    async def __aenter__(self) -> ClientSocket:
        network, url = self._network, self._url
        headers = {"Upgrade": "websocket", **(self._how.get("headers") or {})}
        request = ServedRequest("GET", url, headers, b"")
        await asyncio.sleep(network.latency_s())
        if network.error is not None:
            raise network.error
        refused = await network.server.refused(cast(web.Request, request))
        if refused is not None:
            info = cast(aiohttp.RequestInfo, None)
            raise aiohttp.WSServerHandshakeError(info, (), status=refused.status)
        client = ClientSocket(network, self._how.get("max_msg_size", 10_485_760))
        server = ServerSocket(client)
        client.peer = server
        network.start(
            network.server.converse(cast(web.WebSocketResponse, server), url.path, {**url.query})
        )
        return client


class _End:
    """One end of a socket: messages arrive in order, each after the network's latency."""

    def __init__(self, network: MemoryNetwork) -> None:
        self.network = network
        self.closed = False
        self._arrived: asyncio.Queue[WSMessage] = asyncio.Queue()
        self._newest_s = 0.0

    def deliver(self, message: WSMessage) -> None:
        """Let a message arrive, after those before it: timers of one instant have no order."""
        loop = asyncio.get_running_loop()
        self._newest_s = max(self._newest_s + 1e-6, loop.time() + self.network.latency_s())
        loop.call_at(self._newest_s, self._arrived.put_nowait, message)

    async def receive(self) -> WSMessage:
        """Return the next message."""
        return await self._arrived.get()


class ClientSocket(_End):
    """What ccxt needs of ``aiohttp.ClientWebSocketResponse``."""

    _conn = None  # ccxt looks into aiohttp's buffer where there is one
    peer: ServerSocket

    def __init__(self, network: MemoryNetwork, size_max: int) -> None:
        super().__init__(network)
        self.size_max = size_max

    async def send_str(self, text: str) -> None:
        self.network.messages += 1
        self.peer.deliver(WSMessage(WSMsgType.TEXT, text, None))

    async def ping(self, message: bytes = b"") -> None:
        self.deliver(WSMessage(WSMsgType.PONG, message, None))

    async def pong(self, message: bytes = b"") -> None:
        return

    async def close(self, *_args: object, **_kwargs: object) -> bool:
        if not self.closed:
            self.closed = True
            self._arrived.put_nowait(WSMessage(WSMsgType.CLOSED, None, None))
            self.peer.deliver(WSMessage(WSMsgType.CLOSE, 1000, ""))
        return True


class ServerSocket(_End):
    """What the server needs of ``aiohttp.web.WebSocketResponse``."""

    def __init__(self, client: ClientSocket) -> None:
        super().__init__(client.network)
        self._client = client

    async def send_str(self, text: str) -> None:
        if self.closed:
            raise ConnectionResetError("the socket is closed")
        self.network.messages += 1
        if len(text) > self._client.size_max:
            self._client.deliver(WSMessage(WSMsgType.ERROR, "message too big", None))
        else:
            self._client.deliver(WSMessage(WSMsgType.TEXT, text, None))

    async def close(self, *, code: int = 1000, message: bytes = b"", drain: bool = True) -> bool:
        if not self.closed:
            self.closed = True
            self._client.deliver(WSMessage(WSMsgType.CLOSE, code, message.decode()))
            self._arrived.put_nowait(WSMessage(WSMsgType.CLOSE, code, ""))
        return True

    async def __aiter__(self) -> AsyncIterator[WSMessage]:
        while True:
            message = await self.receive()
            if message.type is WSMsgType.CLOSE:
                self.closed = True
                return
            yield message
