"""The attacking venue's smallest order."""

from __future__ import annotations

from ares.sim.minimums import Minimums


def test_an_order_below_the_quantity_or_the_cost_is_not_taken() -> None:
    minimums = Minimums(lots=400, units=60)
    assert minimums.takes(-400, 60)
    assert not minimums.takes(-399, 1_000)
    assert not minimums.takes(5_000, 59)
    assert minimums.too_small == 1, "only quantities are known exactly beforehand"
    assert not minimums.fits(1, 1_000)
    assert minimums.too_small == 1
    assert Minimums().takes(1, 0)
