"""Rows of a journal and of a recomputation, compared one by one."""

from __future__ import annotations

from typing import Any

import numpy as np

from ares.core.facts import KIND_NAMES, notice_effects, outcome_effect, refusal_effect
from ares.kernel.bars import F64, I64
from ares.kernel.trade import Signals, TradeLog
from ares.kernel.trade.layout import CANCEL_STOP, REASON_NAMES, REFUSAL
from ares.runtime.replay.journal_columns import KINDS, LINES, JournalColumns, Row, fact_row


def rows_of_scan(log: TradeLog) -> dict[str, list[Row]]:
    """Return what the scan did, in the same form."""
    rows: dict[str, list[Row]] = {kind: [] for kind in LINES}
    for k, r in enumerate(log.requests):
        i, kind = int(r["instrument"]), int(r["kind"])
        if kind == REFUSAL:
            rows["refusals"].append(fact_row(refusal_effect(log.requests, k)))
        elif kind == CANCEL_STOP:
            rows["cancels"].append((i,))
        else:
            request = (int(r["lots"]), int(r["price_ticks"]), REASON_NAMES[int(r["reason"])])
            signal = (float(r["p"]), float(r["edge_bps"]), float(r["barrier_bps"]))
            rows["orders"].append((i, KIND_NAMES[kind], *request, *signal))
    for f in log.fills:
        head = (int(f["ts_ms"]), int(f["instrument"]), KIND_NAMES[int(f["kind"])], int(f["lots"]))
        rows["fills"].append((*head, int(f["price_ticks"]), int(f["fee_units"])))
    for k in range(len(log.outcomes)):
        rows["trades"].append(fact_row(outcome_effect(log.outcomes, k)))
    for k in range(len(log.notices)):
        for effect in notice_effects(log.notices, k):
            rows[KINDS[type(effect)]].append(fact_row(effect))
    return rows


def compare_rows(
    kind: str, journaled: list[Row], computed: list[Row]
) -> tuple[int, int, dict[str, Any] | None]:
    """Return (compared, different, the first difference in full)."""
    count = max(len(journaled), len(computed))
    wrong, first = 0, None
    for k in range(count):
        expected = journaled[k] if k < len(journaled) else None
        found = computed[k] if k < len(computed) else None
        if repr(expected) != repr(found):  # repr: NaN equals NaN, and -0.0 is not 0.0
            wrong += 1
            first = first or {
                "kind": kind, "index": k, "journaled": expected, "recomputed": found,
            }  # fmt: skip
    return count, wrong, first


def compare_decisions(
    journal: JournalColumns, signals: Signals, equity_units: I64, decided_ms: I64
) -> tuple[int, int, dict[str, Any] | None]:
    """Compare probability, edge, barrier and equity of every closing instant, to the bit.

    equity_units, decided_ms : (n_decisions,) recomputed.
    """
    n = signals.p.shape[1]
    equity = np.array(journal.equity, np.int64).reshape(-1, 2)
    both = min(len(equity), len(equity_units))
    missing = max(len(equity), len(equity_units)) - both
    outputs = np.frombuffer(journal.outputs).reshape(-1, 3, n)[:both]
    computed = np.stack([signals.p, signals.edge_bps, signals.barrier_bps], axis=1)[:both]
    bits_equal = outputs.view(np.int64) == computed.view(np.int64)
    same = bits_equal | (np.isnan(outputs) & np.isnan(computed))
    computed_equity = np.stack([decided_ms, equity_units], axis=1)[:both]
    same_equity = equity[:both] == computed_equity
    wrong = int((~same).sum() + (~same_equity).sum()) + missing
    first: dict[str, Any] | None = None
    rows_wrong = np.flatnonzero(~(same.all(axis=(1, 2)) & same_equity.all(axis=1)))
    if len(rows_wrong):
        row = int(rows_wrong[0])
        first = {
            "kind": "decision",
            "closing_ms": int(computed_equity[row, 0]),
            "journaled": _decision(outputs[row], equity[row, 1]),
            "recomputed": _decision(computed[row], computed_equity[row, 1]),
        }
    elif missing:
        first = {"kind": "decision", "journaled": len(equity), "recomputed": len(equity_units)}
    return same.size + same_equity.size + missing, wrong, first


def _decision(outputs: F64, equity_units: np.int64) -> dict[str, Any]:
    return {"outputs": outputs.tolist(), "equity_units": int(equity_units)}
