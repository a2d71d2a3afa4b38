"""Sentiment of a closing instant: decayed means of scored news, written once as step and scan.

News stand in hourly buckets of the hour in which they became known: integer totals of scores (in
millionths) and counts. So the columns do not depend on where the series began (512 hours later at
the latest), nor on the order in which news of one hour came in, and ``step`` equals ``scan`` to the
bit. A row of news weighs ``0.5 ** (whole hours since it became known / half-life)``, and beside all
of them stands one neutral row of weight 1: few and old news say little.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from ares.domain.sentiment import SentimentSpec
from ares.domain.timeframe import HOUR_MS
from ares.kernel.bars import F64, I64, Bools
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

NEWS_STATE = np.dtype(
    [
        ("hour", np.int64),  # number of the newest bucket: ms since 1970 // HOUR_MS
        ("newest_ms", np.int64),  # newest publication that is known; 0: nothing is
        ("told_ms", np.int64),  # instant of the last event that brought news
        ("stale", np.int64),  # 1 after it was said that nothing new came for too long
        ("scores", np.int64, (BUCKETS,)),  # in millionths, by hour & (BUCKETS - 1)
        ("counts", np.int64, (BUCKETS,)),
    ]
)


def news_state(n: int) -> States:
    """Return ``n`` series that know no news."""
    return np.zeros(n, NEWS_STATE)


def decay_weights(spec: SentimentSpec) -> F64:
    """Return (BUCKETS, 3) the weight of a row by its age in hours, for each half-life."""
    age = np.arange(BUCKETS, dtype=np.float64)[:, None]
    return np.ascontiguousarray(0.5 ** (age / np.array(spec.half_life_hours)))


@njit
def fold_news(state: States, k: int, known_ms: int, published_ms: int, score: int) -> None:
    """Fold one row of news into series ``k``.

    known_ms : since when it is known; older than BUCKETS hours before the newest: it is forgotten.
    score    : in millionths.
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
        s.scores[hour & (BUCKETS - 1)] += score
        s.counts[hour & (BUCKETS - 1)] += 1
    s.newest_ms = max(s.newest_ms, published_ms)


@njit
def sentiment_step(
    state: States,
    k: int,
    now_ms: int,
    weights: F64,
    stale_ms: int,
    out: NDArray[np.float32],
) -> None:
    """Write the columns of series ``k`` as of ``now_ms``, when everything folded in is known.

    weights : see ``decay_weights``.
    out     : (N_SENTIMENT,) written; all NaN where no news are known, or none for ``stale_ms``.
    """
    s = state[k]
    out[:] = np.nan
    if s.newest_ms == 0 or now_ms - s.newest_ms > stale_ms:
        return
    now_hour = now_ms // HOUR_MS
    fast = middle = slow = 0.0
    fast_rows = middle_rows = slow_rows = 0.0
    count = 0
    for age in range(max(0, now_hour - s.hour), BUCKETS):
        hour = now_hour - age
        if hour <= s.hour - BUCKETS:
            break
        place = hour & (BUCKETS - 1)
        rows = s.counts[place]
        if rows == 0:
            continue
        score = s.scores[place] * SCORE_UNIT
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


@njit
def sentiment_scan(
    state: States,
    k: int,
    known_ms: I64,
    published_ms: I64,
    scores: I64,
    now_ms: I64,
    weights: F64,
    stale_ms: int,
    out: NDArray[np.float32],
) -> int:
    """Step through instants, each after the news that are known by then; return rows folded in.

    known_ms, published_ms, scores : (n_news,) by ``known_ms`` ascending, see ``fold_news``.
    now_ms : (n,) ascending; out : (n, N_SENTIMENT) written.
    """
    row = 0
    for t in range(len(now_ms)):
        while row < len(known_ms) and known_ms[row] <= now_ms[t]:
            fold_news(state, k, known_ms[row], published_ms[row], scores[row])
            row += 1
        sentiment_step(state, k, now_ms[t], weights, stale_ms, out[t])
    return row


@njit
def fold_rows(state: States, rows: I64, until_ms: int) -> None:
    """Fold rows of news into the series that they count for.

    rows     : (n_rows, 4) known_ms, published_ms, score in millionths, lane (below 0: all).
    until_ms : instant of the event that brought them.
    """
    for r in range(rows.shape[0]):
        for k in range(state.shape[0]):
            if rows[r, 3] < 0 or rows[r, 3] == k:
                fold_news(state, k, rows[r, 0], rows[r, 1], rows[r, 2])
    for k in range(state.shape[0]):
        state[k].told_ms = until_ms


@njit
def sentiment_of_due(
    state: States,
    now_ms: int,
    due: Bools,
    weights: F64,
    stale_ms: int,
    features: NDArray[np.float32],
    column: int,
) -> None:
    """Write the sentiment of the bars that closed now behind their other features.

    state    : (n_instruments,); due : (n_lanes, n_timeframes), lane k is of instrument k modulo
               n_instruments.
    features : (n_lanes, n_timeframes, n_features); column : the first of sentiment.
    """
    for lane in range(due.shape[0]):
        first = -1
        for j in range(due.shape[1]):
            if not due[lane, j]:
                continue
            if first < 0:
                first = j
                out = features[lane, j, column:]
                sentiment_step(state, lane % state.shape[0], now_ms, weights, stale_ms, out)
            else:
                features[lane, j, column:] = features[lane, first, column:]


@njit
def turned_silent(state: States, now_ms: int, stale_ms: int, turned: Bools) -> bool:
    """Note in every series whether it is without sentiment; return whether that changed in any.

    turned : (n,) written: where it did.
    """
    some = False
    for k in range(state.shape[0]):
        newest_ms = state[k].newest_ms
        stale = 1 if newest_ms == 0 or now_ms - newest_ms > stale_ms else 0
        turned[k] = stale != state[k].stale
        state[k].stale = stale
        some = some or turned[k]
    return some
