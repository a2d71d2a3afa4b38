"""Keeps pauses away from a live engine: machine code loaded, heap frozen, priority raised.

None of it changes what the engine does.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from ares.adapters.priority import set_niceness
from ares.core.initial_state import new_state
from ares.core.models import Models
from ares.core.state import State, bind_calls
from ares.core.step import step
from ares.domain.events import BarsClosed, BarsKind
from ares.domain.timeframe import HOUR_MS
from ares.kernel.e_process import step_detector, step_test
from ares.kernel.live import observe_closes
from ares.kernel.trade.arm_pnl import arm_values

NICENESS = -10
"""Below 0: before ordinary processes, such as those that train models. Needs the permission."""


def load_machine_code(state: State, models: Models) -> None:
    """Call every kernel function that ``step`` calls, on a state that is then dropped.

    Otherwise the first event that needs one waits until it is loaded, or compiled: up to a minute.
    """
    spare = new_state(state.setup)
    n, m = spare.setup.n_instruments, len(spare.setup.instruments)
    kinds: tuple[BarsKind, ...] = ("warm", "closing", "catch_up")
    for k, kind in enumerate(kinds):
        nothing = BarsClosed((k + 1) * HOUR_MS, bytes(40 * n), bytes(n), bytes(n), kind)
        step(spare, nothing, models)
    bind_calls(state)
    observe_closes(0, np.ones(1, np.int64), spare.trade, spare.params)
    arm_values(spare.trade, spare.params, np.zeros(m), np.zeros(m))
    step_test(spare.challenger_better, 0, 0.0)
    step_detector(spare.edge_lost, 0, 0.0)


@contextmanager
def frozen_heap() -> Iterator[None]:
    """Keep the garbage collector from visiting, inside the block, what exists when it begins.

    A full collection of a started engine takes tens of milliseconds, and finds nothing.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def raise_priority(niceness: int = NICENESS) -> bool:
    """Let this process run before others; False where the operating system does not permit it."""
    return set_niceness(niceness)
