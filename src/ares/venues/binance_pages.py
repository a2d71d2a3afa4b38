"""Orders and trades of a symbol since a time, page by page, and the prices of fees."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ares.venues.amounts import decimal_of
from ares.venues.answers import NoAnswer, Refused
from ares.venues.requests import LOOK_UP, PrivateRequests

PAGE = 1_000
PAGES_MAX = 500
DAY_MS, MINUTE_MS = 86_400_000, 60_000
PRICES_MAX = 500

WEIGHTS = {"privateGetMyTrades": 20.0, "privateGetAllOrders": 20.0}
IDS = {"privateGetMyTrades": ("id", "fromId"), "privateGetAllOrders": ("orderId", "orderId")}
"""Request -> name of a row's id, and of the parameter that says from which id on."""


class SignedReads:
    """Signed requests that only read; each is made with the time at which it leaves."""

    def __init__(self, requests: PrivateRequests, signed: Any) -> None:
        self._requests, self._signed = requests, signed

    async def answer(
        self, name: str, parameters: Mapping[str, str], weight: float, rank: int = LOOK_UP
    ) -> dict[str, Any]:
        """Return an answer that is an object, or a list as ``rows``."""
        return await self._requests.read(
            name, lambda: self._signed(parameters), rank, "weight", weight
        )

    async def rows(
        self, name: str, parameters: Mapping[str, str], weight: float, rank: int = LOOK_UP
    ) -> list[dict[str, Any]]:
        """Return an answer that is a list of objects; raise NoAnswer where it is none."""
        answer = await self.answer(name, parameters, weight, rank)
        rows = answer.get("rows")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise NoAnswer(f"the answer is no list: {str(answer)[:60]}")
        return rows

    async def since(
        self, name: str, symbol: str, from_ms: int, until_ms: int
    ) -> tuple[dict[str, dict[str, Any]], bool]:
        """Return the rows of a symbol since a time by id, and whether every page was read.

        Times may lie a day apart at most, so that the first row is looked for day by day.
        """
        key, from_name = IDS[name]
        found: dict[str, dict[str, Any]] = {}
        page: list[dict[str, Any]] = []
        while not page and from_ms <= until_ms:
            to_ms = from_ms + DAY_MS - 1
            window = {"startTime": str(from_ms), "endTime": str(to_ms), "limit": str(PAGE)}
            page = await self.rows(name, {"symbol": symbol, **window}, WEIGHTS[name])
            from_ms = to_ms + 1
        for _ in range(PAGES_MAX):
            found |= {str(row[key]): row for row in page}
            if not page or (len(page) < PAGE and from_ms > until_ms):
                return found, True
            following = {from_name: str(max(int(row[key]) for row in page) + 1)}
            parameters = {"symbol": symbol, **following, "limit": str(PAGE)}
            page = await self.rows(name, parameters, WEIGHTS[name])
            from_ms = until_ms + 1  # by id all that follows is listed, whatever its time
        return found, False


class FeePrices:
    """What a fee's asset cost: the close of the last full minute before the execution, so that
    stream and REST translate a fee to the same amount.
    """

    def __init__(self, requests: PrivateRequests) -> None:
        self._requests = requests
        self._found: OrderedDict[tuple[str, int], Decimal | None] = OrderedDict()

    async def at(self, asset: str, quote: str, at_ms: int) -> Decimal | None:
        """Return a price; None: the venue has none. Raises NoAnswer."""
        symbol, minute_ms = f"{asset}{quote}", at_ms - at_ms % MINUTE_MS
        key = (symbol, minute_ms)
        if key not in self._found:
            self._found[key] = await self._read(symbol, minute_ms)
            while len(self._found) > PRICES_MAX:
                self._found.popitem(last=False)
        return self._found[key]

    async def _read(self, symbol: str, minute_ms: int) -> Decimal | None:
        parameters = {
            "symbol": symbol, "interval": "1m", "endTime": str(minute_ms - 1), "limit": "1",
        }  # fmt: skip
        try:
            answer = await self._requests.read(
                "publicGetKlines", parameters, LOOK_UP, "weight", 2.0
            )
        except Refused:  # no such symbol
            return None
        rows = answer.get("rows")
        return decimal_of(rows[-1][4]) if isinstance(rows, list) and rows else None
