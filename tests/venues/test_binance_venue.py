"""A Binance account, composed."""

from __future__ import annotations

import asyncio

import pytest

from ares.domain.api_key import ApiKey
from ares.domain.errors import ExternalError, UserError
from ares.venues.binance_venue import BinanceAccount

KEYS = ApiKey("abcdefgh", "secret")


def test_keys_that_cannot_be_any_are_refused() -> None:
    for wrong in (ApiKey("", "s"), ApiKey("k", "")):
        with pytest.raises(UserError, match="is empty"):
            BinanceAccount(wrong, lambda: 0)


def test_a_venue_that_does_not_answer_is_an_external_error() -> None:
    async def run() -> None:
        account = BinanceAccount(KEYS, lambda: 0, address="http://127.0.0.1:9")
        try:
            with pytest.raises(ExternalError, match="its markets were not read"):
                await account.markets(["BTC/USDT"])
        finally:
            await account.close()

    asyncio.run(run())


def test_an_error_of_the_clock_has_it_measured_again() -> None:
    async def run() -> None:
        account = BinanceAccount(KEYS, lambda: 0, address="http://127.0.0.1:9")
        try:
            assert account._is_refusal("-2010 no")
            assert not account._clock_doubted.is_set()
            assert account._is_refusal("-1021 Timestamp")
            assert account._clock_doubted.is_set()
        finally:
            await account.close()

    asyncio.run(run())
