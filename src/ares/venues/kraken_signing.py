"""Kraken's private requests: which are sent, and their signature (API-Sign)."""

from __future__ import annotations

import base64
import hashlib
import hmac

import msgspec

from ares.domain.api_key import ApiKey
from ares.venues.signing import (
    CANCEL,
    FORM,
    QUERY,
    TRADE,
    PrivateCall,
    SignedCall,
    VenueSigning,
    without,
)

PREFIX = "/0/private/"
RIGHTS = {
    QUERY: (
        *("Balance", "BalanceEx", "TradeBalance", "TradeVolume", "OpenOrders", "ClosedOrders"),
        *("QueryOrders", "OrderAmends", "TradesHistory", "QueryTrades", "GetApiKeyInfo"),
        *("Ledgers", "QueryLedgers", "GetWebSocketsToken"),
    ),
    TRADE: ("AddOrder", "AddOrderBatch", "AmendOrder", "EditOrder"),
    CANCEL: ("CancelOrder", "CancelOrderBatch", "CancelAll", "CancelAllOrdersAfter"),
}
"""What is sent; all else is not: withdrawals, transfers, earn, subaccounts, exports."""

_RIGHT_OF = {f"{PREFIX}{name}": right for right, names in RIGHTS.items() for name in names}


def right(method: str, path: str) -> str:
    """Return the right that a request needs; empty: it is not to be sent.

    >>> right("POST", "/0/private/AddOrder"), right("POST", "/0/private/Withdraw")
    ('trade', '')
    """
    return _RIGHT_OF.get(path, "") if method == "POST" else ""


def sign(key: ApiKey, call: PrivateCall, nonce: int) -> SignedCall:
    """Return the request with its nonce and signature; a nonce that it has is replaced.

    API-Sign: HMAC-SHA512 of the path and the SHA-256 of nonce and body.
    """
    if "json" in call.content_type:
        given = msgspec.json.decode(call.body or "{}", type=dict[str, object])
        body = msgspec.json.encode({**given, "nonce": str(nonce)})
        content_type = "application/json"
    else:
        rest = without(call.body, "nonce")
        body = (f"nonce={nonce}&{rest}" if rest else f"nonce={nonce}").encode()
        content_type = FORM
    digest = hashlib.sha256(str(nonce).encode() + body).digest()
    secret = base64.b64decode(key.secret)
    signed = hmac.digest(secret, call.path.encode() + digest, "sha512")
    headers = {
        "API-Key": key.key,
        "API-Sign": base64.b64encode(signed).decode(),
        "Content-Type": content_type,
    }
    return SignedCall("POST", call.path, headers, body)


KRAKEN_SIGNING = VenueSigning(
    "kraken",
    "https://api.kraken.com",
    right,
    sign,
    counts_nonces=True,
    streams_by_token=True,
)
