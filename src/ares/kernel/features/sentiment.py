"""Sentiment of a closing instant: decayed means of scored news, written once as step and scan.

News are kept in hourly buckets of the hour in which they became known: integer totals of scores (in
millionths) and counts. So the columns do not depend on where the series began (512 hours later at
the latest), nor on the order in which news of one hour came in, and ``step`` equals ``scan`` to the
bit. A row of news weighs ``0.5 ** (whole hours since it became known / half-life)``, and beside all
of them counts one neutral row of weight 1, so that few and old news give values near 0.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from ares.domain.series import SentimentSpec
from ares.domain.timeframe import HOUR_MS
from ares.kernel.bars import F64
from ares.kernel.features.state import States
from ares.kernel.jit import njit

SENTIMENT_VERSION = 1
"""Raised when any column's numbers change: models trained on the old numbers are then refused.
``tests/kernel/features/golden.json`` holds numbers of each version, so that none is forgotten."""

SENTIMENT_FORMULAS = (
    ("sentiment_fast", "sum(w s) / (sum(w) + 1), w by the fast half-life"),
    ("sentiment_middle", "the same by the middle half-life"),
    ("sentiment_slow", "the same by the slow half-life"),
    ("sentiment_surprise", "sentiment_fast - sentiment_slow"),
    ("sentiment_count", "ln(1 + rows that became known in this hour or the 23 before)"),
    ("sentiment_age_hours", "hours since the newest known publication"),
)
SENTIMENT_NAMES = tuple(name for name, _ in SENTIMENT_FORMULAS)
N_SENTIMENT = len(SENTIMENT_NAMES)
SENTIMENT_HASH = hashlib.sha256(
    f"sentiment {SENTIMENT_VERSION};{SENTIMENT_NAMES}".encode()
).hexdigest()
FAST, MIDDLE, SLOW, SURPRISE, COUNT, AGE_HOURS = range(N_SENTIMENT)

BUCKETS = 512
"""Hours that are remembered: after 21 days a row of a half-life of 72 hours weighs 0.7%."""

COUNT_HOURS = 24
SCORE_UNIT = 1e-6
"""Scores are counted in millionths."""


def decay_weights(spec: SentimentSpec) -> F64:
    """Return (BUCKETS, 3) the weight of a row by its age in hours, for each half-life."""
    age = np.arange(BUCKETS, dtype=np.float64)[:, None]
    return np.ascontiguousarray(0.5 ** (age / np.array(spec.half_life_hours)))


@njit
def apply_score(state: States, k: int, known_ms: int, published_ms: int, score: float) -> None:
    """Apply one row of news to the state of row ``k``.

    known_ms : since when it is known; older than BUCKETS hours before the newest: it is forgotten.
    score    : -1 to 1.
    """
    s = state[k]
    hour = known_ms // HOUR_MS
    if s.newest_ms == 0:
        s.hour = hour
    if hour > s.hour:
        for h in range(max(s.hour + 1, hour - BUCKETS + 1), hour + 1):
            s.scores[h & (BUCKETS - 1)] = 0
            s.counts[h & (BUCKETS - 1)] = 0
        s.hour = hour
    if hour > s.hour - BUCKETS:
        s.scores[hour & (BUCKETS - 1)] += np.int64(np.rint(score / SCORE_UNIT))
        s.counts[hour & (BUCKETS - 1)] += 1
    s.newest_ms = max(s.newest_ms, published_ms)


@njit
def sentiment_step(
    state: States, k: int, now_ms: int, weights: F64, out: NDArray[np.float32]
) -> None:
    """Write the columns of row ``k`` as of ``now_ms``, when everything applied is known.

    weights : see ``decay_weights``.    out : (N_SENTIMENT,) written.
    """
    s = state[k]
    now_hour = now_ms // HOUR_MS
    fast = middle = slow = 0.0
    fast_rows = middle_rows = slow_rows = 0.0
    count = 0
    for age in range(max(0, now_hour - s.hour), BUCKETS):
        hour = now_hour - age
        if hour <= s.hour - BUCKETS:
            break
        bucket = hour & (BUCKETS - 1)
        rows = s.counts[bucket]
        if rows == 0:
            continue
        score = s.scores[bucket] * SCORE_UNIT
        fast += weights[age, 0] * score
        middle += weights[age, 1] * score
        slow += weights[age, 2] * score
        fast_rows += weights[age, 0] * rows
        middle_rows += weights[age, 1] * rows
        slow_rows += weights[age, 2] * rows
        if age < COUNT_HOURS:
            count += rows
    out[FAST] = fast / (fast_rows + 1.0)
    out[MIDDLE] = middle / (middle_rows + 1.0)
    out[SLOW] = slow / (slow_rows + 1.0)
    out[SURPRISE] = fast / (fast_rows + 1.0) - slow / (slow_rows + 1.0)
    out[COUNT] = np.log(1.0 + count)
    out[AGE_HOURS] = (now_ms - s.newest_ms) / HOUR_MS
