"""The key file: API keys encrypted under a passphrase.

Argon2id (RFC 9106) makes the key of AES-256-GCM from the passphrase. Each API key is encrypted with
its entry's name as associated data, so that swapped entries do not decrypt; the whole file is
sealed the same way, so that an entry which was removed, restored or altered is found.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from ares.adapters.durable import write_file
from ares.domain.api_key import ApiKey
from ares.domain.errors import ExternalError, UserError
from ares.security.vault_format import (
    FORMAT,
    SALT_BYTES,
    KdfCost,
    KeyEntry,
    VaultContent,
    damaged,
    read_vault,
    written,
)

NONCE_BYTES = 12
PROOF = b"ares keys: passphrase"


class KeyVault:
    """A key file that is open.

    >>> vault = KeyVault.create(Path("keys.vault"), b"passphrase")  # doctest: +SKIP
    """

    def __init__(self, path: Path, content: VaultContent, checksum: bytes, key: bytes) -> None:
        self._path, self._content, self._checksum, self._key = path, content, checksum, key

    @classmethod
    def create(cls, path: Path, passphrase: bytes, cost: KdfCost = KdfCost()) -> KeyVault:
        """Return a new key file without entries; it is written by the first change."""
        if not passphrase:
            raise UserError("the passphrase is empty")
        salt = os.urandom(SALT_BYTES)
        key = _derived(passphrase, salt, cost)
        content = VaultContent(FORMAT, cost, salt, _encrypt(key, b"", PROOF))
        return cls(path, content, b"", key)

    @classmethod
    def open(cls, path: Path, passphrase: bytes) -> KeyVault:
        """Return a key file, decrypted.

        Raises UserError where the passphrase is wrong or the file was changed.
        """
        content, checksum = read_vault(path)
        key = _derived(passphrase, content.salt, content.cost)
        if _decrypt(key, content.proof, PROOF) is None:
            raise UserError(f"the passphrase of {path} is wrong; nothing was changed")
        if _decrypt(key, content.seal, _sealed_text(content)) is None:
            raise damaged(path, "it was changed without the passphrase")
        return cls(path, content, checksum, key)

    @property
    def entries(self) -> tuple[KeyEntry, ...]:
        """Return all entries, in order of their names."""
        return self._content.entries

    def find(self, name: str) -> KeyEntry | None:
        """Return the entry of a name."""
        return next((entry for entry in self.entries if entry.name == name), None)

    def entry(self, name: str) -> KeyEntry:
        """Return the entry of a name; raise UserError where there is none."""
        found = self.find(name)
        if found is None:
            known = ", ".join(entry.name for entry in self.entries) or "none"
            raise UserError(f"no key '{name}' in {self._path}: stored are {known}")
        return found

    def key(self, name: str, *, pending: bool = False) -> ApiKey:
        """Return the API key of an entry; pending: that of a rotation that is not proven yet.

        Raises UserError where it does not decrypt under this entry's name.
        """
        entry = self.entry(name)
        sealed = entry.pending if pending else entry.sealed
        plain = _decrypt(self._key, sealed, _name_text(name, pending=pending))
        if plain is None:
            raise damaged(self._path, f"the key under '{name}' belongs to another entry")
        return ApiKey(*msgspec.msgpack.decode(plain, type=tuple[str, str]))

    def put(
        self, entry: KeyEntry, key: ApiKey | None = None, pending: ApiKey | None = None
    ) -> None:
        """Store an entry in place of the one with its name, and write the file.

        key, pending : encrypted into it; None: what the entry has is kept.
        """
        if key is not None:
            entry = msgspec.structs.replace(entry, sealed=self._sealed(entry.name, key))
        if pending is not None:
            sealed = self._sealed(entry.name, pending, pending=True)
            entry = msgspec.structs.replace(entry, pending=sealed)
        others = [each for each in self.entries if each.name != entry.name]
        self._write(sorted([*others, entry], key=lambda each: each.name))

    def delete(self, name: str) -> None:
        """Remove an entry, and write the file."""
        self.entry(name)
        self._write([entry for entry in self.entries if entry.name != name])

    def _sealed(self, name: str, key: ApiKey, *, pending: bool = False) -> bytes:
        return _encrypt(
            self._key, msgspec.msgpack.encode(tuple(key)), _name_text(name, pending=pending)
        )

    def _write(self, entries: list[KeyEntry]) -> None:
        """Replace the file in one step; raise ExternalError where another process changed it."""
        content = msgspec.structs.replace(self._content, entries=tuple(entries), seal=b"")
        seal = _encrypt(self._key, b"", _sealed_text(content))
        content = msgspec.structs.replace(content, seal=seal)
        with _alone(self._path):
            if self._path.exists() != bool(self._checksum) or (
                self._checksum and read_vault(self._path)[1] != self._checksum
            ):
                raise ExternalError(
                    f"{self._path} was changed meanwhile by another process: try again"
                )
            write_file(self._path, written(content), mode=0o600)
            self._content, self._checksum = read_vault(self._path)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock of those who write a key file."""
    handle = os.open(path.with_name(f".{path.name}.lock"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _derived(passphrase: bytes, salt: bytes, cost: KdfCost) -> bytes:
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    derive: Callable[[bytes], bytes] = Argon2id(
        salt=salt, length=32, iterations=cost.passes, lanes=cost.lanes, memory_cost=cost.memory_kib
    ).derive
    return derive(passphrase)


def _encrypt(key: bytes, plain: bytes, associated: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, associated)


def _decrypt(key: bytes, sealed: bytes, associated: bytes) -> bytes | None:
    """Return what was encrypted; None: another key, other bytes, or other associated data."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce, text = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    if len(nonce) < NONCE_BYTES:
        return None
    try:
        return AESGCM(key).decrypt(nonce, text, associated)
    except InvalidTag:
        return None


def _name_text(name: str, *, pending: bool) -> bytes:
    return f"ares keys: {'pending' if pending else 'current'}: {name}".encode()


def _sealed_text(content: VaultContent) -> bytes:
    return b"ares keys: file: " + msgspec.json.encode(msgspec.structs.replace(content, seal=b""))
