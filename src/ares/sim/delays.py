"""How long messages and fills take in the attacking world, drawn from the seed."""

from __future__ import annotations

from random import Random

from ares.sim.faults import Chance

TIMEOUT_MS = 2_000
_MESSAGE_MS, _DELAYED_MS = (5, 80), (500, 9_000)
_FILL_MS, _SLOW_FILL_MS = (1, 1_500), (2_000, 70_000)
_OUTAGE_MS = (200, 5_000)


class Delays:
    """Draws durations; ``chance`` decides whether something takes unusually long."""

    def __init__(self, draw: Random, chance: Chance) -> None:
        self._draw, self._chance = draw, chance

    def message_ms(self) -> int:
        """Return how long a message travels."""
        return self.late_ms() if self._chance.happens("delayed") else self._between(_MESSAGE_MS)

    def late_ms(self) -> int:
        """Return how long a delayed message travels."""
        return self._between(_DELAYED_MS)

    def fill_ms(self) -> int:
        """Return after which time an order fills."""
        return self.slow_ms() if self._chance.happens("slow_fill") else self._between(_FILL_MS)

    def slow_ms(self) -> int:
        """Return after which time an order fills that nobody takes at once."""
        return self._between(_SLOW_FILL_MS)

    def outage_ms(self) -> int:
        """Return how long a session is lost."""
        return self._between(_OUTAGE_MS)

    def _between(self, bounds: tuple[int, int]) -> int:
        return self._draw.randint(*bounds)
