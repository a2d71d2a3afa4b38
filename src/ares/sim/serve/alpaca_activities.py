"""The activities of an Alpaca account: executions at once, fees at the end of their day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ares.domain.timeframe import DAY_MS
from ares.sim.serve.alpaca_orders import activity_id, fill_activity
from ares.sim.serve.alpaca_words import USD, ms_of, price_text, unprocessable, whole_of
from ares.sim.serve.orders import Execution, SimOrder, uuid_of
from ares.sim.serve.views import View
from ares.sim.serve.wire import trimmed

PAGE_MAX = 100
KINDS = ("FILL", "CFEE", "FEE")


def activities(
    view: View, query: Mapping[str, str], kinds: tuple[str, ...], now_ms: int
) -> list[dict[str, Any]]:
    """Return a page of activities; raise AlpacaError.

    A page that follows another begins after the entry whose id ``page_token`` is.
    """
    low_ms, high_ms = ms_of(query, "after", -1), ms_of(query, "until", 1 << 52)
    if query.get("date"):
        low_ms = ms_of(query, "date", 0) - 1
        high_ms = low_ms + DAY_MS
    rows = [
        row
        for order, execution in view.executions
        for row in _rows(order, execution, kinds, now_ms)
        if low_ms < row[0] <= high_ms
    ]
    rows.sort(key=lambda row: (row[0], row[1]))
    if query.get("direction", "desc") == "desc":
        rows.reverse()
    token = query.get("page_token")
    if token:
        at = next((i for i, (*_, row) in enumerate(rows) if row["id"] == token), None)
        if at is None:
            raise unprocessable("page_token is unknown")
        rows = rows[at + 1 :]
    return [row for *_, row in rows[: whole_of(query, "page_size", PAGE_MAX, PAGE_MAX)]]


def _rows(
    order: SimOrder, execution: Execution, kinds: tuple[str, ...], now_ms: int
) -> list[tuple[int, int, dict[str, Any]]]:
    """Return time, number and text of an execution's activities that are known by now."""
    found = []
    if "FILL" in kinds:
        found.append((execution.ts_ms, execution.number, fill_activity(order, execution)))
    is_usd = execution.fee_asset == USD
    posted_ms = execution.ts_ms - execution.ts_ms % DAY_MS + DAY_MS
    if ("FEE" if is_usd else "CFEE") in kinds and execution.fee and posted_ms <= now_ms:
        found.append((posted_ms, execution.number, _fee(order, execution, posted_ms, is_usd)))
    return found


def _fee(order: SimOrder, execution: Execution, posted_ms: int, is_usd: bool) -> dict[str, Any]:
    fee = trimmed(-execution.fee, 8)
    facts = {
        "id": activity_id(posted_ms, uuid_of(f"fee {execution.exec_id}")),
        "activity_type": "FEE" if is_usd else "CFEE",
        "date": f"{datetime.fromtimestamp(execution.ts_ms // 1000, UTC):%Y-%m-%d}",
        "net_amount": fee if is_usd else "0",
        "description": "Coin Pair Transaction Fee" + ("" if is_usd else " (Non USD)"),
        "status": "executed",
    }
    if is_usd:
        return facts
    is_base = execution.fee_asset == order.symbol.base
    price = price_text(order.symbol, execution.ticks) if is_base else "1"
    return {**facts, "symbol": f"{execution.fee_asset}{USD}", "qty": fee, "price": price}
