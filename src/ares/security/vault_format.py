"""The key file's text: what stands in it, its checksum, its limits."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from ares.domain.errors import UserError

FORMAT = 1
SALT_BYTES = 16
CHECKSUM = b"sha256:"
BYTES_MAX = 4 << 20


class KdfCost(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The cost of Argon2id (RFC 9106): memory in KiB, passes, lanes."""

    memory_kib: int = 65_536
    passes: int = 3
    lanes: int = 4


class KeyEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key of an account as the file has it; everything but the key can be read by anyone.

    made_ms   : when this key was stored.
    proven_ms : when the venue last answered to it; 0: never.
    allows    : what a person allowed: ``withdraw``, ``unknown-rights``.
    sealed    : key and secret, encrypted; pending: those of a rotation that is not proven yet.
    """

    name: str
    venue: str
    made_ms: int
    rotate_days: int
    proven_ms: int = 0
    allows: tuple[str, ...] = ()
    sealed: bytes = b""
    pending: bytes = b""
    pending_ms: int = 0

    @property
    def due_ms(self) -> int:
        """Return when the key is to be replaced."""
        return self.made_ms + self.rotate_days * 86_400_000


class VaultContent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file but its checksum.

    proof : nothing, encrypted: it tells a wrong passphrase.
    seal  : nothing, encrypted with everything else as associated data: it tells a changed file.
    """

    format: int
    cost: KdfCost
    salt: bytes
    proof: bytes
    entries: tuple[KeyEntry, ...] = ()
    seal: bytes = b""


def read_vault(path: Path) -> tuple[VaultContent, bytes]:
    """Return a key file's content and its checksum; no passphrase is needed.

    Raises UserError where there is none, or where a byte of it has changed.
    """
    try:
        with path.open("rb") as file:
            content = file.read(BYTES_MAX + 1)
    except FileNotFoundError:
        raise UserError(
            f"{path} does not exist: `ares keys set NAME` stores the first key"
        ) from None
    text, _, checksum = content.rpartition(CHECKSUM)
    if len(content) > BYTES_MAX or checksum.strip() != _checksum(text) or not text:
        raise damaged(path, "its checksum does not match")
    try:
        found = msgspec.json.decode(text, type=VaultContent)
    except msgspec.MsgspecError as error:
        raise damaged(path, str(error)) from None
    if found.format != FORMAT:
        raise UserError(f"{path} has format {found.format}; this version of Ares reads {FORMAT}")
    cost = found.cost
    if not (
        8 * cost.lanes <= cost.memory_kib <= 4 << 20
        and 1 <= cost.passes <= 64
        and 1 <= cost.lanes <= 64
        and len(found.salt) == SALT_BYTES
    ):
        raise damaged(path, "the cost of its passphrase is out of range")
    return found, checksum.strip()


def written(content: VaultContent) -> bytes:
    """Return the file's bytes."""
    text = msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n"
    return text + CHECKSUM + _checksum(text) + b"\n"


def damaged(path: Path, why: str) -> UserError:
    """Return the error of a file that is not as it was written."""
    return UserError(
        f"{path} is damaged ({why}): restore it from a backup, or move it away and store the keys"
        " again; nothing was changed"
    )


def _checksum(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest().encode()
