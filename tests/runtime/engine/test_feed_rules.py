"""Waits belong to wall time: they grow with the speed of the market."""

from __future__ import annotations

from dataclasses import asdict

from ares.runtime.engine.feed_rules import AssemblerRules

OF_THE_MARKET = {"span_bars", "warmup_ms", "cross_checked"}


def test_every_wait_is_scaled_by_the_speed_and_nothing_else_is() -> None:
    slow, fast = asdict(AssemblerRules()), asdict(AssemblerRules().at_speed(60.0))
    changed = {name for name in slow if slow[name] != fast[name]}
    assert changed == set(slow) - OF_THE_MARKET
    assert {fast[name] / slow[name] for name in changed - {"behind_ms"}} == {60.0}


def test_only_a_fast_market_is_behind() -> None:
    assert AssemblerRules().at_speed(1.0).behind_ms == 0.0
    assert AssemblerRules().at_speed(61.0).behind_ms == 120_000.0
