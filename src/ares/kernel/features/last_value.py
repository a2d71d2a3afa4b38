"""The columns of a series of values: the last known one, its change, and its age."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from ares.domain.timeframe import HOUR_MS
from ares.kernel.features.state import States
from ares.kernel.jit import njit

VALUE_VERSION = 1
"""Raised when any column's numbers change, as ``SENTIMENT_VERSION``."""

VALUE_FORMULAS = (
    ("value", "the newest known publication"),
    ("change", "value - the publication before it; NaN where there is none"),
    ("age_hours", "hours since the newest known publication"),
)
N_VALUE = len(VALUE_FORMULAS)
VALUE_HASH = hashlib.sha256(
    f"value {VALUE_VERSION};{tuple(name for name, _ in VALUE_FORMULAS)}".encode()
).hexdigest()
VALUE, CHANGE, VALUE_AGE_HOURS = range(N_VALUE)


def value_names(series: str) -> tuple[str, ...]:
    """Return the names of a series' columns.

    >>> value_names("funding")
    ('funding_value', 'funding_change', 'funding_age_hours')
    """
    return tuple(f"{series}_{name}" for name, _ in VALUE_FORMULAS)


@njit
def apply_value(state: States, k: int, published_ms: int, value: float) -> None:
    """Apply one value to the state of row ``k``: the two newest publications are remembered.

    So the state does not depend on the order in which values became known.
    """
    s = state[k]
    if published_ms > s.newest_ms:
        s.previous_ms, s.previous = s.newest_ms, s.value
        s.newest_ms, s.value = published_ms, value
    elif s.previous_ms < published_ms < s.newest_ms:
        s.previous_ms, s.previous = published_ms, value


@njit
def value_step(state: States, k: int, now_ms: int, out: NDArray[np.float32]) -> None:
    """Write the columns of row ``k`` as of ``now_ms``; out : (N_VALUE,)."""
    s = state[k]
    out[VALUE] = s.value
    out[CHANGE] = np.nan if s.previous_ms == 0 else s.value - s.previous
    out[VALUE_AGE_HOURS] = (now_ms - s.newest_ms) / HOUR_MS
