"""Alpaca's private requests: which are sent; its secret travels in a header of each."""

from __future__ import annotations

import re

from ares.domain.api_key import ApiKey
from ares.venues.signing import CANCEL, QUERY, TRADE, PrivateCall, SignedCall, VenueSigning

ID = r"[0-9A-Za-z-]{1,64}"
RIGHTS = {
    QUERY: (
        r"GET /v2/account",
        r"GET /v2/account/activities(/[A-Z]{1,12})?",
        r"GET /v2/account/configurations",
        r"GET /v2/assets(/[A-Z0-9.]{1,16}([/%][A-Z0-9.]{1,16})?)?",
        r"GET /v2/clock",
        r"GET /v2/orders",
        rf"GET /v2/orders/{ID}",
        r"GET /v2/orders:by_client_order_id",
        r"GET /v2/positions(/[A-Z0-9.]{1,16}([/%][A-Z0-9.]{1,16})?)?",
    ),
    TRADE: (r"POST /v2/orders", rf"PATCH /v2/orders/{ID}"),
    CANCEL: (r"DELETE /v2/orders", rf"DELETE /v2/orders/{ID}"),
}
"""What is sent; all else is not: wallets, transfers, account settings, watch lists."""

_RIGHT_OF = [(re.compile(text), right) for right, texts in RIGHTS.items() for text in texts]


def right(method: str, path: str) -> str:
    """Return the right that a request needs; empty: it is not to be sent.

    >>> right("POST", "/v2/orders"), right("POST", "/v2/wallets/transfers")
    ('trade', '')
    """
    text = f"{method} {path}"
    return next((right for pattern, right in _RIGHT_OF if pattern.fullmatch(text)), "")


def sign(key: ApiKey, call: PrivateCall, _nonce: int) -> SignedCall:
    """Return the request with key and secret in its headers."""
    headers = {"APCA-API-KEY-ID": key.key, "APCA-API-SECRET-KEY": key.secret}
    if call.body:
        headers["Content-Type"] = "application/json"
    target = f"{call.path}?{call.query}" if call.query else call.path
    return SignedCall(call.method, target, headers, call.body.encode())


ALPACA_SIGNING = VenueSigning(
    "alpaca", "https://api.alpaca.markets", right, sign, sandbox="https://paper-api.alpaca.markets"
)
