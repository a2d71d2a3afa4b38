"""Kraken's keys: its documented signature, nonces that increase, rights, tokens, call counters."""

from __future__ import annotations

import pytest
from tests.sim.trading import Scene

from ares.sim.serve.kraken_keys import KrakenKeys, signature
from ares.sim.serve.kraken_rest import KrakenError
from ares.sim.serve.venue import SignedRequest

SECRET = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="
BODY = "nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25"
SIGNED = "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ=="


def test_the_signature_is_that_of_the_documentation() -> None:
    signed = signature("/0/private/AddOrder", "1616492376594", BODY.encode(), SECRET)
    assert signed == SIGNED


def request(
    scene: Scene, nonce: str, *, key: str = "", signed: str = "", body: str = ""
) -> SignedRequest:
    engine = scene.keys["engine"]
    content = (body or f"nonce={nonce}").encode()
    path = "/0/private/Balance"
    headers = {
        "api-key": key or engine.key,
        "api-sign": signed or signature(path, nonce, content, engine.secret),
    }
    return SignedRequest("POST", path, {}, headers, content)


def error_of(keys: KrakenKeys, requested: SignedRequest) -> str:
    with pytest.raises(KrakenError) as error:
        keys.admit(requested, "Balance")
    return str(error.value)


def test_a_wrong_key_signature_or_nonce_is_refused_in_krakens_words() -> None:
    scene = Scene()
    keys = scene.face.account.keys  # type: ignore[union-attr]
    assert error_of(keys, request(scene, "5", key="other")) == "EAPI:Invalid key"
    assert error_of(keys, request(scene, "5", signed="AAAA")) == "EAPI:Invalid signature"
    assert error_of(keys, request(scene, "x")) == "EAPI:Invalid nonce"
    assert keys.admit(request(scene, "5", body="nonce=5&a=1"), "Balance")[1] == {"a": "1"}
    for nonce in ("5", "4"):
        assert error_of(keys, request(scene, nonce)) == "EAPI:Invalid nonce"
    keys.admit(request(scene, "6"), "Balance")


def test_each_key_counts_its_own_nonces() -> None:
    scene = Scene()
    assert scene.result("Balance")
    assert scene.result("Balance", "reader")
    scene._nonces = iter([1, 2, 3])  # type: ignore[assignment]
    assert scene.error("Balance", "reader") == "EAPI:Invalid nonce"


@pytest.mark.parametrize(
    ("key", "method", "allowed"),
    [
        ("reader", "Balance", True),
        ("reader", "AddOrder", False),
        ("reader", "CancelAll", False),
        ("watchdog", "OpenOrders", True),
        ("watchdog", "CancelAll", True),
        ("watchdog", "AddOrder", False),
        ("engine", "CancelAll", True),
    ],
)
def test_a_key_does_what_its_rights_allow(key: str, method: str, allowed: bool) -> None:
    answer = Scene().ask(method, key)
    assert (answer["error"] == ["EGeneral:Permission denied"]) is not allowed


def test_the_key_tells_its_rights() -> None:
    info = Scene().result("GetApiKeyInfo", "watchdog")
    assert info["permissions"] == [
        *("query-funds", "query-open-trades", "query-closed-trades", "close-trades")
    ]
    assert info["apiKeyName"] == "watchdog"
    assert info["nonce"] == "1"


def test_a_revoked_key_and_its_tokens_are_refused() -> None:
    scene = Scene()
    keys = scene.face.account.keys  # type: ignore[union-attr]
    token = scene.result("GetWebSocketsToken")["token"]
    assert keys.owner(token).name == "engine"
    scene.fault("key_revoked", only="engine")
    assert scene.error("Balance") == "EAPI:Invalid key"
    assert scene.result("Balance", "reader")
    with pytest.raises(KrakenError, match="ESession:Invalid session"):
        keys.owner(token)


def test_a_token_is_for_15_minutes() -> None:
    scene = Scene()
    keys = scene.face.account.keys  # type: ignore[union-attr]
    token = scene.result("GetWebSocketsToken")["token"]
    scene.now_s += 899.0
    keys.owner(token)
    scene.now_s += 2.0
    with pytest.raises(KrakenError):
        keys.owner(token)


def test_calls_are_counted_and_forgotten_in_wall_time() -> None:
    scene = Scene(tier="intermediate")
    for _ in range(20):
        scene.result("Balance")
    assert scene.error("Balance") == "EAPI:Rate limit exceeded"
    assert scene.error("CancelOrder", txid="x") == "EOrder:Unknown order", "counted elsewhere"
    assert scene.result("Balance", "reader"), "each key has its own"
    scene.now_s += 2.0
    scene.result("Balance")
    assert scene.error("TradesHistory") == "EAPI:Rate limit exceeded"
