"""The health of the components that operators look for, and how often in a row all were healthy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

ComponentName = Literal["model_manager", "analyst", "supervisor", "database", "exchange_connection"]
COMPONENTS: tuple[ComponentName, ...] = (
    "model_manager", "analyst", "supervisor", "database", "exchange_connection",
)  # fmt: skip
IN_A_ROW = 3


class ComponentHealth(msgspec.Struct, frozen=True):
    """A component. problem: why it is not healthy; empty: it is."""

    component: ComponentName
    problem: str = ""

    @property
    def is_healthy(self) -> bool:
        """Return whether nothing is wrong with it."""
        return not self.problem


class EngineView(msgspec.Struct, frozen=True):
    """What could be seen of an engine from outside.

    problem   : why its status cannot be read; empty: it can.
    bars_ms   : its newest closing instant.
    champions : how many of its instruments have one.
    venue_up, reconciling : of its account.
    """

    problem: str = ""
    bars_ms: int = 0
    instruments: int = 0
    champions: int = 0
    venue_up: bool = False
    reconciling: bool = False


def components(
    view: EngineView, engine_lives: bool, bars_late: str, processes: Mapping[str, str]
) -> list[ComponentHealth]:
    """Return the health of all components.

    bars_late : why bars are late; empty: they are not.
    processes : what is wrong with each process of the supervisor; empty: nothing.
    """
    dead = "" if engine_lives else "the engine does not live"
    wrong = "; ".join(f"{name}: {text}" for name, text in processes.items() if text)
    models = "" if view.problem or view.champions else "no instrument has a champion"
    venue = "" if view.problem or view.venue_up else "the venue is down"
    problems: dict[ComponentName, str] = {
        "model_manager": dead or models,
        "analyst": dead or bars_late,
        "supervisor": wrong,
        "database": view.problem,
        "exchange_connection": dead or venue or bars_late,
    }
    return [ComponentHealth(name, problems[name]) for name in COMPONENTS]


class HealthChecks:
    """Counts checks in a row at which all components were healthy; gives the lines for the log."""

    def __init__(self) -> None:
        self._in_a_row = 0
        self._problems = ""

    @property
    def in_a_row(self) -> int:
        """Return how many checks in a row were passed, up to now."""
        return self._in_a_row

    def take(self, found: Sequence[ComponentHealth]) -> str:
        """Take the next check; return a line for the log, empty: nothing new.

        >>> checks = HealthChecks()
        >>> [checks.take([ComponentHealth("database")]) for _ in range(4)]
        ['', '', 'Health check passed (3 consecutive)', '']
        """
        problems = "; ".join(f"{h.component}: {h.problem}" for h in found if not h.is_healthy)
        before, self._problems = self._problems, problems
        if problems:
            self._in_a_row = 0
            return f"Health check failed: {problems}" if problems != before else ""
        self._in_a_row += 1
        return f"Health check passed ({IN_A_ROW} consecutive)" if self._in_a_row == IN_A_ROW else ""
