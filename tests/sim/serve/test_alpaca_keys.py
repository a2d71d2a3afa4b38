"""Alpaca's keys: the pair in the headers, and how often it may ask."""

from __future__ import annotations

import pytest

from ares.sim.serve.alpaca_keys import AlpacaKeys, require
from ares.sim.serve.alpaca_words import AlpacaError
from ares.sim.serve.keys import SimKey

KEY = SimKey("engine", "K", "c2VjcmV0")
READER = SimKey("reader", "R", "c2VjcmV0", ("query",))


def headers(key: SimKey, secret: str = "") -> dict[str, str]:
    return {"Apca-Api-Key-Id": key.key, "APCA-API-SECRET-KEY": secret or key.secret}


def test_a_key_needs_its_secret_and_may_be_revoked() -> None:
    revoked: set[str] = set()
    keys = AlpacaKeys([KEY], lambda: 0.0, lambda name: any(each in name for each in revoked))
    assert keys.admit(headers(KEY)) is KEY
    for wrong in (headers(KEY, "x"), headers(READER), {}):
        with pytest.raises(AlpacaError, match="not authorized"):
            keys.admit(wrong)
    revoked.add("engine")
    with pytest.raises(AlpacaError, match="not authorized"):
        keys.admit(headers(KEY))


def test_so_many_requests_of_a_key_in_a_minute() -> None:
    now = [0.0]
    keys = AlpacaKeys([KEY, READER], lambda: now[0], limit=3)
    for _ in range(3):
        keys.admit(headers(KEY))
    with pytest.raises(AlpacaError, match="rate limit") as refused:
        keys.admit(headers(KEY))
    assert refused.value.status == 429
    keys.admit(headers(READER))
    now[0] = 60.0
    keys.admit(headers(KEY))


def test_rights() -> None:
    require(READER, "query", "trade")
    with pytest.raises(AlpacaError, match="lacks this right"):
        require(READER, "trade", "cancel")
