"""Binance's signed requests: its documented signature, the time of a request, rights."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from tests.sim.trading import BinanceScene

from ares.sim.serve.binance_keys import BinanceKeys
from ares.sim.serve.binance_rest import BinanceError
from ares.sim.serve.keys import SimKey
from ares.sim.serve.venue import SignedRequest

KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
QUERY = (
    "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000"
    "&timestamp=1499827319559"
)
SIGNED = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
MIXED = "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77"


def keys_at(now_ms: int) -> BinanceKeys:
    return BinanceKeys([SimKey("documented", KEY, SECRET)], lambda _: now_ms)


@pytest.mark.parametrize("in_body", [True, False])
def test_the_signature_is_that_of_the_documentation(in_body: bool) -> None:
    signed = f"{QUERY}&signature={SIGNED}"
    query, body = ("", signed) if in_body else (signed, "")
    request = SignedRequest(
        "POST", "/api/v3/order", {}, {"x-mbx-apikey": KEY}, body.encode(), query
    )
    api_key, params = keys_at(1_499_827_319_600).admit(request)
    assert (api_key.name, params["quantity"]) == ("documented", "1")


def test_query_and_body_are_signed_one_after_the_other() -> None:
    query, body = QUERY.split("&quantity")
    request = SignedRequest(
        "POST",
        "/api/v3/order",
        {},
        {"X-MBX-APIKEY": KEY},
        f"quantity{body}&signature={MIXED}".encode(),
        query,
    )
    _, params = keys_at(1_499_827_319_600).admit(request)
    assert (params["symbol"], params["price"]) == ("LTCBTC", "0.1")


@pytest.mark.parametrize(
    ("late_ms", "window", "is_taken"),
    [(0, "", True), (4_900, "", True), (5_100, "", False), (5_100, "6000", True),
     (-900, "", True), (-1_100, "", False), (0, "60001", False)],
)  # fmt: skip
def test_a_request_is_neither_too_old_nor_of_the_future(
    late_ms: int, window: str, is_taken: bool
) -> None:
    scene = BinanceScene()
    params: dict[str, Any] = {"timestamp": scene.now_ms - late_ms} | (
        {"recvWindow": window} if window else {}
    )
    status, answer = scene.ask("GET account", **params)
    assert (status == 200) is is_taken
    if not is_taken:
        assert answer["code"] in (-1021, -1131)


def test_a_wrong_key_or_signature_is_refused_in_binances_words() -> None:
    scene = BinanceScene()

    def code(key: str, query: str) -> int:
        request = SignedRequest("GET", "/api/v3/account", {}, {"X-MBX-APIKEY": key}, b"", query)
        answer = scene.face.private(request)
        assert answer is not None
        return int(msgspec.json.decode(answer.body)["code"])

    engine, signed = scene.keys["engine"].key, urlencode(scene.signed())
    assert code("", signed) == -2014
    assert code("a" * 64, signed) == -2015
    assert code(engine, signed.replace("signature=", "signature=0")) == -1022
    assert code(engine, f"timestamp={scene.now_ms}") == -1102
    assert code(engine, "a=1") == -1102
    assert scene.code("POST order", "reader", symbol="BTCUSDT") == -2015
    scene.fault("key_revoked", only="engine")
    assert code(engine, signed) == -2015
    assert scene.result("GET account", "reader")


def test_parameters_of_the_socket_are_signed_in_order_of_their_names() -> None:
    scene = BinanceScene()
    keys = scene.face.account.keys  # type: ignore[union-attr]
    engine = scene.keys["engine"]
    params = scene.signed(apiKey=engine.key, b="2 3", a=True)
    with pytest.raises(BinanceError, match="Signature"):
        keys.admit_params(params)
    given = {"a": "true", "apiKey": engine.key, "b": "2 3", "timestamp": scene.now_ms}
    import hashlib
    import hmac

    text = "&".join(f"{name}={value}" for name, value in sorted(given.items()))
    signed = hmac.new(engine.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    assert keys.admit_params({**given, "a": True, "signature": signed})[0] == engine
