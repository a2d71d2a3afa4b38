"""The signer: a process that alone holds the keys, and sends what it signs itself.

It takes method, path and parameters over a Unix socket, refuses what does not trade, query or
cancel, signs, sends to one host per key, and returns the bytes. Whoever may use the socket can
trade; nobody can withdraw, or have a request sent elsewhere.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from ares.security.process_memory import LockedKey
from ares.security.sender import NotSendable, Sender, VenueAnswer
from ares.venues.priority import Turns
from ares.venues.signer_client import with_short_path
from ares.venues.signer_messages import (
    CALL_BYTES_MAX,
    AskStatus,
    FromSigner,
    HeldKeyStatus,
    SignedAnswer,
    SignerStatus,
    SignRequest,
    ToSigner,
    frame,
)
from ares.venues.signing import VenueSigning

TURN_S = 1.0
"""The next request of a key leaves after so long though this one has no answer yet."""

ANSWER_S_MAX = 60.0


class SignerKey(NamedTuple):
    """A key to be held.

    rights : of the venue's requests that are sent with it.
    """

    name: str
    signing: VenueSigning
    key: LockedKey
    address: str | None
    rights: tuple[str, ...]
    allows: tuple[str, ...] = ()


class _Held:
    """A key in use: its requests leave one after the other where the venue counts nonces."""

    def __init__(self, held: SignerKey, now_ms: Callable[[], int]) -> None:
        self.held = held
        self.sender = Sender(held.signing, held.key.read, now_ms, held.address, held.rights)
        self.sent = self.refused = 0
        self._turns = Turns() if held.signing.counts_nonces else None

    async def send(self, request: SignRequest) -> SignedAnswer:
        """Send a request and return what came of it; never raises."""
        number = request.number
        try:
            self.sender.require(request.call)
        except NotSendable as error:
            self.refused += 1
            return SignedAnswer(number, "refused", str(error))
        answer_s = min(ANSWER_S_MAX, max(0.0, request.answer_s))
        try:
            answer = await self._in_turn(request, answer_s)
        except (ConnectionError, TimeoutError, OSError) as error:
            text = " ".join(str(error).split()) or "timed out"
            return SignedAnswer(number, "no_answer", f"{self.held.signing.venue}: {text}")
        except Exception as error:  # a fault of ours leaves the outcome open; no secret in its text
            return SignedAnswer(number, "no_answer", f"the signer failed: {type(error).__name__}")
        return SignedAnswer(
            number, "", "", answer.status, answer.reason, answer.headers, answer.body
        )

    async def _in_turn(self, request: SignRequest, answer_s: float) -> VenueAnswer:
        if self._turns is None:
            self.sent += 1
            return await self.sender.send(request.call, answer_s)
        await self._turns.take(0)
        try:
            self.sent += 1
            sending = asyncio.ensure_future(self.sender.send(request.call, answer_s))
            await asyncio.wait([sending], timeout=TURN_S)
        finally:
            self._turns.give_back()
        return await sending

    def status(self) -> HeldKeyStatus:
        """Return what may be known of the key."""
        held = self.held
        return HeldKeyStatus(
            held.name, held.signing.venue, held.key.read().fingerprint, self.sender.host,
            held.allows, held.rights, self.sent, self.refused,
        )  # fmt: skip


class Signer:
    """Serves the keys on a socket until it is stopped.

    say    : called with one line for a person: what was refused, never what was sent.
    memory : what could not be done to keep the process private.
    """

    def __init__(
        self,
        environment: str,
        path: Path,
        keys: Sequence[SignerKey],
        now_ms: Callable[[], int],
        say: Callable[[str], None],
        memory: Sequence[str] = (),
    ) -> None:
        self._environment, self._path, self._now_ms, self._say = environment, path, now_ms, say
        self._memory, self._started_ms = tuple(memory), now_ms()
        self._held = {each.name: _Held(each, now_ms) for each in keys}
        self._sending: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; the socket is this user's alone."""
        made = listening_socket(self._path)
        self._server = await asyncio.start_unix_server(self._serve, sock=made)

    async def stop(self) -> None:
        """Listen no more, wait for what is being sent, and wipe the keys."""
        if self._server is not None:
            self._server.close()
        self._path.unlink(missing_ok=True)
        if self._sending:
            await asyncio.wait(self._sending, timeout=ANSWER_S_MAX)
        for held in self._held.values():
            await held.sender.close()
            held.held.key.wipe()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read requests of a connection; each is carried out in a task of its own."""
        decoder = msgspec.msgpack.Decoder(ToSigner)
        loop = asyncio.get_running_loop()
        try:
            peer = writer.get_extra_info("socket")
            if peer_user(peer) != os.geteuid():
                self._say("a process of another user was refused")
                return
            while True:
                size = int.from_bytes(await reader.readexactly(4), "big")
                if size > CALL_BYTES_MAX:
                    self._say("a request is too large: its connection was closed")
                    return
                message = decoder.decode(await reader.readexactly(size))
                task = loop.create_task(self._answer(message, writer))
                self._sending.add(task)
                task.add_done_callback(self._sending.discard)
        except (asyncio.IncompleteReadError, OSError):
            return
        except msgspec.MsgspecError:
            self._say("a request cannot be read: its connection was closed")
        finally:
            writer.close()

    async def _answer(self, message: ToSigner, writer: asyncio.StreamWriter) -> None:
        found = self._status(message) if isinstance(message, AskStatus) else None
        if found is None and isinstance(message, SignRequest):
            found = await self._signed(message)
        if found is not None and not writer.is_closing():
            writer.write(frame(found))

    async def _signed(self, request: SignRequest) -> SignedAnswer:
        held = self._held.get(request.key)
        if held is None:
            text = f"no key '{request.key[:60]}' is held here"
            return SignedAnswer(request.number, "refused", text)
        found = await held.send(request)
        if found.failure == "refused":
            self._say(f"refused: {found.text} ({request.key})")
        return found

    def _status(self, request: AskStatus) -> FromSigner:
        return SignerStatus(
            request.number,
            self._environment,
            os.getpid(),
            self._started_ms,
            tuple(held.status() for held in self._held.values()),
            self._memory,
        )


def listening_socket(path: Path) -> socket.socket:
    """Return a socket that listens at a path, mode 600 from its first instant.

    What lies there is removed: the caller holds the lock of the signer, so nobody listens on it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        with_short_path(path, made.bind)
    except BaseException:
        made.close()
        raise
    finally:
        os.umask(before)
    made.listen(16)
    made.setblocking(False)
    return made


def peer_user(peer: socket.socket) -> int:
    """Return the id of the user whose process is at the other end."""
    sent = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", sent)[1])
