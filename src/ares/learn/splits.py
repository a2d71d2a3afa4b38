"""Purged walk-forward splits: no test row was known when its model was fitted.

López de Prado 2018, Advances in Financial Machine Learning, ch. 7: a label spans time, so a
training row is dropped when its label ends inside the test fold (purge), or so shortly before it
that the two depend on the same bars (embargo).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ares.kernel.bars import I64

FIRST_SHARE = 0.25
"""Share of the rows that is only trained on: the first model needs rows to be fitted on."""

STOPPING_SHARE = 0.2
"""Newest share of a training part, whose loss stops the boosting."""


@dataclass(frozen=True, slots=True)
class Split:
    """One fold of the walk-forward: row numbers, ascending.

    train   : (n_train,) rows whose labels end at least the embargo before ``from_ms``.
    test    : (n_test,) rows decided in [from_ms, to_ms).
    """

    train: I64
    test: I64
    from_ms: int
    to_ms: int


def walk_forward(
    decided_ms: I64,
    ends_ms: I64,
    folds: int,
    embargo_ms: int,
    first_share: float = FIRST_SHARE,
) -> list[Split]:
    """Return up to ``folds`` splits, oldest first; each trains on all rows known before it.

    decided_ms : (n,) decision times, ascending; equal times (several instruments) stay together.
    ends_ms    : (n,) instants at which the labels are known.
    returns    : splits with rows in both parts; fewer than ``folds`` where time is too short.
    """
    n = len(decided_ms)
    if n == 0:
        return []
    quantiles = np.linspace(first_share, 1.0, folds + 1)[:-1]
    edges_ms = np.unique(decided_ms[np.minimum((quantiles * n).astype(np.int64), n - 1)])
    past_end_ms = int(decided_ms[-1]) + 1
    splits = []
    for from_ms, to_ms in zip(edges_ms, [*edges_ms[1:], past_end_ms], strict=True):
        test = np.flatnonzero((decided_ms >= from_ms) & (decided_ms < to_ms))
        train = known_before(decided_ms, ends_ms, int(from_ms) - embargo_ms)
        if len(train) and len(test):
            splits.append(Split(train, test, int(from_ms), int(to_ms)))
    return splits


def known_before(decided_ms: I64, ends_ms: I64, instant_ms: int) -> I64:
    """Return the rows that were decided, and whose labels were known, by ``instant_ms``."""
    return np.flatnonzero((ends_ms <= instant_ms) & (decided_ms < instant_ms))


def stopping_slice(
    decided_ms: I64, ends_ms: I64, embargo_ms: int, share: float = STOPPING_SHARE
) -> tuple[I64, I64]:
    """Split a training part in a head to fit and a later tail on which to stop, purged.

    Both arrays are of the training part only: without the test fold and the rows that calibrate,
    because choosing the number of trees on those leaks.

    returns : positions in the given arrays; an empty tail where the part is too short.
    """
    n = len(decided_ms)
    if n == 0:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    from_ms = int(decided_ms[min(int(n * (1.0 - share)), n - 1)])
    head = known_before(decided_ms, ends_ms, from_ms - embargo_ms)
    tail = np.flatnonzero(decided_ms >= from_ms)
    if len(head) == 0 or len(tail) == 0:
        return np.arange(n, dtype=np.int64), np.empty(0, np.int64)
    return head, tail
