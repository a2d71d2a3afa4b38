"""A drill: faults made on purpose, one after the other, and whether what was promised held."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from ares.domain.errors import AresError


class DrillStep(NamedTuple):
    """A fault, and how it is seen that it was overcome.

    act : makes the fault and waits; returns what was seen. Raises AresError or OSError where it was
          not overcome.
    """

    name: str
    promise: str
    act: Callable[[], str]


class DrillResult(msgspec.Struct, frozen=True):
    """What became of a step."""

    name: str
    promise: str
    held: bool
    seconds: float
    detail: str


def run_drill(
    steps: Sequence[DrillStep],
    clock: Callable[[], float],
    say: Callable[[str], None] = lambda _: None,
) -> list[DrillResult]:
    """Take every step, also after one that did not hold; return what became of them."""
    found = []
    for step in steps:
        say(f"{step.name} ...")
        began_s = clock()
        try:
            detail, held = step.act(), True
        except (AresError, OSError) as error:
            detail, held = str(error), False
        found.append(DrillResult(step.name, step.promise, held, clock() - began_s, detail))
    return found
