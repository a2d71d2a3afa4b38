"""What each venue's answer says of a key; the careful reading of what it does not say."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from ares.domain.errors import ExternalError
from ares.domain.key_rights import KeyRights
from ares.venues.key_rights import KeyRefused, key_rights
from ares.venues.known_signing import KNOWN
from ares.venues.signing import PrivateCall


def answered(venue: str, answer: Any, status: int = 200) -> KeyRights:
    async def ask(call: PrivateCall) -> tuple[int, bytes]:
        assert KNOWN[venue].right(call.method, call.path) == "query"
        return status, answer if isinstance(answer, bytes) else msgspec.json.encode(answer)

    return asyncio.run(key_rights(venue, ask))


def kraken(**info: Any) -> KeyRights:
    rights = ["query-funds", "query-open-trades", "query-closed-trades", "modify-trades"]
    known = {"permissions": rights, "nonceWindow": 0, "ipAllowlist": [], "validUntil": "0"}
    return answered("kraken", {"error": [], "result": {**known, **info}})


def test_kraken() -> None:
    found = kraken()
    assert found == KeyRights("kraken", True, True, True, True, False, 0, ())
    assert kraken(permissions=["query-funds", "withdraw-funds"]).can_withdraw
    assert not kraken(permissions=["query-funds"]).can_query
    assert kraken(nonceWindow="5000").nonce_window == 5000
    assert kraken(nonceWindow=None).nonce_window == 1, "what is not told is not taken for 0"
    assert kraken(ipAllowlist=["10.1.2.3"]).addresses == ("10.1.2.3",)
    assert kraken(ipAllowlist=None).addresses is None
    assert kraken(validUntil="1800000000").expires_ms == 1_800_000_000_000
    assert not kraken(permissions=None).is_known


def test_binance() -> None:
    info = {
        "ipRestrict": False, "enableReading": True, "enableWithdrawals": False,
        "enableSpotAndMarginTrading": True, "enableInternalTransfer": False,
        "permitsUniversalTransfer": False,
    }  # fmt: skip
    assert answered("binance", info) == KeyRights("binance", True, True, True, True, addresses=())
    for right in ("enableWithdrawals", "enableInternalTransfer", "permitsUniversalTransfer"):
        assert answered("binance", {**info, right: True}).can_withdraw
    assert answered("binance", {**info, "ipRestrict": True}).addresses
    assert not answered("binance", {"ipRestrict": True}).is_known


def test_alpaca_takes_the_key_and_tells_nothing() -> None:
    assert answered("alpaca", {"id": "x", "status": "ACTIVE"}) == KeyRights("alpaca", False)


@pytest.mark.parametrize(
    ("venue", "answer", "status", "kind", "text"),
    [
        ("kraken", {"error": ["EAPI:Invalid key"]}, 200, KeyRefused, "refuses the key"),
        ("kraken", {"error": ["EService:Busy"]}, 200, ExternalError, "EService:Busy"),
        ("binance", {"code": -2015, "msg": "Invalid API-key"}, 401, KeyRefused, "Invalid API-key"),
        ("alpaca", {"message": "forbidden."}, 403, KeyRefused, "forbidden"),
        ("kraken", b"<html>", 502, ExternalError, "HTTP 502"),
        ("kraken", {}, 500, ExternalError, "HTTP 500"),
    ],
)
def test_no_answer_is_not_a_right(
    venue: str, answer: Any, status: int, kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind, match=text) as error:
        answered(venue, answer, status)
    assert type(error.value) is kind
