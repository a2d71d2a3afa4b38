"""Binance's signature, by its documented example."""

from __future__ import annotations

from ares.domain.api_key import ApiKey
from ares.venues.binance_signing import right, sign
from ares.venues.signing import PrivateCall

KEY = ApiKey(
    "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A",
    "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j",
)
ORDER = (
    "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000"
    "&timestamp=1499827319559"
)
SIGNATURE = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"


def test_the_documented_examples() -> None:
    """developers.binance.com, "Signed endpoint examples": all in the body, and all in the query."""
    signed = sign(KEY, PrivateCall("POST", "/api/v3/order", body=ORDER), 1)
    assert signed.body.decode() == f"{ORDER}&signature={SIGNATURE}"
    signed = sign(KEY, PrivateCall("POST", "/api/v3/order", f"{ORDER}&signature=forged"), 1)
    assert signed.target == f"/api/v3/order?{ORDER}&signature={SIGNATURE}"
    assert signed.headers["X-MBX-APIKEY"] == KEY.key


def test_a_time_is_added_where_there_is_none() -> None:
    signed = sign(KEY, PrivateCall("GET", "/api/v3/account"), 123)
    assert signed.target.startswith("/api/v3/account?timestamp=123&signature=")
    signed = sign(KEY, PrivateCall("POST", "/api/v3/order", body="symbol=X"), 123)
    assert signed.target == "/api/v3/order?timestamp=123"
    assert signed.body.startswith(b"symbol=X&signature=")


def test_rights() -> None:
    assert right("POST", "/api/v3/order") == "trade"
    assert right("GET", "/sapi/v1/account/apiRestrictions") == "query"
    assert right("POST", "/sapi/v1/account/apiRestrictions") == ""
