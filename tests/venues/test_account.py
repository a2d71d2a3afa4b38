"""An account by the venue's name."""

from __future__ import annotations

import asyncio

import pytest

from ares.domain.api_key import ApiKey
from ares.domain.errors import UserError
from ares.venues.account import account_at
from ares.venues.known import DECLARED


def test_every_venue_that_takes_orders_has_an_account() -> None:
    async def run() -> None:
        for venue in DECLARED.values():
            if venue.takes_orders:
                account = account_at(venue.name, ApiKey("key", "c2VjcmV0"), lambda: 0)
                await account.close()

    asyncio.run(run())


def test_another_venue_is_refused() -> None:
    with pytest.raises(UserError, match="no account at coinbase"):
        account_at("coinbase", ApiKey("key", "c2VjcmV0"), lambda: 0)
