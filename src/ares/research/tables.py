"""The kernel's records as tables and counts, with names, units and quote currency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from ares.kernel.trade import TradeLog
from ares.kernel.trade.layout import (
    BREAKER_NAMES,
    ENTRY,
    EXIT,
    NOTICE_BREAKER,
    NOTICE_DAILY_LOSS,
    NOTICE_MODE,
    OPEN,
    REASON_NAMES,
    REFUSAL,
    REFUSAL_NAMES,
    STOP,
    Records,
)
from ares.research.market import Candles

UTC_MS = pl.Datetime("ms", "UTC")


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of requests, refusals and changes.

    requests : requested entries, exits and stops.
    rejected : entries of which nothing was filled, by reason: the open was above the order's limit
               (``price_collar``), or the bar had too little volume (``no_volume``); of a run,
               by the venue.
    refusals : refused signals, by code.
    breakers : openings of each breaker; daily_stops: days ended by the daily loss limit.
    """

    requests: dict[str, int]
    rejected: dict[str, int]
    refusals: dict[str, int]
    breakers: dict[str, int]
    daily_stops: int
    mode_changes: int


def trades_table(outcomes: Records, candles: Sequence[Candles]) -> pl.DataFrame:
    """Return closed trades, each row each, in the order in which they closed."""
    which = outcomes["instrument"]
    tick = np.array([10.0**-each.spec.price_decimals for each in candles])[which]
    lot = np.array([10.0**-each.spec.qty_decimals for each in candles])[which]
    names = np.array([each.key for each in candles], dtype=object)
    reasons, codes = np.array(REASON_NAMES, object), np.array(REFUSAL_NAMES, object)
    return pl.DataFrame(
        {
            "instrument": pl.Series(list(names[which]), dtype=pl.String),
            "entry_time": pl.Series(outcomes["entry_ms"]).cast(UTC_MS),
            "exit_time": pl.Series(outcomes["exit_ms"]).cast(UTC_MS),
            "qty_base": outcomes["lots"] * lot,
            "entry_price": outcomes["entry_price"] * tick,
            "exit_price": outcomes["exit_price"] * tick,
            "pnl_quote": outcomes["pnl_units"] / 1e8,
            "fees_quote": outcomes["fees_units"] / 1e8,
            "net_bps": outcomes["net_bps"].astype(np.float64),
            "confidence": pl.Series(outcomes["p"].astype(np.float64)).fill_nan(None),
            "edge_bps": pl.Series(outcomes["edge_bps"].astype(np.float64)).fill_nan(None),
            "exit_reason": pl.Series(list(reasons[outcomes["reason"]]), dtype=pl.String),
            "refusal": pl.Series(list(codes[outcomes["code"]]), dtype=pl.String),
            "mode_confidence": outcomes["mode_confidence"].astype(np.float64),
        }
    )


def fills_table(fills: Records, candles: Sequence[Candles]) -> pl.DataFrame:
    """Return the fills, each row each; rejected orders have a quantity of 0."""
    names = np.array([each.key for each in candles], dtype=object)
    kinds = np.array(["", "entry", "exit", "stop"], dtype=object)
    ticks = np.array([10.0**-each.spec.price_decimals for each in candles])
    lots = np.array([10.0**-each.spec.qty_decimals for each in candles])
    which = fills["instrument"]
    return pl.DataFrame(
        {
            "time": pl.Series(fills["ts_ms"]).cast(UTC_MS),
            "instrument": pl.Series(list(names[which]), dtype=pl.String),
            "kind": pl.Series(list(kinds[fills["kind"]]), dtype=pl.String),
            "qty_base": fills["lots"] * lots[which],
            "price_quote": fills["price_ticks"] * ticks[which],
            "fee_quote": fills["fee_units"] / 1e8,
            "rejected": fills["rejected"] == 1,
        }
    )


def counts_of(log: TradeLog) -> Counts:
    """Return the counts of a run."""
    requests, notices = log.requests, log.notices
    kinds = {"entries": ENTRY, "exits": EXIT, "stops": STOP}
    refused = requests["code"][requests["kind"] == REFUSAL]
    opened = notices["code"][(notices["kind"] == NOTICE_BREAKER) & (notices["after"] == OPEN)]
    return Counts(
        requests={name: int((requests["kind"] == kind).sum()) for name, kind in kinds.items()},
        rejected=_rejections(log),
        refusals={
            REFUSAL_NAMES[code]: int(n)
            for code, n in zip(*np.unique(refused, return_counts=True), strict=True)
        },
        breakers={
            BREAKER_NAMES[which]: int(n)
            for which, n in zip(*np.unique(opened, return_counts=True), strict=True)
        },
        daily_stops=int((notices["kind"] == NOTICE_DAILY_LOSS).sum()),
        mode_changes=int((notices["kind"] == NOTICE_MODE).sum()),
    )


def _rejections(log: TradeLog) -> dict[str, int]:
    """Return the number of rejected entries by reason, the most frequent first."""
    rejected = log.fills[log.fills["rejected"] == 1]
    ordered = log.requests[log.requests["kind"] == ENTRY]
    above = 0
    for instrument in np.unique(rejected["instrument"]):
        fills = rejected[rejected["instrument"] == instrument]
        orders = ordered[ordered["instrument"] == instrument]
        newest = np.searchsorted(orders["ts_ms"], fills["ts_ms"], side="right") - 1
        limits = orders["price_ticks"][newest]
        above += int(((limits > 0) & (fills["price_ticks"] > limits)).sum())
    counts = {"price_collar": above, "no_volume": len(rejected) - above}
    return {name: n for name, n in sorted(counts.items(), key=lambda item: -item[1]) if n}
