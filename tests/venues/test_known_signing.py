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
