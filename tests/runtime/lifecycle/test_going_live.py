"""Real money is traded where everything is given; what is missing is named, all of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ares.domain.model_life import EnsemblePromoted
from ares.runtime.lifecycle.going_live import (
    LiveChampion,
    LiveConditions,
    missing_but_name,
    missing_for_live,
)

PROMOTION = EnsemblePromoted(
    "live", "kraken:BTC/USDT", "a" * 64, "", "2026-01-01T00:00:00Z", "ada", "a verdict", False, "v"
)  # fmt: skip
CHAMPION = LiveChampion("kraken:BTC/USDT", PROMOTION, "v")
GIVEN = LiveConditions(
    mode="live", enabled=True, account_name="main", typed="main", sandbox=False, address=None,
    allow_list=("BTC/USDT",), order_quote_max=100.0, stop=True, venue_problem="", key_problem="",
    champions=(CHAMPION,),
)  # fmt: skip


def test_where_everything_is_given_nothing_is_missing() -> None:
    assert missing_for_live(GIVEN) == ()


FORCED = LiveChampion(
    "kraken:BTC/USDT", msgspec.structs.replace(PROMOTION, forced=True, verdict_hash=""), ""
)
NONE = LiveChampion("kraken:ETH/USDT", None, "")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"mode": "paper"}, "live_trading.mode is not live"),
        ({"enabled": False}, "live_trading.enabled is not true"),
        ({"allow_list": None}, "live_trading.instruments is not set"),
        ({"order_quote_max": None}, "live_trading.order_quote_max is not set"),
        ({"stop": False}, "strategy.stop is not true"),
        ({"sandbox": True}, "live_trading.sandbox is true"),
        ({"address": "http://127.0.0.1:1"}, "--address http://127.0.0.1:1 is a rehearsal"),
        ({"venue_problem": "no orders"}, "no orders"),
        ({"key_problem": "no key"}, "no key"),
        ({"typed": None}, "the account's name was not typed"),
        ({"typed": "Main"}, "'Main' is not live_trading.account_name"),
        ({"champions": ()}, "no instrument of the allow-list has a champion"),
        ({"champions": (NONE,)}, "no instrument of the allow-list has a champion"),
        ({"champions": (FORCED,)}, "kraken:BTC/USDT: its champion aaaaaaaaaaaa was forced"),
        (
            {"champions": (NONE, LiveChampion("kraken:BTC/USDT", PROMOTION, ""))},
            "has no passing verdict for live",
        ),
    ],
)
def test_each_condition_alone_refuses(change: dict[str, Any], named: str) -> None:
    (line,) = missing_for_live(msgspec.structs.replace(GIVEN, **change))
    assert named in line


def test_an_account_without_a_name_is_never_typed() -> None:
    lines = missing_for_live(msgspec.structs.replace(GIVEN, account_name=None, typed=None))
    assert any("account_name is not set" in line for line in lines)
    assert len(missing_for_live(msgspec.structs.replace(GIVEN, account_name=None, typed=""))) == 2


def test_an_instrument_without_a_champion_is_not_traded_and_hinders_no_other() -> None:
    assert missing_for_live(msgspec.structs.replace(GIVEN, champions=(CHAMPION, NONE))) == ()


def test_everything_is_named_at_once_and_the_name_is_asked_for_last() -> None:
    nothing = msgspec.structs.replace(
        GIVEN, mode="paper", enabled=False, account_name=None, typed=None, allow_list=None,
        order_quote_max=None, stop=False, key_problem="no key", champions=(),
    )  # fmt: skip
    assert len(missing_for_live(nothing)) == 9
    assert missing_for_live(nothing)[:-1] == missing_but_name(nothing)
