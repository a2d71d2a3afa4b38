"""Asks a venue what a key may do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from ares.domain.errors import ExternalError
from ares.domain.key_rights import KeyRights
from ares.venues.signing import PrivateCall

Ask = Callable[[PrivateCall], Awaitable[tuple[int, bytes]]]
"""Sends a request with the key; returns HTTP status and body."""

KRAKEN_INFO = PrivateCall("POST", "/0/private/GetApiKeyInfo")
BINANCE_INFO = PrivateCall("GET", "/sapi/v1/account/apiRestrictions")
ALPACA_INFO = PrivateCall("GET", "/v2/account")


class KeyRefused(ExternalError):
    """The venue does not take the key; the text is the venue's."""


async def key_rights(venue: str, ask: Ask) -> KeyRights:
    """Return a key's rights; raise KeyRefused, or ExternalError where the venue does not answer."""
    if venue == "kraken":
        return _kraken(await _answer(venue, ask, KRAKEN_INFO))
    if venue == "binance":
        return _binance(await _answer(venue, ask, BINANCE_INFO))
    await _answer(venue, ask, ALPACA_INFO)
    return KeyRights(venue, is_known=False)


async def _answer(venue: str, ask: Ask, call: PrivateCall) -> dict[str, Any]:
    """Return the object that a venue answers."""
    status, body = await ask(call)
    try:
        found = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.MsgspecError:
        raise ExternalError(f"{venue} did not tell about the key: HTTP {status}") from None
    error = found.get("error") or found.get("msg") or found.get("message")
    text = "; ".join(map(str, error)) if isinstance(error, list) else str(error or "")
    if status in (401, 403) or text.startswith(("EAPI:Invalid", "EGeneral:Permission")):
        raise KeyRefused(f"{venue} refuses the key: {text or f'HTTP {status}'}")
    if text or not 200 <= status < 300:
        raise ExternalError(f"{venue} did not tell about the key: {text or f'HTTP {status}'}")
    return found


def _kraken(answer: Mapping[str, Any]) -> KeyRights:
    """Return the rights in GetApiKeyInfo's answer."""
    info = answer.get("result")
    listed = info.get("permissions") if isinstance(info, dict) else None
    if not isinstance(info, dict) or not isinstance(listed, list):
        return KeyRights("kraken", is_known=False)
    bound = info.get("ipAllowlist")
    return KeyRights(
        "kraken",
        is_known=True,
        can_query={"query-funds", "query-open-trades", "query-closed-trades"} <= set(listed),
        can_trade="modify-trades" in listed,
        can_cancel="close-trades" in listed or "modify-trades" in listed,
        can_withdraw=any("withdraw" in str(right) for right in listed),
        nonce_window=_whole(info.get("nonceWindow"), otherwise=1),
        addresses=tuple(map(str, bound)) if isinstance(bound, list) else None,
        expires_ms=1_000 * _whole(info.get("validUntil"), otherwise=0),
    )


def _binance(info: Mapping[str, Any]) -> KeyRights:
    """Return the rights in the answer of apiRestrictions; it names no addresses."""
    if not isinstance(info.get("enableWithdrawals"), bool):
        return KeyRights("binance", is_known=False)
    trades = info.get("enableSpotAndMarginTrading") is True
    is_bound = info.get("ipRestrict") is True
    return KeyRights(
        "binance",
        is_known=True,
        can_query=info.get("enableReading") is True,
        can_trade=trades,
        can_cancel=trades,
        can_withdraw=any(
            info.get(name) is True
            for name in ("enableWithdrawals", "enableInternalTransfer", "permitsUniversalTransfer")
        ),
        addresses=("the addresses in its settings",) if is_bound else (),
        expires_ms=_whole(info.get("tradingAuthorityExpirationTime"), otherwise=0),
    )


def _whole(value: Any, otherwise: int) -> int:
    """Return a whole number; what is none counts as ``otherwise``, the careful reading."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return otherwise
