"""Recovery from a fault: a procedure, a fallback behind it, and emergency shut-down as the last.

Each step is tried, then the fault is looked for again: what helped is known, not assumed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import msgspec

from ares.domain.errors import AresError

Issue = Literal["database", "venue", "feed", "model", "disk", "memory", "clock"]
ISSUES: tuple[Issue, ...] = ("database", "venue", "feed", "model", "disk", "memory", "clock")

StepKind = Literal["procedure", "fallback", "emergency"]


class RecoveryStep(NamedTuple):
    """Something that may help.

    act     : does it; returns what was done. Raises AresError or OSError where it cannot.
    contains : the fault may stay: what matters is that it can do no harm any more.
    """

    text: str
    act: Callable[[], str]
    contains: bool = False


class FaultRecovery(NamedTuple):
    """How a fault is looked for, and what is done about it.

    look      : returns what is wrong; empty: nothing is.
    procedure, fallback : are tried in this order.
    """

    issue: Issue
    text: str
    look: Callable[[], str]
    procedure: RecoveryStep
    fallback: RecoveryStep


class RecoveryTry(msgspec.Struct, frozen=True):
    """A step that was taken. after: what was still wrong; empty: nothing."""

    kind: StepKind
    text: str
    outcome: str
    after: str


class Recovered(msgspec.Struct, frozen=True):
    """What became of a fault.

    problem : what was wrong at first; empty: nothing was, and nothing was done.
    by      : the step that helped; empty: none did, or none was needed.
    """

    issue: Issue
    problem: str
    tries: tuple[RecoveryTry, ...]
    by: str

    @property
    def is_well(self) -> bool:
        """Return whether the fault is gone, or can do no harm."""
        return not self.problem or self.by in ("procedure", "fallback")


def recover(
    recovery: FaultRecovery,
    emergency: RecoveryStep,
    settles: Callable[[Callable[[], str]], str],
    say: Callable[[str], None] = lambda _: None,
) -> Recovered:
    """Take one step after the other until the fault is gone.

    settles : looks again until nothing is wrong, or for as long as that may take; returns what is.
    """
    problem = recovery.look()
    if not problem:
        return Recovered(recovery.issue, "", (), "")
    say(f"{recovery.issue}: {problem}")
    steps: Sequence[tuple[StepKind, RecoveryStep]] = (
        ("procedure", recovery.procedure), ("fallback", recovery.fallback),
        ("emergency", emergency),
    )  # fmt: skip
    tries: list[RecoveryTry] = []
    for kind, step in steps:
        say(f"{kind}: {step.text}")
        try:
            outcome, failed = step.act(), False
        except (AresError, OSError) as error:
            outcome, failed = f"failed: {error}", True
        contained = step.contains and not failed
        after = problem if failed else "" if contained else settles(recovery.look)
        tries.append(RecoveryTry(kind, step.text, outcome, after))
        say(f"{outcome}; {after or 'nothing is wrong any more'}" if not contained else outcome)
        if not after:
            return Recovered(recovery.issue, problem, tuple(tries), kind)
    return Recovered(recovery.issue, problem, tuple(tries), "")
