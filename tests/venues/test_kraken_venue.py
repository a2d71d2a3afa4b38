"""A Kraken account, composed."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from tests.contracts.venue.kraken_scene import QUICK, kraken_scene

from ares.domain.api_key import ApiKey
from ares.domain.errors import ExternalError, UserError
from ares.domain.feed_events import InstrumentChanged
from ares.domain.order_events import OrderAccepted, OrderEnded
from ares.sim.serve.faults import Fault
from ares.venues.account_fees import AccountFee
from ares.venues.answers import Refused
from ares.venues.kraken_venue import KrakenAccount

KEYS = ApiKey("abcdefgh", "c2VjcmV0")


def test_a_secret_is_never_printed() -> None:
    assert repr(KEYS) == "ApiKey(abcd...)"
    assert "c2VjcmV0" not in f"{KEYS} {KEYS!r}"


def test_keys_that_cannot_be_any_are_refused() -> None:
    for wrong in (ApiKey("", "c2VjcmV0"), ApiKey("abc", "")):
        with pytest.raises(UserError, match="is empty"):
            KrakenAccount(wrong, lambda: 0)
    with pytest.raises(UserError, match="no base64 text"):
        KrakenAccount(ApiKey("abc", "not base64!"), lambda: 0)


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


def test_the_states_of_its_pairs_are_reported() -> None:
    async def run() -> None:
        async with kraken_scene(policy=QUICK._replace(states_s=0.1)) as scene:

            def states() -> list[tuple[int, str]]:
                return [(e.instrument, e.state) for e in scene.of(InstrumentChanged)]

            await scene.until(lambda: len(states()) == 2)
            assert states() == [(0, "trading"), (1, "trading")]
            scene.served.venue.faults.add(Fault("limit_only", only="ADA/USDT"))
            await scene.until(lambda: (1, "limit_only") in states())
            scene.served.venue.faults.clear()
            await scene.until(lambda: states()[-1] == (1, "trading"))
            assert len(states()) == 4

    asyncio.run(run())


def test_a_pair_that_is_gone_is_delisted_and_the_others_are_not() -> None:
    """The venue answers a list with one unknown pair with an error for all of them."""

    class Requests:
        """Knows the pair of ADA alone."""

        async def read(self, _name: str, parameters: dict[str, str]) -> dict[str, object]:
            if "XBT" in parameters["pair"]:
                raise Refused("EQuery:Unknown asset pair")
            return {"ADAUSDT": {"status": "online"}}

    async def run() -> None:
        async with kraken_scene() as scene:
            account = scene.connection
            real, account._requests = account._requests, Requests()  # type: ignore[assignment]
            words = await account._state_words()
            account._requests = real
            assert words == ["", "online"]

    asyncio.run(run())


def test_the_accounts_fees_are_read() -> None:
    async def run() -> None:
        async with kraken_scene() as scene:
            fees = await scene.connection.fees(["BTC/USDT", "ADA/USDT"])
            assert fees == [AccountFee(name, 40.0, 25.0) for name in ("BTC/USDT", "ADA/USDT")]

    asyncio.run(run())


def test_an_entry_that_rests_is_accepted_below_the_market_and_would_take_above_it() -> None:
    async def run() -> None:
        async with kraken_scene() as scene:
            ticks = scene.ticks()
            below, above = (
                msgspec.structs.replace(
                    scene.order("entry", scene.lots, ticks * 2), limit_ticks=limit
                )
                for limit in (ticks * 9 // 10, ticks * 11 // 10)
            )
            scene.send(below)
            await scene.until(
                lambda: below.client_id in [e.client_id for e in scene.of(OrderAccepted)]
            )
            scene.send(above)
            await scene.until(lambda: scene.of(OrderEnded))
            (ended,) = scene.of(OrderEnded)
            assert (ended.client_id, ended.reason) == (above.client_id, "would_take")

    asyncio.run(run())
