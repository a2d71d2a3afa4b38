"""Which venues have keys."""

from __future__ import annotations

import pytest

from ares.domain.errors import UserError
from ares.venues.known import DECLARED
from ares.venues.known_signing import KNOWN, signing_of


def test_every_declared_venue_is_signed_for_its_own_host() -> None:
    assert KNOWN.keys() == DECLARED.keys()
    assert {each.host for each in KNOWN.values()} == {
        "https://api.kraken.com", "https://api.binance.com", "https://api.alpaca.markets",
    }  # fmt: skip
    with pytest.raises(UserError, match="Ares has no keys of 'bitstamp'"):
        signing_of("bitstamp")


def test_only_kraken_streams_by_a_token_that_can_be_anywhere() -> None:
    assert [name for name, each in KNOWN.items() if each.streams_by_token] == ["kraken"]
