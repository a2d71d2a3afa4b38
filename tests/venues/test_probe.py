"""A probe finds what a venue does, whatever is declared, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.sim.serving import Served, serving

from ares.domain.api_key import ApiKey
from ares.domain.errors import ExternalError
from ares.domain.venue import VenueTraits
from ares.venues.binance_venue import BinanceAccount
from ares.venues.ccxt_account import AccountPolicy
from ares.venues.known import DECLARED
from ares.venues.kraken_venue import KrakenAccount
from ares.venues.probe import Probe, ProbedTrait, plan_of

ACCOUNTS: dict[str, Any] = {"kraken": KrakenAccount, "binance": BinanceAccount}
FREE = dict.fromkeys(("rest", "trade", "weight", "orders"), (10_000.0, 1.0))
IDS = itertools.count(1)


def probed(
    protocol: str,
    traits: VenueTraits | None = None,
    prepare: Callable[[Served], None] = lambda _: None,
) -> dict[str, ProbedTrait]:
    """Return what a probe finds at a server that has no coins before."""

    async def run() -> dict[str, ProbedTrait]:
        found: list[ProbedTrait] = []
        async with serving(protocol, speed=1.0) as served:
            served.account.account.balances["BTC"] = 0
            prepare(served)
            key = served.key("engine")
            account = ACCOUNTS[protocol](
                ApiKey(key.key, key.secret), served.venue.now_ms, address=served.address,
                policy=AccountPolicy(rates=FREE),
            )  # fmt: skip
            try:
                plan, market, price = await plan_of(account, "BTC/USDT")
                assert plan.quantity in plan.sentence
                probe = Probe(
                    account, plan, market, price, traits or DECLARED[protocol].traits,
                    served.venue.now_ms, lambda: f"{next(IDS):032x}", found.append,
                )  # fmt: skip
                await probe.run()
            finally:
                await account.close()
            assert served.account.open_orders() == []
            left = served.account.account.balance("BTC")
            assert left < 1_000, "less than the smallest lot"
        return {trait.trait: trait for trait in found}

    return asyncio.run(run())


@pytest.mark.parametrize("protocol", ["kraken", "binance"])
def test_a_server_does_what_is_declared_of_its_venue(protocol: str) -> None:
    found = probed(protocol)
    assert len(found) == 13
    assert [t for t in found.values() if t.agrees is False] == []
    assert "taken from BTC" in found["fees"].found or protocol == "kraken"


def test_what_is_otherwise_than_declared_is_found() -> None:
    traits = msgspec.structs.replace(DECLARED["binance"].traits, amends_stops=True)

    def hold_nothing(served: Served) -> None:
        served.account.rules = served.account.rules._replace(stops_hold=False)
        served.account._funds._rules = served.account.rules

    found = probed("binance", traits, hold_nothing)
    wrong = {name for name, trait in found.items() if trait.agrees is False}
    assert wrong == {"a stop is amended in place", "a resting stop locks the coins"}


def test_an_entry_that_is_refused_ends_the_probe() -> None:
    def close_market(served: Served) -> None:
        served.fault("cancel_only", only="BTC/USDT")

    found = probed("binance", prepare=close_market)
    entry = found["an entry is filled at once"]
    assert (entry.agrees, "Only cancel" in entry.found) == (False, True)
    assert "an exit sells what is held" not in found


def test_a_wrong_key_is_an_external_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ares.venues.probe.SESSION_S", 1.0)
    monkeypatch.setattr("ares.venues.probe.WAIT_S", 1.0)

    def revoke(served: Served) -> None:
        served.fault("key_revoked", only="engine")

    with pytest.raises(ExternalError, match="is the key right"):
        probed("binance", prepare=revoke)
