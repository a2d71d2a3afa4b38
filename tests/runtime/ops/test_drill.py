"""A drill takes every step and says which held."""

from __future__ import annotations

from ares.domain.errors import ExternalError
from ares.runtime.ops.drill import DrillStep, run_drill


def test_every_step_is_taken_and_timed() -> None:
    clock, lines = [10.0], list[str]()

    def kill() -> str:
        clock[0] += 4.0
        return "lives again"

    def lose() -> str:
        clock[0] += 1.0
        raise ExternalError("the venue is still down")

    steps = [DrillStep("venue", "comes back", lose), DrillStep("kill", "heals", kill)]
    venue, killed = run_drill(steps, lambda: clock[0], lines.append)
    assert (venue.held, venue.seconds, venue.detail) == (False, 1.0, "the venue is still down")
    assert (killed.held, killed.seconds, killed.detail) == (True, 4.0, "lives again")
    assert lines == ["venue ...", "kill ..."]
