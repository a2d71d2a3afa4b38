"""Kraken's API keys: signatures, nonces that increase, rights, WebSocket tokens, call counters."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import msgspec

from ares.sim.serve.keys import TIERS, SimKey
from ares.sim.serve.kraken_rest import KrakenError
from ares.sim.serve.venue import SignedRequest

TOKEN_S = 900.0
COSTS = {"Ledgers": 2, "QueryLedgers": 2, "TradesHistory": 2, "QueryTrades": 2, "ClosedOrders": 2}
FREE = ("AddOrder", "AmendOrder", "EditOrder", "CancelOrder", "CancelOrderBatch", "AddOrderBatch")
"""Requests that the matching engine's limits count instead."""


@dataclass(slots=True)
class _Used:
    """What the server knows of a key's use."""

    api_key: SimKey
    nonce: int = 0
    used_ms: int = 0
    count: float = 0.0
    counted_s: float = 0.0
    tokens: dict[str, float] = field(default_factory=dict)


class KrakenKeys:
    """The keys of the account.

    wall_s  : seconds of wall time, monotonic: tokens and counters follow it.
    revoked : whether the name or text of a key is refused now (a fault).
    tier    : of the call counter; empty: unlimited.
    """

    def __init__(
        self,
        keys: Iterable[SimKey],
        wall_s: Callable[[], float],
        revoked: Callable[[str], bool] = lambda _: False,
        tier: str = "intermediate",
    ) -> None:
        self._used = {key.key: _Used(key) for key in keys}
        self._wall_s = wall_s
        self._revoked = revoked
        self._limits = TIERS.get(tier)
        self._n_tokens = 0

    def admit(self, request: SignedRequest, method: str) -> tuple[SimKey, dict[str, object]]:
        """Return the key and the fields of a signed request; raise KrakenError."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        used = self._used.get(headers.get("api-key", ""))
        if used is None or self.is_revoked(used.api_key):
            raise KrakenError("EAPI:Invalid key")
        fields = _fields(request.body, headers.get("content-type", ""))
        nonce = str(fields.pop("nonce", ""))
        signed = signature(request.path, nonce, request.body, used.api_key.secret)
        if not hmac.compare_digest(signed, headers.get("api-sign", "")):
            raise KrakenError("EAPI:Invalid signature")
        if not nonce.isdigit() or int(nonce) <= used.nonce:
            raise KrakenError("EAPI:Invalid nonce")
        used.nonce = int(nonce)
        self._count(used, method)
        return used.api_key, fields

    def nonce(self, api_key: SimKey) -> int:
        """Return the newest nonce of a key."""
        return self._used[api_key.key].nonce

    def is_revoked(self, api_key: SimKey) -> bool:
        """Return whether a key is refused now."""
        return self._revoked(f"{api_key.name} {api_key.key}")

    def new_token(self, api_key: SimKey) -> str:
        """Return a token for WebSockets; it must be used within 15 minutes of wall time."""
        self._n_tokens += 1
        drawn = hashlib.sha256(f"{api_key.secret}:{self._n_tokens}".encode()).digest()
        token = base64.b64encode(drawn).decode()
        self._used[api_key.key].tokens[token] = self._wall_s() + TOKEN_S
        return token

    def owner(self, token: object) -> SimKey:
        """Return the key of a token; raise KrakenError."""
        for used in self._used.values():
            until_s = used.tokens.get(str(token))
            is_valid = until_s is not None and self._wall_s() <= until_s
            if is_valid and not self.is_revoked(used.api_key):
                return used.api_key
        raise KrakenError("ESession:Invalid session")

    def _count(self, used: _Used, method: str) -> None:
        if self._limits is None or method in FREE:
            return
        most, fall = self._limits
        now_s = self._wall_s()
        used.count = max(0.0, used.count - (now_s - used.counted_s) * fall)
        used.counted_s = now_s
        if used.count + COSTS.get(method, 1) > most:
            raise KrakenError("EAPI:Rate limit exceeded")
        used.count += COSTS.get(method, 1)


def require(api_key: SimKey, right: str) -> None:
    """Raise KrakenError where a key lacks a right."""
    if right not in api_key.rights:
        raise KrakenError("EGeneral:Permission denied")


def signature(path: str, nonce: str, body: bytes, secret: str) -> str:
    """Return API-Sign: HMAC-SHA512 of the path and the SHA-256 of nonce and body."""
    digest = hashlib.sha256(nonce.encode() + body).digest()
    signed = hmac.new(base64.b64decode(secret), path.encode() + digest, hashlib.sha512)
    return base64.b64encode(signed.digest()).decode()


def _fields(body: bytes, content_type: str) -> dict[str, object]:
    """Return the fields of a form or of JSON; close[price] and close: {price} are the same."""
    if "json" in content_type:
        try:
            found = msgspec.json.decode(body, type=dict[str, object])
        except msgspec.MsgspecError:
            raise KrakenError("EGeneral:Invalid arguments") from None
    else:
        found = dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
    close = found.pop("close", None)
    if isinstance(close, Mapping):
        found |= {f"close[{name}]": value for name, value in close.items()}
    return found
