"""A Kraken account, composed."""

from __future__ import annotations

import asyncio

import pytest

from ares.domain.api_key import ApiKey
from ares.domain.errors import ExternalError, UserError
from ares.venues.kraken_venue import KrakenAccount, require_keys

KEYS = ApiKey("abcdefgh", "c2VjcmV0")


def test_a_secret_is_never_printed() -> None:
    assert repr(KEYS) == "ApiKey(abcd...)"
    assert "c2VjcmV0" not in f"{KEYS} {KEYS!r}"


def test_keys_that_cannot_be_any_are_refused() -> None:
    require_keys(KEYS)
    for wrong in (ApiKey("", "c2VjcmV0"), ApiKey("abc", "")):
        with pytest.raises(UserError, match="is empty"):
            require_keys(wrong)
    with pytest.raises(UserError, match="no base64 text"):
        require_keys(ApiKey("abc", "not base64!"))


def test_an_unknown_level_of_account_is_refused() -> None:
    with pytest.raises(UserError, match="use one of starter, intermediate, pro"):
        KrakenAccount(KEYS, lambda: 0, tier="gold")


def test_a_venue_that_does_not_answer_is_an_external_error() -> None:
    async def run() -> None:
        account = KrakenAccount(KEYS, lambda: 0, address="http://127.0.0.1:9")
        try:
            with pytest.raises(ExternalError, match="its markets were not read"):
                await account.markets(["BTC/USD"])
        finally:
            await account.close()

    asyncio.run(run())
