"""Binance's private requests (spot): which are sent, and their signature."""

from __future__ import annotations

import hmac

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

RIGHTS = {
    QUERY: (
        "GET /api/v3/account",
        "GET /api/v3/account/commission",
        "GET /api/v3/allOrders",
        "GET /api/v3/myTrades",
        "GET /api/v3/openOrders",
        "GET /api/v3/order",
        "GET /api/v3/order/amendments",
        "GET /api/v3/rateLimit/order",
        "GET /sapi/v1/account/apiRestrictions",
    ),
    TRADE: (
        "POST /api/v3/order",
        "POST /api/v3/order/test",
        "POST /api/v3/order/cancelReplace",
        "PUT /api/v3/order/amend/keepPriority",
    ),
    CANCEL: ("DELETE /api/v3/order", "DELETE /api/v3/openOrders"),
}
"""What is sent; all else is not: withdrawals, transfers, margin, sub-accounts, dust."""

_RIGHT_OF = {name: right for right, names in RIGHTS.items() for name in names}


def right(method: str, path: str) -> str:
    """Return the right that a request needs; empty: it is not to be sent.

    >>> right("DELETE", "/api/v3/order"), right("POST", "/sapi/v1/capital/withdraw/apply")
    ('cancel', '')
    """
    return _RIGHT_OF.get(f"{method} {path}", "")


def sign(key: ApiKey, call: PrivateCall, nonce: int) -> SignedCall:
    """Return the request with its signature: HMAC-SHA256 of query and body.

    ``timestamp`` is added where the request has none: with one it says until when it is good.
    """
    query, body = (without(text, "signature") for text in (call.query, call.body))
    given = f"&{query}&{body}"
    if "&timestamp=" not in given:
        query = f"{query}&timestamp={nonce}" if query else f"timestamp={nonce}"
    signature = hmac.digest(key.secret.encode(), (query + body).encode(), "sha256").hex()
    headers = {"X-MBX-APIKEY": key.key}
    if body:
        body = f"{body}&signature={signature}"
        headers["Content-Type"] = FORM
    else:
        query = f"{query}&signature={signature}"
    target = f"{call.path}?{query}" if query else call.path
    return SignedCall(call.method, target, headers, body.encode())


BINANCE_SIGNING = VenueSigning(
    "binance", "https://api.binance.com", right, sign, sandbox="https://testnet.binance.vision"
)
