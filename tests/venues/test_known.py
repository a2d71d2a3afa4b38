"""The declared venues."""

from __future__ import annotations

import re

import msgspec
import pytest

from ares.domain.errors import UserError
from ares.venues.known import DECLARED, declared_venue, require_orders, require_sandbox


def test_each_property_has_a_source_and_a_date() -> None:
    assert {"kraken", "binance", "alpaca"} <= DECLARED.keys()
    for name, venue in DECLARED.items():
        assert venue.name == name
        assert (
            {"entry", "exit", "stop"}
            <= set(venue.orders)
            <= {"entry", "entry that rests", "exit", "stop"}
        )
        for trait in venue.declared:
            assert trait.value
            assert trait.source
            assert re.fullmatch(r"20\d\d-\d\d-\d\d", trait.read_on)


def test_a_proof_of_absence_needs_a_deadline_or_an_id_that_is_taken_for_ever() -> None:
    for venue in DECLARED.values():
        traits = venue.traits
        assert not traits.proves_absence or traits.deadline_ms or traits.claims_ids


def test_an_unknown_venue_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UserError, match="did you mean kraken"):
        declared_venue("krakn")
    with pytest.raises(UserError, match="use one of kraken"):
        declared_venue("zzz")
    assert require_orders("kraken").takes_orders


def test_a_venue_without_a_sandbox_is_rehearsed_on_a_server_of_ones_own() -> None:
    require_sandbox("binance")
    require_sandbox("alpaca")
    with pytest.raises(UserError, match=r"no sandbox .*ares sim serve --protocol kraken"):
        require_sandbox("kraken")


def test_a_venue_that_is_only_declared_is_sent_no_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    declared = msgspec.structs.replace(DECLARED["kraken"], name="x", takes_orders=False)
    monkeypatch.setitem(DECLARED, "x", declared)
    with pytest.raises(UserError, match="no orders to x yet"):
        require_orders("x")
