"""The server: HTTP and WebSocket in front of a protocol, the market played, faults and their door.

``/sim/clock``, ``/sim/account`` and ``/sim/faults`` are of this server alone; no fault strikes
them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any

import msgspec
from aiohttp import web

from ares.domain.errors import ExternalError, UserError
from ares.sim.serve.account import units_of
from ares.sim.serve.faults import FAULTS, Fault, fault_of
from ares.sim.serve.market import Playback, Trade
from ares.sim.serve.sockets import HTML, NOT_JSON, Socket
from ares.sim.serve.venue import Answer, Face, Session, SignedRequest, SimVenue
from ares.sim.serve.wire import lots_text

WAIT_MIN_S = 0.005
WAIT_MAX_S = 0.25
TICK_S = 0.02


class MarketServer:
    """Serves one market on one address until ``stop``.

    host, port : to listen on; port 0 takes a free one (see ``start``).
    tick_s     : the account does what is due so often, in seconds of wall time.
    """

    def __init__(
        self, venue: SimVenue, face: Face, host: str = "127.0.0.1", port: int = 0,
        tick_s: float = TICK_S,
    ) -> None:  # fmt: skip
        self._venue = venue
        self._tick_s = tick_s
        self.face = face
        self._host = host
        self._port = port
        self._sessions: dict[Socket, Session] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        """Listen, and begin to play; return the address.

        Raises ExternalError where the address cannot be used.
        """
        app = web.Application(client_max_size=1 << 20)
        app.router.add_get("/sim/clock", self._clock)
        app.router.add_get("/sim/account", self._account)
        app.router.add_post("/sim/account", self._transfer)
        app.router.add_get("/sim/faults", self._list_faults)
        app.router.add_post("/sim/faults", self._add_fault)
        app.router.add_delete("/sim/faults", self._clear_faults)
        app.router.add_delete("/sim/faults/{number}", self._clear_faults)
        app.router.add_route("*", "/{path:.*}", self._route)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise ExternalError(
                f"{self._host}:{self._port}: cannot listen ({error.strerror}): use another --port"
            ) from error
        port = self._runner.addresses[0][1]
        self.play()
        return f"http://{self._host}:{port}"

    def play(self) -> None:
        """Begin to play the market, whoever connects to it."""
        works = (self._play(), self._seconds(), self._ticks())
        self._tasks = [asyncio.create_task(work) for work in works]

    async def stop(self) -> None:
        """Close every socket and stop listening."""
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        for socket in list(self._sessions):
            socket.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def failed(self) -> None:
        """Return only by raising: the error that ended the playing of the market."""
        await asyncio.gather(*self._tasks)

    async def _play(self) -> None:
        """Send what happens in the market, at its time."""
        venue = self._venue
        playback = Playback(venue.market.symbols, venue.now_ms())
        while True:
            for happened in playback.due(venue.now_ms()):
                if isinstance(happened, Trade):
                    if venue.exchange is not None:
                        venue.exchange.trade(happened)
                    self._send_trade(happened)
                else:
                    for session in list(self._sessions.values()):
                        session.minute(happened)
            wait_s = venue.clock.wait_s(playback.next_ms())
            await asyncio.sleep(min(max(wait_s, WAIT_MIN_S), max(WAIT_MAX_S, self._tick_s)))

    def _send_trade(self, trade: Trade) -> None:
        symbol = self._venue.market.symbols[trade.symbol].symbol
        if self._venue.faults.in_gap(symbol, trade.ts_ms):
            return
        for session in list(self._sessions.values()):
            session.trade(trade)

    async def _seconds(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            for session in list(self._sessions.values()):
                session.second()
            if self._sessions and self._venue.faults.struck("close", "socket"):
                for socket in list(self._sessions):
                    socket.close()

    async def _ticks(self) -> None:
        """Let the account do what is due."""
        while True:
            if self._venue.exchange is not None:
                self._venue.exchange.tick()
            self.face.tick()
            await asyncio.sleep(self._tick_s)

    async def _route(self, request: web.Request) -> web.StreamResponse:
        return await (self._socket(request) if _is_upgrade(request) else self.respond(request))

    async def refused(self, request: web.Request) -> web.Response | None:
        """Return the refusal of a request or socket, where a fault refuses it."""
        on = "socket" if _is_upgrade(request) else "rest"
        for kind, status in (("http_429", 429), ("http_503", 503)):
            if self._venue.faults.struck(kind, on, request.path_qs):
                headers = {"Retry-After": "1"} if status == 429 else None
                return _json(self.face.refusal(status), status, headers)
        return None

    async def respond(self, request: web.Request) -> web.Response:
        """Answer a request of the protocol, unless a fault strikes."""
        faults, target = self._venue.faults, request.path_qs
        if fault := faults.struck("latency", "rest", target):
            await asyncio.sleep(fault.ms / 1000.0)
        if refused := await self.refused(request):
            return refused
        if faults.struck("html", "rest", target):
            return web.Response(text=HTML, status=502, content_type="text/html")
        if faults.struck("not_json", "rest", target):
            return web.Response(text=NOT_JSON, content_type="application/json")
        answer = await self._answer(request)
        if answer is None:
            _drop(request)
            return web.Response(status=499)
        padding = b""
        if fault := faults.struck("big", "rest", target):
            padding = b" " * fault.bytes
        return _json(answer.body + padding, answer.status)

    async def _answer(self, request: web.Request) -> Answer | None:
        """Do a request and return its answer; None: the answer is lost on its way."""
        faults = self._venue.faults
        requested = SignedRequest(
            *(request.method, request.path, {**request.query}, request.headers),
            *(await request.read(), request.rel_url.raw_query_string),
        )
        orphaned = faults.struck("request_orphaned", "rest", requested.text)
        late = orphaned or faults.struck("request_late", "rest", requested.text)
        if orphaned:
            _drop(request)
        if late:
            await asyncio.sleep(late.ms / 1000.0)
        answer = self.face.private(requested)
        if answer is None:
            query = {**request.query}
            if request.method == "POST":
                form = await request.post()
                query.update({name: str(value) for name, value in form.items()})
            answer = self.face.answer(request.path, query)
        lost = orphaned or faults.struck("reply_lost", "rest", requested.text)
        return None if lost else answer

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if refused := await self.refused(request):
            return refused
        if not request.path.startswith(self.face.socket_paths):
            return web.Response(status=404)
        ws = web.WebSocketResponse(max_msg_size=1 << 20)
        await ws.prepare(request)
        await self.converse(ws, request.path, {**request.query}, request.headers)
        return ws

    async def converse(
        self,
        ws: web.WebSocketResponse,
        path: str,
        query: dict[str, str],
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Serve a socket that is open, until either side closes it."""
        socket = Socket(ws, self._venue.faults, headers)
        session = self.face.session(socket, path, query)
        self._sessions[socket] = session
        session.opened()
        try:
            await socket.run(session.receive)
        finally:
            session.closed()
            del self._sessions[socket]

    async def _clock(self, _request: web.Request) -> web.Response:
        clock = self._venue.clock
        return web.json_response(
            {
                "wall_ms": clock.wall_ms(),
                "market_ms": clock.market_ms(),
                "speed": clock.speed,
                "from_ms": clock.from_ms,
                "to_ms": self._venue.market.to_ms,
                "symbols": [symbol.symbol for symbol in self._venue.market.symbols],
                "sockets": len(self._sessions),
            }
        )

    async def _account(self, _request: web.Request) -> web.Response:
        exchange = self._venue.exchange
        if exchange is None:
            return web.json_response({"error": "there is no account"}, status=404)
        held = {asset: lots_text(units) for asset, units in exchange.account.held.items() if units}
        return web.json_response(
            {
                "balances": exchange.account.texts(),
                "held": held,
                "open_orders": len(exchange.open_orders()),
                "orders": len(exchange.orders),
                "executions": len(exchange.executions),
            }
        )

    async def _transfer(self, request: web.Request) -> web.Response:
        """Deposit or withdraw: {"asset": "USDT", "amount": "-50"}."""
        exchange = self._venue.exchange
        try:
            values = msgspec.json.decode(await request.read(), type=dict[str, str])
            units = units_of(values.get("amount", ""))
            if exchange is None or not values.get("asset"):
                return web.json_response({"error": "no account, or no asset"}, status=400)
            exchange.transfer(values["asset"], units)
        except (msgspec.MsgspecError, UserError, ValueError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response({"balances": exchange.account.texts()})

    async def _list_faults(self, _request: web.Request) -> web.Response:
        return web.json_response({"faults": self._venue.faults.listed(), "kinds": FAULTS})

    async def _add_fault(self, request: web.Request) -> web.Response:
        try:
            values = msgspec.json.decode(await request.read(), type=dict[str, Any])
            fault = fault_of(values)
        except (msgspec.MsgspecError, UserError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response({"id": self.add_fault(fault)})

    def add_fault(self, fault: Fault) -> int:
        """Start a fault and return its number."""
        return self._venue.faults.add(fault)

    async def _clear_faults(self, request: web.Request) -> web.Response:
        number = request.match_info.get("number")
        if number is not None and not number.isdigit():
            return web.json_response({"error": f"'{number}' is not the id of a fault"}, status=400)
        cleared = self._venue.faults.clear(int(number) if number else None)
        return web.json_response({"cleared": cleared})


def _drop(request: web.Request) -> None:
    """Close a request's connection at once."""
    if request.transport is not None:
        request.transport.abort()


def _is_upgrade(request: web.Request) -> bool:
    return request.headers.get("Upgrade", "").lower() == "websocket"


def _json(body: bytes, status: int, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        body=body, status=status, headers=headers, content_type="application/json", charset="utf-8"
    )


async def serve_until(
    server: MarketServer, stopped: Awaitable[object], ready: Callable[[str], None]
) -> None:
    """Run the server until ``stopped``; ``ready`` is called with the address.

    Raises what ended the playing of the market, where it ended by itself.
    """
    ready(await server.start())
    failed = asyncio.ensure_future(server.failed())
    ended = asyncio.ensure_future(stopped)
    try:
        await asyncio.wait({failed, ended}, return_when=asyncio.FIRST_COMPLETED)
        if failed.done():
            failed.result()
    finally:
        for task in (failed, ended):
            task.cancel()
        await asyncio.gather(failed, ended, return_exceptions=True)
        await server.stop()
