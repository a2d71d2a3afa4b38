"""One step after the other, until the fault is gone; emergency shut-down is the last."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ares.domain.errors import ExternalError
from ares.runtime.ops.recovery import FaultRecovery, Recovered, RecoveryStep, recover


class Fault:
    """A fault that one of the steps ends."""

    def __init__(self, ended_by: str, fails: tuple[str, ...] = ()) -> None:
        self.ended_by, self.fails, self.taken = ended_by, fails, list[str]()

    def look(self) -> str:
        return "" if self.ended_by in self.taken else "it is broken"

    def step(self, name: str, contains: bool = False) -> RecoveryStep:
        def act() -> str:
            if name in self.fails:
                raise ExternalError("it cannot be done")
            self.taken.append(name)
            return f"{name} was done"

        return RecoveryStep(name, act, contains)

    def recovered(self, contains: bool = False) -> Recovered:
        recovery = FaultRecovery(
            "feed", "a feed", self.look, self.step("procedure"), self.step("fallback", contains)
        )
        return recover(recovery, self.step("emergency", True), settled)


def settled(look: Callable[[], str]) -> str:
    return look()


def test_where_nothing_is_wrong_nothing_is_done() -> None:
    fault = Fault("")
    fault.taken.append("")
    found = fault.recovered()
    assert (found.problem, found.tries, found.is_well, fault.taken) == ("", (), True, [""])


@pytest.mark.parametrize(
    ("ended_by", "taken"),
    [
        ("procedure", ["procedure"]),
        ("fallback", ["procedure", "fallback"]),
        ("nothing", ["procedure", "fallback", "emergency"]),
    ],
)
def test_steps_are_taken_until_the_fault_is_gone(ended_by: str, taken: list[str]) -> None:
    fault = Fault(ended_by)
    found = fault.recovered()
    assert fault.taken == taken
    assert found.by == taken[-1]
    assert found.is_well == (ended_by != "nothing")
    assert [each.after for each in found.tries[:-1]] == ["it is broken"] * (len(taken) - 1)


def test_a_step_that_cannot_be_taken_is_followed_by_the_next() -> None:
    fault = Fault("fallback", fails=("procedure",))
    found = fault.recovered()
    assert found.by == "fallback"
    assert found.tries[0].outcome == "failed: it cannot be done"


def test_a_step_that_contains_the_fault_ends_the_search() -> None:
    fault = Fault("nothing")
    found = fault.recovered(contains=True)
    assert (found.by, found.is_well) == ("fallback", True)
    assert fault.taken == ["procedure", "fallback"]


def test_where_even_the_last_step_fails_that_is_known() -> None:
    fault = Fault("nothing", fails=("procedure", "fallback", "emergency"))
    found = fault.recovered()
    assert (found.by, found.is_well) == ("", False)
    assert found.tries[-1].kind == "emergency"
