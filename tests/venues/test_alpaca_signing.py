"""Alpaca's requests: the secret is in a header, and in no other part."""

from __future__ import annotations

from ares.domain.api_key import ApiKey
from ares.venues.alpaca_signing import right, sign
from ares.venues.signing import PrivateCall


def test_the_secret_travels_in_a_header() -> None:
    call = PrivateCall("POST", "/v2/orders", body='{"symbol":"BTC/USD"}')
    signed = sign(ApiKey("k", "s"), call, 1)
    assert signed.headers == {
        "APCA-API-KEY-ID": "k", "APCA-API-SECRET-KEY": "s", "Content-Type": "application/json",
    }  # fmt: skip
    assert (signed.target, signed.body) == ("/v2/orders", b'{"symbol":"BTC/USD"}')
    signed = sign(ApiKey("k", "s"), PrivateCall("GET", "/v2/orders", "status=open"), 1)
    assert (signed.target, signed.body) == ("/v2/orders?status=open", b"")


def test_rights() -> None:
    assert right("GET", "/v2/positions/BTC/USD") == "query"
    assert right("DELETE", "/v2/orders/61e69015-8549-4bfd-b9c3-01e75843f47d") == "cancel"
    assert right("PATCH", "/v2/orders/61e69015-8549-4bfd-b9c3-01e75843f47d") == "trade"
    assert right("GET", "/v2/orders:by_client_order_id") == "query"
    assert right("PATCH", "/v2/account/configurations") == ""
    assert right("DELETE", "/v2/positions") == ""
