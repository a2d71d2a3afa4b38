"""A stretch of a run: many closing instants in which nothing is ordered, in one record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from ares.domain.events import BarsClosed, DecisionMade, Effect

_BAR_BYTES = 40


class SteppedEvent(NamedTuple):
    """An event with its seq and effects."""

    seq: int
    event: BarsClosed
    effects: list[Effect]


class BarsStretch(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Closing instants with consecutive seqs, each with its bars and effects, in columns.

    The engine's clock showed the closing instant at each of them, and none of them was warming up.

    seq      : of the first instant.
    close_ms : (n,) int64 closing instants.
    ohlcv, present, flat : (n, n_instruments, 5) float64 and (n, n_instruments) bool, of the bars;
               see ``BarsClosed``.
    outputs  : (n, 5, n_lanes) float64; account: (n, 2) int64 equity and cash; see ``DecisionMade``.
    facts    : number of an instant in the stretch, and its effects after the decision.
    """

    seq: int
    close_ms: bytes
    ohlcv: bytes
    present: bytes
    flat: bytes
    outputs: bytes
    account: bytes
    facts: tuple[tuple[int, tuple[Effect, ...]], ...] = ()

    def __len__(self) -> int:
        """Return the number of instants."""
        return len(self.close_ms) // 8

    @property
    def last_seq(self) -> int:
        """Return the seq of the last instant."""
        return self.seq + len(self) - 1

    @property
    def last_ms(self) -> int:
        """Return the last closing instant."""
        return memoryview(self.close_ms).cast("q")[-1]

    def entries(self) -> Iterator[SteppedEvent]:
        """Yield each instant as the event and the effects that it is, oldest first."""
        n = len(self)
        account = memoryview(self.account).cast("q")
        n_instruments, of_lanes = len(self.present) // n, len(self.outputs) // n
        of_bars, facts = _BAR_BYTES * n_instruments, dict(self.facts)
        for k, ts_ms in enumerate(memoryview(self.close_ms).cast("q")):
            bars, flags = k * of_bars, k * n_instruments
            event = BarsClosed(
                ts_ms,
                self.ohlcv[bars : bars + of_bars],
                self.present[flags : flags + n_instruments],
                self.flat[flags : flags + n_instruments],
            )
            outputs = self.outputs[k * of_lanes : (k + 1) * of_lanes]
            decided = DecisionMade(ts_ms, outputs, account[2 * k], account[2 * k + 1])
            yield SteppedEvent(self.seq + k, event, [decided, *facts.get(k, ())])
