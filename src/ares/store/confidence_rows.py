"""Rows of ``confidence_history``: one where score, mode or mode confidence of a lane changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ares.domain.utc import utc_sql

Outputs = NDArray[np.float64]
Row = tuple[object, ...]

P, EDGE, _BARRIER, CONFIDENCE, MODE = range(5)
COMPARED = (P, CONFIDENCE, MODE)


class ConfidenceRows:
    """Compares the outputs of each decision with the newest row of their lane.

    last : (3, n_lanes) probability, mode confidence and mode of the newest rows; NaN: no row yet.

    A lane without a score has no row. The probability is that of a profitable long trade, as in
    ``ares why``.
    """

    def __init__(self, environment: str, symbols: Sequence[str]) -> None:
        self._environment, self._symbols = environment, symbols
        self.last: Outputs = np.full((len(COMPARED), len(symbols)), np.nan)

    def forget(self, lanes: Sequence[int]) -> None:
        """Write a row of these lanes at their next score: what they hold has changed."""
        self.last[:, list(lanes)] = np.nan

    def rows(
        self,
        seqs: Sequence[int],
        times_ms: Sequence[int],
        outputs: Outputs,
        slots: Sequence[str],
    ) -> list[Row]:
        """Return the rows of consecutive decisions.

        seqs, times_ms : (n,). outputs: (n, 5, n_lanes), as in ``DecisionMade``.
        slots : champion or challenger, by lane.
        """
        compared = np.concatenate([self.last[None], outputs[:, COMPARED, :]])
        known = ~np.isnan(compared[:, 0, :])
        at = np.where(known, np.arange(len(compared))[:, None], 0)
        newest = np.maximum.accumulate(at, axis=0)  # row of the newest score up to here, by lane
        before = np.take_along_axis(compared, newest[:-1, None, :], axis=0)
        differs = ~(before == compared[1:]).all(axis=1)  # NaN, where no row is yet, differs too
        when, lanes = np.nonzero(differs & known[1:])
        self.last = np.take_along_axis(compared, newest[-1:, None, :], axis=0)[0]
        values = [outputs[when, k, lanes].tolist() for k in (P, EDGE, CONFIDENCE, MODE)]
        texts = {k: utc_sql(times_ms[k]) for k in set(when.tolist())}
        env, symbols = self._environment, self._symbols
        return [
            (env, seqs[k], symbols[c], texts[k], p, edge, confidence,
             "TRADING" if mode else "LEARNING", slots[c])
            for k, c, p, edge, confidence, mode in zip(
                when.tolist(), lanes.tolist(), *values, strict=True
            )
        ]  # fmt: skip
