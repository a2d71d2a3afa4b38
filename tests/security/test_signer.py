"""The signer: what trades is sent to one host, all else is refused, and no key comes out of it."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from ares.domain.api_key import ApiKey
from ares.security.process_memory import LockedKey
from ares.security.signer import Signer, SignerKey, listening_socket, peer_user
from ares.venues.answers import NoAnswer, NotSent
from ares.venues.kraken_signing import KRAKEN_SIGNING
from ares.venues.signer_client import SignerClient
from ares.venues.signer_messages import SignedAnswer, SignRequest, frame
from ares.venues.signing import PrivateCall

KEY = ApiKey("a-key-of-the-test", "c2VjcmV0IG9mIHRoZSB0ZXN0")
BALANCE = PrivateCall("POST", "/0/private/Balance", body="asset=XBT")
ORDER = PrivateCall("POST", "/0/private/AddOrder", body="pair=XBTUSD")


class Scene:
    """A signer between a client and a server of this machine."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: list[str] = []
        self.received: list[str] = []
        self.wait_s = 0.0
        self.client = SignerClient(path, back_s=0.2)

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.received.append(f"{request.path} {(await request.read()).decode()}")
        await asyncio.sleep(self.wait_s)
        return web.Response(text='{"result": {}}', headers={"X-Limit": "3"})

    def signer(self, address: str) -> Signer:
        held = [
            SignerKey("engine", KRAKEN_SIGNING, LockedKey(KEY), address, ("query", "trade")),
            SignerKey("reader", KRAKEN_SIGNING, LockedKey(KEY), address, ("query",)),
        ]
        return Signer("rehearsal/x", self.path, held, lambda: 1_000, self.lines.append)


@asynccontextmanager
async def scene_at(path: Path) -> AsyncIterator[Scene]:
    scene = Scene(path)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", scene.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    signer = scene.signer(f"http://127.0.0.1:{runner.addresses[0][1]}")
    await signer.start()
    try:
        yield scene
    finally:
        await scene.client.close()
        await signer.stop()
        await runner.cleanup()


def run(path: Path, test: Callable[[Scene], Awaitable[None]]) -> Scene:
    async def main() -> Scene:
        async with scene_at(path) as scene:
            await test(scene)
        return scene

    return asyncio.run(main())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "signer" / "socket"


def test_a_request_is_signed_and_its_bytes_come_back(path: Path) -> None:
    async def test(scene: Scene) -> None:
        answer = await scene.client.send("engine", BALANCE, 5.0)
        assert (answer.status, answer.body) == (200, b'{"result": {}}')
        assert answer.headers["X-Limit"] == "3"

    scene = run(path, test)
    assert scene.received == ["/0/private/Balance nonce=1000&asset=XBT"]
    assert not path.exists()


def test_whoever_asks_nothing_is_withdrawn(path: Path) -> None:
    """By the client that Ares has, and by bytes that somebody writes to the socket."""
    withdrawal = PrivateCall("POST", "/0/private/Withdraw", body="asset=XBT&key=evil&amount=1")

    async def test(scene: Scene) -> None:
        for key in ("engine", "reader", "nobody"):
            with pytest.raises(NotSent):
                await scene.client.send(key, withdrawal, 5.0)
        with pytest.raises(NotSent, match="does not query"):
            await scene.client.send("reader", ORDER, 5.0)
        reader, writer = await asyncio.open_unix_connection(str(path))
        for smuggled in (
            PrivateCall("POST", "/0/private/Balance/../Withdraw"),
            PrivateCall("POST", "/0/private/Balance HTTP/1.1\r\nX: y"),
            PrivateCall("POST", "/0/private/Balance", body="a=1\r\n\r\nPOST /0/private/Withdraw"),
        ):
            writer.write(frame(SignRequest(7, "engine", smuggled, 5.0)))
            size = int.from_bytes(await reader.readexactly(4), "big")
            assert b"refused" in await reader.readexactly(size)
        writer.close()

    scene = run(path, test)
    assert scene.received == []
    assert any("refused: " in line and "Withdraw" in line for line in scene.lines)


def test_what_cannot_be_read_ends_its_connection_alone(path: Path) -> None:
    async def test(scene: Scene) -> None:
        for sent in (b"\xff" * 8, (3).to_bytes(4, "big") + b"abc", b"\0\0"):
            reader, writer = await asyncio.open_unix_connection(str(path))
            writer.write(sent)
            writer.write_eof()
            assert await reader.read() == b""
            writer.close()
        assert (await scene.client.send("engine", BALANCE, 5.0)).status == 200

    run(path, test)


def test_the_socket_is_this_users_alone(path: Path) -> None:
    made = listening_socket(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(path))
    accepted, _ = made.accept()
    assert peer_user(accepted) == os.geteuid()
    for each in (made, client, accepted):
        each.close()


def test_another_user_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ares.security.signer.peer_user", lambda _: os.geteuid() + 1)

    async def test(scene: Scene) -> None:
        with pytest.raises(NoAnswer):
            await scene.client.send("engine", BALANCE, 1.0)

    scene = run(path, test)
    assert scene.received == []
    assert scene.lines == ["a process of another user was refused"]


def test_a_long_path_is_no_obstacle(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120) / "socket"

    async def test(scene: Scene) -> None:
        assert (await scene.client.send("engine", BALANCE, 5.0)).status == 200

    run(deep, test)


def test_requests_of_a_key_leave_one_after_the_other(path: Path) -> None:
    async def test(scene: Scene) -> None:
        scene.wait_s = 0.05
        calls = [PrivateCall("POST", BALANCE.path, body=f"n={n}") for n in range(5)]
        await asyncio.gather(*(scene.client.send("engine", call, 5.0) for call in calls))

    scene = run(path, test)
    assert scene.received == [f"/0/private/Balance nonce={1000 + n}&n={n}" for n in range(5)]


def test_an_answer_that_does_not_come_is_not_known(path: Path) -> None:
    async def test(scene: Scene) -> None:
        scene.wait_s = 1.0
        with pytest.raises(NoAnswer, match="timed out"):
            await scene.client.send("engine", ORDER, 0.1)

    assert len(run(path, test).received) == 1


def test_the_status_has_no_secret(path: Path) -> None:
    async def test(scene: Scene) -> None:
        with pytest.raises(NotSent):
            await scene.client.send("engine", PrivateCall("POST", "/0/private/Withdraw"), 5.0)
        status = await scene.client.status()
        assert [key.name for key in status.keys] == ["engine", "reader"]
        assert status.keys[0].refused == 1
        assert status.environment == "rehearsal/x"
        assert KEY.key not in repr(status)
        assert KEY.secret not in repr(status)
        assert KEY.key not in repr(SignedAnswer(1, ""))

    run(path, test)
