"""The way to the signer: a key that it holds, used as if it were here."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from ares.domain.api_key import ApiKey
from ares.venues.answers import NoAnswer, NotSent
from ares.venues.signer_messages import (
    FRAME_BYTES_MAX,
    AskStatus,
    FromSigner,
    SignedAnswer,
    SignerStatus,
    SignRequest,
    frame,
)
from ares.venues.signing import PrivateCall

PLACEHOLDER = ApiKey("heldByTheSigner", "bm8gc2VjcmV0IGhlcmU=")
"""What ccxt signs with where the signer holds the key; it is worth nothing."""

BACK_S = 3.0
"""How long a signer that is started again is waited for."""

AGAIN_S = 0.02
PATH_BYTES_MAX = 100
"""A Unix socket's path has 108 bytes."""


def connected_socket(path: Path) -> socket.socket:
    """Return a socket connected to a Unix path of any length; raise OSError."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with_short_path(path, made.connect)
    except BaseException:
        made.close()
        raise
    return made


def with_short_path(path: Path, do: Callable[[str], object]) -> None:
    """Call ``do`` with a path that is short enough for a Unix socket."""
    if len(os.fsencode(path)) <= PATH_BYTES_MAX:
        do(str(path))
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        do(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)


class SignerClient:
    """Requests over one connection, which is made anew where it ends.

    path : of the signer's socket. back_s: how long a signer that is away is waited for.
    """

    def __init__(self, path: Path, back_s: float = BACK_S) -> None:
        self._path, self._back_s = path, back_s
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[FromSigner]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._connecting = asyncio.Lock()

    async def send(self, key: str, call: PrivateCall, answer_s: float) -> SignedAnswer:
        """Have a request signed and sent.

        Raises NotSent where it has not left this machine, NoAnswer where nothing is known of it.
        """
        number = next(self._numbers)
        found = await self._ask(number, frame(SignRequest(number, key, call, answer_s)), answer_s)
        if not isinstance(found, SignedAnswer):
            raise NoAnswer("the signer's answer is none")
        if found.failure == "refused":
            raise NotSent(f"the signer: {found.text}")
        if found.failure:
            raise NoAnswer(found.text)
        return found

    async def status(self) -> SignerStatus:
        """Return what the signer holds; raise NotSent or NoAnswer."""
        number = next(self._numbers)
        found = await self._ask(number, frame(AskStatus(number)), self._back_s)
        if not isinstance(found, SignerStatus):
            raise NoAnswer("the signer's status is none")
        return found

    async def close(self) -> None:
        """Close the connection."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        self._end("the connection to the signer was closed")

    async def _ask(self, number: int, message: bytes, answer_s: float) -> FromSigner:
        writer = await self._connected()
        answer: asyncio.Future[FromSigner] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            writer.write(message)
            async with asyncio.timeout(answer_s + 0.5):
                return await answer
        except (OSError, TimeoutError) as error:
            text = "timed out" if isinstance(error, TimeoutError) else str(error)
            raise NoAnswer(f"the signer: {text}") from None
        finally:
            self._waiting.pop(number, None)

    async def _connected(self) -> asyncio.StreamWriter:
        """Return the connection; wait a moment for a signer that is started again."""
        async with self._connecting:
            if self._writer is not None:
                return self._writer
            loop = asyncio.get_running_loop()
            until_s = loop.time() + self._back_s
            while True:
                try:
                    made = connected_socket(self._path)
                    break
                except OSError as error:
                    if loop.time() > until_s:
                        raise NotSent(f"no signer at {self._path}: {error.strerror}") from None
                    await asyncio.sleep(AGAIN_S)
            reader, writer = await asyncio.open_unix_connection(sock=made)
            self._writer = writer
            self._reading = loop.create_task(self._read(reader))
            return writer

    async def _read(self, reader: asyncio.StreamReader) -> None:
        decoder = msgspec.msgpack.Decoder(FromSigner)
        why = "the signer ended"
        try:
            while True:
                size = int.from_bytes(await reader.readexactly(4), "big")
                if size > FRAME_BYTES_MAX:
                    why = "the signer's answer is too large"
                    return
                found = decoder.decode(await reader.readexactly(size))
                waiting = self._waiting.get(found.number)
                if waiting is not None and not waiting.done():
                    waiting.set_result(found)
        except (asyncio.IncompleteReadError, OSError, msgspec.MsgspecError):
            return
        finally:
            self._end(why)

    def _end(self, why: str) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectionResetError(why))


class HeldKey(ApiKey):
    """A key that the signer holds: what stands here is worth nothing.

    name : of the key. path : of the signer's socket.
    """

    name: str
    path: Path
    held_fingerprint: str

    def __new__(cls, name: str, path: Path, fingerprint: str) -> HeldKey:
        """Return the key; it may be handed to whatever takes an ``ApiKey``."""
        made = super().__new__(cls, *PLACEHOLDER)
        made.name, made.path, made.held_fingerprint = name, path, fingerprint
        return made

    @property
    def fingerprint(self) -> str:
        """Return the fingerprint of the key that the signer holds."""
        return self.held_fingerprint

    def client(self) -> SignerClient:
        """Return a new connection to the signer."""
        return SignerClient(self.path)


def send_through(exchange: Any, name: str, client: SignerClient) -> None:
    """Have ccxt's signed requests sent by the signer; what is public goes as before.

    Only method, path and parameters are handed over: the host that ccxt names has no effect, nor
    has its signature.
    """
    import ccxt

    fetch = exchange.fetch

    async def fetch_through(
        url: str, method: str = "GET", headers: Any = None, body: Any = None
    ) -> Any:
        given = {str(key).lower(): str(value) for key, value in (headers or {}).items()}
        if PLACEHOLDER.key not in given.values():
            return await fetch(url, method, headers, body)
        parts = urlsplit(url)
        text = body.decode() if isinstance(body, bytes) else body or ""
        call = PrivateCall(method, parts.path, parts.query, text, given.get("content-type", ""))
        answer = await client.send(name, call, exchange.timeout / 1000.0)
        content = answer.body.decode(errors="replace")
        content = exchange.on_rest_response(
            answer.status, answer.reason, url, method, answer.headers, content, headers, body
        )
        response = exchange.parse_json(content)
        exchange.last_response_headers = answer.headers
        exchange.handle_errors(
            answer.status, answer.reason, url, method, answer.headers, content, response, headers,
            body,
        )  # fmt: skip
        exchange.handle_http_status_code(answer.status, answer.reason, url, method, content)
        if response is None:
            raise ccxt.ExchangeNotAvailable(f"an answer is not JSON: {content[:60]!r}")
        return response

    exchange.fetch = fetch_through
