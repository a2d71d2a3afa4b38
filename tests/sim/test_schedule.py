"""Virtual time never goes back, and what happens at one time happens in order of its making."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ares.sim.schedule import Schedule


def test_nothing_happens_without_anything_to_do() -> None:
    schedule = Schedule(5)
    assert schedule.next_ms() is None
    assert not schedule.step()
    assert schedule.now_ms == 5


@given(st.lists(st.integers(-5, 5), max_size=30))
def test_things_happen_in_order_of_their_time_then_of_their_making(waits: list[int]) -> None:
    schedule = Schedule(100)
    seen: list[tuple[int, int]] = []
    for k, wait_ms in enumerate(waits):
        schedule.after(wait_ms, lambda k=k: seen.append((schedule.now_ms, k)))  # type: ignore[misc] # a lambda with a default
    while (next_ms := schedule.next_ms()) is not None:
        assert schedule.step()
        assert schedule.now_ms == next_ms
    assert seen == sorted((100 + max(0, wait_ms), k) for k, wait_ms in enumerate(waits))


def test_what_happens_may_let_more_happen_at_the_same_time() -> None:
    schedule = Schedule(0)
    seen: list[str] = []
    schedule.after(1, lambda: schedule.after(0, lambda: seen.append("made by the first")))
    schedule.after(1, lambda: seen.append("second"))
    while schedule.step():
        pass
    assert (seen, schedule.now_ms) == (["second", "made by the first"], 1)


def test_time_does_not_go_back_where_it_was_moved_on_from_outside() -> None:
    schedule = Schedule(0)
    schedule.after(10, lambda: None)
    schedule.now_ms = 50
    schedule.step()
    assert schedule.now_ms == 50
