"""The signer of an environment, composed: run, and found."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ares.bootstrap.keys import CheckedKey, require_address, stored_keys
from ares.config.workspace import Workspace
from ares.domain.api_key import key_name, role_of
from ares.domain.errors import ExternalError, UserError
from ares.domain.key_rights import KeyRights
from ares.domain.model_life import LIVE

if TYPE_CHECKING:
    from ares.security.passphrase import PassphraseSources
    from ares.security.signer import Signer, SignerKey
    from ares.venues.key_rights import Ask
    from ares.venues.signer_client import HeldKey, SignerClient
    from ares.venues.signer_messages import SignerStatus

SIGNER = "signer"
BEAT = "beat"
SOCKET = "socket"
BEAT_S = 1.0
ENDS_S = 10.0
STATUS_S = 3.0
ROLES = {"": ("query", "trade", "cancel"), "reader": ("query",)}
"""Whose keys the signer holds -> the requests that are sent with them; the watchdog has its own."""


class SignerReady(msgspec.Struct, frozen=True):
    """The line that a signer prints once it serves."""

    ready: bool
    environment: str
    pid: int
    socket: str
    keys: tuple[str, ...]


def signer_folder(workspace: Workspace, environment: str) -> Path:
    """Return the folder of a signer: its lock, its socket, its beat (touched every second)."""
    return workspace.ops_dir(environment) / SIGNER


def run_signer(
    workspace: Workspace,
    environment: str,
    address: str | None,
    sources: PassphraseSources,
    ready: Callable[[SignerReady], None],
    say: Callable[[str], None],
    while_open: int | None = None,
) -> None:
    """Hold the keys of an environment and sign with them, until SIGTERM.

    while_open : of a pipe: the signer ends when its other end is closed, and ignores Ctrl-C.

    Raises UserError where there is no key, or the passphrase is wrong; ExternalError where another
    signer runs.
    """
    from ares.journal.lock import Lock
    from ares.runtime.engine.quiet import raise_priority
    from ares.security.process_memory import keep_private, lock_memory
    from ares.security.signer import Signer

    memory = [*keep_private(), *lock_memory()]
    raise_priority()
    names = signer_names(workspace, environment)
    require_address(names[0], address)
    folder = signer_folder(workspace, environment)
    lock = Lock(folder, "another signer", "it holds the keys of this environment already")
    try:
        keys = _unlocked(workspace, names, address, sources)
        signer = Signer(environment, folder / SOCKET, keys, _now_ms, say, memory)
        line = SignerReady(
            True, environment, os.getpid(), str(folder / SOCKET), tuple(k.name for k in keys)
        )
        asyncio.run(_serve(signer, folder / BEAT, lambda: ready(line), while_open))
    finally:
        lock.release()


def signer_names(workspace: Workspace, environment: str) -> tuple[str, ...]:
    """Return the names of the stored keys that a signer holds, the engine's first.

    Raises UserError where the engine's is not stored.
    """
    venue = workspace.settings.venue
    stored = {entry.name for entry in stored_keys(workspace)}
    names = tuple(name for role in ROLES if (name := key_name(environment, venue, role)) in stored)
    engine = key_name(environment, venue)
    if engine not in names:
        raise UserError(
            f"no key '{engine}' is stored: `ares keys set {engine}`"
            + (f"; stored are {', '.join(sorted(stored))}" if stored else "")
        )
    return names


def signer_runs(workspace: Workspace, environment: str) -> bool:
    """Return whether a signer of the environment runs."""
    from ares.journal.lock import holder

    return holder(signer_folder(workspace, environment)) is not None


def held_key(workspace: Workspace, environment: str, role: str = "") -> HeldKey | None:
    """Return a key that the environment's signer holds; None: it does not run or does not have it.

    The key may be handed to whatever takes an ``ApiKey``.
    """
    from ares.venues.signer_client import HeldKey

    if not signer_runs(workspace, environment):
        return None
    name = key_name(environment, workspace.settings.venue, role)
    for each in signer_status(workspace, environment).keys:
        if each.name == name:
            path = signer_folder(workspace, environment) / SOCKET
            return HeldKey(name, path, each.fingerprint)
    return None


def signer_status(workspace: Workspace, environment: str) -> SignerStatus:
    """Return what a signer says of itself; raise ExternalError where it does not answer."""
    from ares.venues.answers import NoAnswer, NotSent
    from ares.venues.signer_client import SignerClient

    async def status() -> SignerStatus:
        client = SignerClient(signer_folder(workspace, environment) / SOCKET, back_s=STATUS_S)
        try:
            return await client.status()
        finally:
            await client.close()

    try:
        return asyncio.run(status())
    except (NotSent, NoAnswer) as error:
        raise ExternalError(f"the signer of {environment} does not answer: {error}") from None


def checked_by_signer(workspace: Workspace, environment: str, role: str = "") -> CheckedKey:
    """Return what the venue says of a key that the signer holds; the secret stays there.

    Raises ExternalError where the signer or the venue does not answer, UserError where the signer
    does not hold the key.
    """
    from ares.venues.key_rights import KeyRefused

    name = key_name(environment, workspace.settings.venue, role)
    status = signer_status(workspace, environment)
    held = next((each for each in status.keys if each.name == name), None)
    if held is None:
        raise UserError(f"the signer of {environment} does not hold '{name}': start it again")
    try:
        rights = asyncio.run(_rights(workspace, environment, name, held.venue))
    except KeyRefused as error:
        return CheckedKey(name, held.venue, None, (str(error),), ())
    role = role_of(name)
    return CheckedKey(
        name, held.venue, rights, tuple(rights.problems(held.allows, role)),
        tuple(rights.remarks(role)),
    )  # fmt: skip


def signers_check(workspace: Workspace) -> Callable[[str, str], CheckedKey | None]:
    """Return the ``ask_signer`` of ``check_key``."""

    def ask(name: str, fingerprint: str) -> CheckedKey | None:
        role = role_of(name)
        stem = name.removesuffix(f"-{role}")
        environment = LIVE if name.startswith("live/") else stem
        if not signer_runs(workspace, environment):
            return None
        held = held_key(workspace, environment, role)
        if held is None or held.name != name or held.fingerprint != fingerprint:
            return None
        return checked_by_signer(workspace, environment, role)

    return ask


def _unlocked(
    workspace: Workspace, names: tuple[str, ...], address: str | None, sources: PassphraseSources
) -> list[SignerKey]:
    """Return the keys, decrypted into locked memory."""
    from ares.bootstrap.keys import open_vault
    from ares.security.process_memory import LockedKey
    from ares.security.signer import SignerKey
    from ares.venues.known_signing import signing_of

    vault = open_vault(workspace, sources)
    found = []
    for name in names:
        entry = vault.entry(name)
        found.append(
            SignerKey(
                name, signing_of(entry.venue), LockedKey(vault.key(name)), address,
                ROLES[role_of(name)], entry.allows,
            )
        )  # fmt: skip
    return found


async def _serve(
    signer: Signer, beat: Path, ready: Callable[[], None], while_open: int | None
) -> None:
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    loop.add_signal_handler(signal.SIGINT, stopped.set if while_open is None else lambda: None)
    if while_open is not None:
        loop.add_reader(while_open, stopped.set)
    await signer.start()
    try:
        ready()
        while not stopped.is_set():
            with suppress(OSError):  # a full disk: it signs on
                beat.touch()
            with suppress(TimeoutError):
                async with asyncio.timeout(BEAT_S):
                    await stopped.wait()
    finally:
        await signer.stop()


async def _rights(workspace: Workspace, environment: str, name: str, venue: str) -> KeyRights:
    from ares.venues.key_rights import key_rights
    from ares.venues.signer_client import SignerClient

    client = SignerClient(signer_folder(workspace, environment) / SOCKET)
    try:
        return await key_rights(venue, _asking(client, name))
    finally:
        await client.close()


def _asking(client: SignerClient, name: str) -> Ask:
    """Return how a venue is asked through the signer."""
    from ares.venues.answers import NoAnswer, NotSent
    from ares.venues.signing import PrivateCall

    async def ask(call: PrivateCall) -> tuple[int, bytes]:
        try:
            answer = await client.send(name, call, ENDS_S)
        except (NoAnswer, NotSent) as error:
            raise ExternalError(str(error)) from None
        return answer.status, answer.body

    return ask


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
