"""Kraken's signature, by its documented example and by ccxt's."""

from __future__ import annotations

import msgspec
import pytest

from ares.domain.api_key import ApiKey
from ares.venues.kraken_signing import PREFIX, right, sign
from ares.venues.signing import PrivateCall

SECRET = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="


def test_the_documented_example() -> None:
    """The example of docs.kraken.com, guide "Spot REST authentication"."""
    call = PrivateCall(
        "POST", "/0/private/AddOrder",
        body="ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25",
    )  # fmt: skip
    signed = sign(ApiKey("key", SECRET), call, 1_616_492_376_594)
    assert signed.headers["API-Sign"] == (
        "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ=="
    )
    assert signed.body.startswith(b"nonce=1616492376594&ordertype=limit")
    assert signed.target == "/0/private/AddOrder"


def test_a_nonce_that_a_caller_made_is_replaced() -> None:
    key = ApiKey("key", SECRET)
    form = sign(key, PrivateCall("POST", "/0/private/Balance", body="nonce=9&a=1"), 5)
    assert form.body == b"nonce=5&a=1"
    json = PrivateCall("POST", "/x", body='{"nonce": 9, "a": [1]}', content_type="application/json")
    assert msgspec.json.decode(sign(key, json, 5).body) == {"nonce": "5", "a": [1]}
    assert sign(key, PrivateCall("POST", "/0/private/Balance"), 5).body == b"nonce=5"


def test_it_is_the_signature_that_ccxt_makes() -> None:
    ccxt = pytest.importorskip("ccxt")
    exchange = ccxt.kraken({"apiKey": "key", "secret": SECRET})
    exchange.incrementing_nonce = lambda: 77
    for path, params in (("AddOrder", {"pair": "XBTUSD", "close[price]": "1"}), ("Balance", {})):
        made = exchange.sign(path, ["private"], "POST", params)
        call = PrivateCall("POST", f"{PREFIX}{path}", body=made["body"])
        signed = sign(ApiKey("key", SECRET), call, 77)
        assert signed.body.decode() == made["body"]
        assert signed.headers["API-Sign"] == made["headers"]["API-Sign"]


def test_rights() -> None:
    assert right("POST", "/0/private/CancelAll") == "cancel"
    assert right("POST", "/0/private/GetApiKeyInfo") == "query"
    assert right("GET", "/0/private/AddOrder") == ""
