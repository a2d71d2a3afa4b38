"""What is left to a deadline."""

from __future__ import annotations

import pytest

from ares.venues.answers import NotSent
from ares.venues.deadline import left_ms


def test_what_is_left_is_wall_time() -> None:
    assert left_ms(10_000, 4_000, 1, 250) == 6_000
    assert left_ms(70_000, 10_000, 60, 250) == 1_000


def test_an_order_whose_deadline_is_too_near_does_not_leave() -> None:
    with pytest.raises(NotSent, match="249 ms before its deadline"):
        left_ms(10_249, 10_000, 1, 250)
