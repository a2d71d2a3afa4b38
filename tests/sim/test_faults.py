"""Faults are drawn from a seed, kept by number, and end."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from random import Random

import pytest

from ares.sim.faults import WORST, Chance, Faults, drawn

NAMES = [field.name for field in fields(Faults)]


@pytest.mark.parametrize("name", NAMES)
def test_every_fault_exists_in_the_worst_world_and_in_no_other_by_default(name: str) -> None:
    assert getattr(Faults(), name) == 0.0
    assert 0.0 < getattr(WORST, name) < 1.0


def test_a_world_has_each_fault_never_rarely_or_often() -> None:
    seen: dict[str, Counter[float]] = {name: Counter() for name in NAMES}
    for seed in range(200):
        faults = drawn(Random(seed))
        assert faults == drawn(Random(seed)), "of the seed alone"
        for name in NAMES:
            seen[name][getattr(faults, name)] += 1
    for name in NAMES:
        worst = getattr(WORST, name)
        assert set(seen[name]) == {0.0, 0.2 * worst, worst}
        assert min(seen[name].values()) > 30


def test_a_chance_follows_its_probability_and_keeps_what_happened() -> None:
    chance = Chance(Random(1), Faults(doubled=0.25, crash=1.0))
    results = [chance.happens("doubled") for _ in range(4_000)]
    assert 900 < sum(results) < 1_100
    assert [n for n, _ in chance.happened] == [n for n, hit in enumerate(results, 1) if hit]
    assert chance.happens("crash")
    assert chance.happened[-1] == (1, "crash")
    assert not chance.happens("rejected")


def test_with_fewer_faults_kept_the_others_stay_where_they_were() -> None:
    """A failing seed is shrunk by leaving faults out; that must not draw new ones."""
    whole = Chance(Random(7), WORST)
    names = ["partly_filled", "doubled", "rejected"] * 200
    for name in names:
        whole.happens(name)
    kept = frozenset(whole.happened[::3])
    part = Chance(Random(7), WORST, kept)
    for name in names:
        part.happens(name)
    assert part.happened == whole.happened[::3]
    other = Chance(Random(7), WORST)
    assert [other.happens("rejected") for _ in range(200)] == [
        (n, "rejected") in whole.happened for n in range(1, 201)
    ], "where another kind has no occasion, too"
    none = Chance(Random(7), WORST, frozenset())
    assert not any(none.happens(name) for name in names)


def test_in_the_calm_nothing_happens() -> None:
    chance = Chance(Random(1), Faults(crash=1.0))
    assert chance.happens("crash")
    chance.calm()
    assert not any(chance.happens(name) for name in NAMES)
