"""The matching engine's limits: by pair, more for young orders, less with time; cancels pass."""

from __future__ import annotations

import pytest
from tests.sim.trading import ADA, BTC, Scene

from ares.sim.serve.kraken_limits import EngineLimits
from ares.sim.serve.kraken_rest import KrakenError
from ares.sim.serve.wire import text


def bid(scene: Scene, **fields: str) -> dict[str, str]:
    low = text(scene.last() - 50_000, 2)
    return {"pair": "XBTUSDT", "type": "buy", "ordertype": "limit", "volume": "0.01",
            "price": low, **fields}  # fmt: skip


def test_a_pairs_counter_rises_with_transactions_and_falls_with_time() -> None:
    scene = Scene()
    order = scene.submit("buy", "limit", 10**8, scene.last() - 9_000)
    ages = {"now": 0.0}
    limits = EngineLimits("starter", lambda: scene.now_s, lambda _: ages["now"])
    for age, added in ((1, 8), (7, 6), (12, 5), (20, 4), (60, 2), (200, 1), (400, 0)):
        before, ages["now"] = limits.count(BTC), float(age)
        limits.cancel(order)
        assert limits.count(BTC) - before == added
    scene.now_s += 6.0
    assert limits.count(BTC) == 20.0
    assert limits.count(ADA) == 0.0
    ages["now"] = 1.0
    limits.amend(order)
    assert limits.count(BTC) == 24.0
    limits.edit(order)
    assert limits.count(BTC) == 31.0
    for _ in range(29):
        limits.add(BTC, 0)
    with pytest.raises(KrakenError, match="EOrder:Rate limit exceeded"):
        limits.add(BTC, 0)
    limits.add(ADA, 0)
    limits.cancel(order)
    scene.now_s += 30.0
    limits.add(BTC, 0)
    with pytest.raises(KrakenError, match="EOrder:Orders limit exceeded"):
        limits.add(ADA, 60)


def test_the_account_keeps_them_and_cancels_all_the_same() -> None:
    scene = Scene(tier="intermediate")
    errors = set()
    for _ in range(20):
        placed = scene.ask("AddOrder", **bid(scene))
        errors |= set(placed["error"])
        if placed["error"]:
            break
        assert scene.result("CancelOrder", txid=placed["result"]["txid"][0]) == {"count": 1}
    assert errors == {"EOrder:Rate limit exceeded"}
    unlimited = Scene()
    for _ in range(90):
        unlimited.result("AddOrder", **bid(unlimited))


def test_open_orders_of_a_pair_are_limited() -> None:
    scene = Scene(tier="intermediate")
    for _ in range(80):
        scene.result("AddOrder", **bid(scene))
    assert scene.error("AddOrder", **bid(scene)) == "EOrder:Orders limit exceeded"
