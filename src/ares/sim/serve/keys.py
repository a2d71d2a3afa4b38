"""The account's API keys: of a file, or of the seed."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import msgspec

from ares.adapters.durable import write_file
from ares.domain.errors import UserError

RIGHTS = ("query", "trade", "cancel")
WITHDRAW = "withdraw"
TIERS = {"starter": (15.0, 0.33), "intermediate": (20.0, 0.5), "pro": (20.0, 1.0)}
"""Tier -> the call counter's maximum, and by how much it falls in a second (REST rate limits)."""


class SimKey(msgspec.Struct, forbid_unknown_fields=True):
    """A key as a key file has it; ``secret`` in base64.

    rights       : some of query, trade, cancel, withdraw.
    nonce_window : how far its nonces may fall back, as the venue tells it; they must increase.
    addresses    : to which it is bound, as the venue tells it; it is taken from anywhere.
    """

    name: str
    key: str
    secret: str
    rights: tuple[str, ...] = RIGHTS
    nonce_window: int = 0
    addresses: tuple[str, ...] = ()


def default_keys(seed: int, *, withdraws: bool = False) -> list[SimKey]:
    """Return the keys of a server without a key file: the same for the same seed.

    One for an engine, one that only reads, one of a watchdog that reads and cancels; ``owner``,
    where it is wanted, can withdraw, too.
    """
    rights = {"engine": RIGHTS, "reader": ("query",), "watchdog": ("query", "cancel")}
    if withdraws:
        rights["owner"] = (*RIGHTS, WITHDRAW)
    keys = []
    for name, allowed in rights.items():
        drawn = hashlib.shake_256(f"ares sim serve:{seed}:{name}".encode()).digest(42 + 64)
        text = base64.b64encode(drawn[:42]).decode().replace("+", "A").replace("/", "B")
        keys.append(SimKey(name, text, base64.b64encode(drawn[42:]).decode(), allowed))
    return keys


def keys_of_file(path: Path, default: list[SimKey]) -> list[SimKey]:
    """Return the keys of a file, which is written where it does not exist; raise UserError."""
    if not path.exists():
        write_file(path, msgspec.json.format(msgspec.json.encode(default), indent=2) + b"\n")
        return default
    try:
        keys = msgspec.json.decode(path.read_bytes(), type=list[SimKey])
        for key in keys:
            base64.b64decode(key.secret, validate=True)
    except (msgspec.MsgspecError, ValueError, OSError) as error:
        raise UserError(f"--key-file {path}: {error}") from error
    wrong = {right for key in keys for right in key.rights} - {*RIGHTS, WITHDRAW}
    if wrong:
        raise UserError(
            f"--key-file {path}: rights are {', '.join(RIGHTS)}, {WITHDRAW}, not {min(wrong)}"
        )
    return keys
