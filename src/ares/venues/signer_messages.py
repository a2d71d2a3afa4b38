"""What is said over the signer's socket: frames of four bytes of length and a MessagePack value."""

from __future__ import annotations

from typing import Literal

import msgspec

from ares.venues.signing import PrivateCall

FRAME_BYTES_MAX = 40 << 20
CALL_BYTES_MAX = 1 << 20

Failure = Literal["", "refused", "no_answer"]
"""Empty: the venue answered. refused: it was not sent. no_answer: nothing is known of it."""


class SignRequest(msgspec.Struct, frozen=True, tag="sign", array_like=True):
    """Sign a request with a key and send it; number: returned with the answer."""

    number: int
    key: str
    call: PrivateCall
    answer_s: float


class AskStatus(msgspec.Struct, frozen=True, tag="status", array_like=True):
    """Ask what the signer holds, and whether it is well."""

    number: int


class SignedAnswer(msgspec.Struct, frozen=True, tag="answer", array_like=True):
    """What came of a request."""

    number: int
    failure: Failure
    text: str = ""
    status: int = 0
    reason: str = ""
    headers: dict[str, str] = {}
    body: bytes = b""


class HeldKeyStatus(msgspec.Struct, frozen=True):
    """A key that the signer holds, without anything that is secret."""

    name: str
    venue: str
    fingerprint: str
    host: str
    allows: tuple[str, ...]
    rights: tuple[str, ...]
    sent: int
    refused: int


class SignerStatus(msgspec.Struct, frozen=True, tag="signer", array_like=True):
    """What a signer holds; memory: what could not be done to keep it private."""

    number: int
    environment: str
    pid: int
    started_ms: int
    keys: tuple[HeldKeyStatus, ...]
    memory: tuple[str, ...]


ToSigner = SignRequest | AskStatus
FromSigner = SignedAnswer | SignerStatus


def frame(message: ToSigner | FromSigner) -> bytes:
    """Return a message as it is sent."""
    body = msgspec.msgpack.encode(message)
    return len(body).to_bytes(4, "big") + body
