"""The passphrase of the key file: of a pipe, a file, a systemd credential, a keyring, a prompt."""

from __future__ import annotations

import importlib
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ares.domain.errors import UserError

CREDENTIAL = "ares-passphrase"
BYTES_MAX = 4096
SERVICE = "ares"
PLAIN_BACKENDS = ("keyrings.alt", "keyring.backends.null", "keyring.backends.fail")
"""Keyrings that store plain text, or nothing."""


class PassphraseSources(NamedTuple):
    """Where the passphrase may come from; the first that is set is used, and no other.

    handle    : of a pipe that this process inherited.
    file      : holds the passphrase in its first line, and may be read by its owner only.
    keyring   : the account's name in the operating system's keyring; None: not used.
    environ   : CREDENTIALS_DIRECTORY, as systemd sets it, has the file ``ares-passphrase``.
    prompt    : asks a person; None: nobody is there.
    given     : the passphrase itself, known already; empty: it is not.
    """

    handle: int | None = None
    file: Path | None = None
    keyring: str | None = None
    environ: Mapping[str, str] = os.environ
    prompt: Callable[[str], str] | None = None
    given: bytes = b""


def passphrase(sources: PassphraseSources, *, is_new: bool = False) -> bytes:
    """Return the passphrase; is_new: a prompt asks for it twice.

    Raises UserError where the source that is set does not have it.
    """
    if sources.given:
        return sources.given
    if sources.handle is not None:
        return _of_pipe(sources.handle)
    if sources.file is not None:
        return _of_file(sources.file)
    folder = sources.environ.get("CREDENTIALS_DIRECTORY")
    if folder:
        path = Path(folder) / CREDENTIAL
        if not path.is_file():
            raise UserError(
                f"the systemd credential '{CREDENTIAL}' is missing in {folder}: add"
                f" LoadCredentialEncrypted={CREDENTIAL}:FILE to the unit"
            )
        return _of_file(path)
    if sources.keyring is not None:
        return _of_keyring(sources.keyring)
    if sources.prompt is None:
        raise UserError(
            "the passphrase of the key file is needed: --passphrase-file FILE, the setting"
            f" keys.passphrase_file, or a systemd credential '{CREDENTIAL}'"
        )
    found = sources.prompt("passphrase of the key file: ")
    if is_new and sources.prompt("the same again: ") != found:
        raise UserError("the two passphrases differ; nothing was changed")
    return _some(found.encode(), "what was typed")


def store_in_keyring(account: str, text: bytes) -> None:
    """Store the passphrase in the operating system's keyring; raise UserError where it has none."""
    _keyring().set_password(SERVICE, account, text.decode())


def _of_pipe(handle: int) -> bytes:
    found = b""
    try:
        with os.fdopen(handle, "rb", buffering=0) as pipe:
            while len(found) <= BYTES_MAX and (part := pipe.read(BYTES_MAX)):
                found += part
    except OSError as error:
        raise UserError(f"--passphrase-fd {handle} cannot be read: {error.strerror}") from None
    return _some(found, f"--passphrase-fd {handle}")


def _of_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            found = file.read(BYTES_MAX + 1)
    except OSError as error:
        raise UserError(f"the passphrase file {path} cannot be read: {error.strerror}") from None
    if stat.S_ISREG(mode) and mode & 0o077:
        raise UserError(f"the passphrase file {path} can be read by others: chmod 600 {path}")
    return _some(found, str(path))


def _some(found: bytes, where: str) -> bytes:
    first = found.partition(b"\n")[0].rstrip(b"\r")
    if not first or len(found) > BYTES_MAX:
        raise UserError(f"{where} holds no passphrase: one line, at most {BYTES_MAX} bytes")
    return first


def _of_keyring(account: str) -> bytes:
    found = _keyring().get_password(SERVICE, account)
    if not found:
        raise UserError(
            f"the keyring has no passphrase of {account}: `ares keys set --keyring` stores it"
        )
    return str(found).encode()


def _keyring() -> Any:
    """Return the keyring's module; raise UserError where it would store plain text."""
    try:
        module = importlib.import_module("keyring")
    except ImportError:
        raise UserError(
            "keys.keyring is set, but no keyring is installed: pip install 'ares-trading[keyring]'"
        ) from None
    backend = module.get_keyring()
    name = type(backend).__module__
    if name.startswith(PLAIN_BACKENDS):
        raise UserError(
            f"the keyring {name} keeps no secret on this machine: use a passphrase file, mode 600"
        )
    return module
