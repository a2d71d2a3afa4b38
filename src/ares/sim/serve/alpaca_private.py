"""Alpaca's trading requests: /v2/orders, positions, account, activities, assets, clock."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec

from ares.domain.timeframe import DAY_MS
from ares.sim.serve.alpaca_activities import KINDS, activities
from ares.sim.serve.alpaca_keys import AlpacaKeys, require
from ares.sim.serve.alpaca_positions import (
    Valuation,
    account_facts,
    held_assets,
    position_facts,
)
from ares.sim.serve.alpaca_trading import AlpacaTrading
from ares.sim.serve.alpaca_words import (
    AlpacaError,
    asset_facts,
    asset_id,
    compressed,
    new_york,
    not_found,
    unprocessable,
)
from ares.sim.serve.market import SymbolMarket
from ares.sim.serve.venue import Answer, SignedRequest, SimVenue
from ares.sim.serve.views import View, Views

Fields = Mapping[str, Any]
Row = tuple[str, Callable[[re.Match[str], Fields, View], Any], tuple[str, ...]]
CALENDAR_DAYS_MAX = 400


class AlpacaPrivate:
    """The requests of one account that need a key."""

    def __init__(
        self, venue: SimVenue, keys: AlpacaKeys, trading: AlpacaTrading, views: Views
    ) -> None:
        self._venue, self._keys, self._views = venue, keys, views
        self._trading, self._value = trading, Valuation(venue)
        read, trade, cancel = ("query",), ("trade",), ("trade", "cancel")
        rows: list[Row] = [
            ("GET orders", lambda _, f, view: self._page(trading.listed(f, view)), read),
            ("GET orders:by_client_order_id", self._by_client_id, read),
            ("GET orders/(.+)", lambda m, _, view: trading.shown(view, m[1]), read),
            ("POST orders", lambda _m, f, _v: trading.submit(f), trade),
            ("PATCH orders/(.+)", lambda m, f, _: trading.replace(m[1], f), trade),
            ("DELETE orders/(.+)", lambda m, _f, _v: trading.cancel(m[1]), cancel),
            ("DELETE orders", lambda _m, _f, _v: trading.cancel_all(), cancel),
            ("GET positions", self._positions, read),
            ("GET positions/(.+)", self._position, read),
            ("DELETE positions/(.+)", lambda m, f, _: trading.close(self._asset(m[1]), f), trade),
            ("DELETE positions", lambda _m, _f, _v: trading.close_all(), trade),
            ("GET account", self._account, read),
            ("GET account/activities(?:/(.+))?", self._activities, read),
            ("GET account/configurations", lambda _m, _f, _v: CONFIGURATION, read),
            ("GET assets", self._assets, read),
            ("GET assets/(.+)", self._one_asset, read),
            ("GET clock", lambda _m, _f, _v: clock_facts(venue.clock_ms()), read),
            ("GET calendar", lambda _, f, _v: calendar(f, venue.clock_ms()), read),
        ]
        self._rows = [(re.compile(pattern), do, rights) for pattern, do, rights in rows]

    def answer(self, request: SignedRequest) -> Answer:
        """Return the answer to a request."""
        faults, requested = self._venue.faults, request.text
        try:
            if faults.struck("unavailable", "rest", requested):
                raise AlpacaError(503, 50310000, "service unavailable")  # noqa: TRY301
            if faults.struck("error_before", "rest", requested):
                raise AlpacaError(200, 50010000, "internal server error occurred")  # noqa: TRY301
            result = self._result(request)
            if faults.struck("error_after", "rest", requested):
                raise AlpacaError(200, 50010000, "internal server error occurred")  # noqa: TRY301
        except AlpacaError as error:
            return error.answer()
        if result is None:
            return Answer(b"", 204)
        return Answer(msgspec.json.encode(result))

    def _result(self, request: SignedRequest) -> Any:
        key = self._keys.admit(request.headers)
        wanted = f"{request.method} {request.path.removeprefix('/v2/').rstrip('/')}"
        for pattern, do, rights in self._rows:
            if match := pattern.fullmatch(wanted):
                require(key, *rights)
                return do(match, _fields(request), self._views.view(request.text))
        raise AlpacaError(404, 40410000, "endpoint not found")

    def _by_client_id(self, _match: re.Match[str], fields: Fields, view: View) -> Any:
        wanted = str(fields.get("client_order_id") or "")
        if not wanted:
            raise unprocessable("client_order_id is required")
        return self._trading.shown(view, client_id=wanted)

    def _positions(self, _match: re.Match[str], _fields: Fields, view: View) -> Any:
        return [position_facts(view, asset, self._value) for asset in held_assets(view.account)]

    def _position(self, match: re.Match[str], _fields: Fields, view: View) -> Any:
        asset = self._asset(match[1])
        if asset not in held_assets(view.account):
            raise not_found("position does not exist")
        return position_facts(view, asset, self._value)

    def _asset(self, name: str) -> str:
        """Return the asset of a position's name: BTCUSD, BTC/USD, or its id."""
        for symbol in self._venue.market.symbols:
            for asset in (symbol.base, symbol.quote):
                if name in (f"{asset}USD", f"{asset}/USD", asset_id(asset)):
                    return asset
            if name in (symbol.symbol, compressed(symbol), asset_id(symbol.symbol)):
                return symbol.base
        raise not_found(f"asset not found for {name}")

    def _account(self, _match: re.Match[str], _fields: Fields, view: View) -> Any:
        return account_facts(view, self._value, self._venue.clock.from_ms)

    def _activities(self, match: re.Match[str], fields: Fields, view: View) -> Any:
        named = match[1] or fields.get("activity_types") or ",".join(KINDS)
        kinds = tuple(str(named).split(","))
        return self._page(activities(view, fields, kinds, self._venue.now_ms()))

    def _assets(self, _match: re.Match[str], fields: Fields, _view: View) -> Any:
        if fields.get("asset_class") not in (None, "", "crypto"):
            return []
        wanted = fields.get("status")
        rows = [self._asset_facts(symbol) for symbol in self._venue.market.symbols]
        return [row for row in rows if wanted in (None, "", row["status"])]

    def _one_asset(self, match: re.Match[str], _fields: Fields, _view: View) -> Any:
        for symbol in self._venue.market.symbols:
            if match[1] in (symbol.symbol, compressed(symbol), asset_id(symbol.symbol)):
                return self._asset_facts(symbol)
        raise not_found(f"asset not found for {match[1]}")

    def _asset_facts(self, symbol: SymbolMarket) -> dict[str, Any]:
        return asset_facts(symbol, self._venue.state_of(symbol))

    def _page(self, rows: list[Any]) -> list[Any]:
        """Return a page; the fault ``incomplete`` takes every other row away."""
        if len(rows) > 1 and self._venue.faults.struck("incomplete", "rest"):
            return rows[::2]
        return rows


CONFIGURATION = {
    "fractional_trading": True,
    "max_margin_multiplier": "1",
    "no_shorting": True,
    "suspend_trade": False,
    "trade_confirm_email": "none",
    "ptp_no_exception_entry": False,
}


def clock_facts(clock_ms: int) -> dict[str, Any]:
    """Return the clock; the market of shares, which crypto does not follow, opens at 14:30 UTC."""
    day_ms = clock_ms - clock_ms % DAY_MS
    open_ms, close_ms = day_ms + DAY_MS * 29 // 48, day_ms + DAY_MS * 7 // 8
    is_weekday = datetime.fromtimestamp(clock_ms // 1000, UTC).weekday() < 5
    return {
        "timestamp": new_york(clock_ms),
        "is_open": is_weekday and open_ms <= clock_ms < close_ms,
        "next_open": new_york(open_ms if clock_ms < open_ms else open_ms + DAY_MS),
        "next_close": new_york(close_ms if clock_ms < close_ms else close_ms + DAY_MS),
    }


def calendar(fields: Fields, clock_ms: int) -> list[dict[str, str]]:
    """Return the weekdays of a time, of shares; raise AlpacaError."""
    today = datetime.fromtimestamp(clock_ms // 1000, UTC).date()
    try:
        start = date.fromisoformat(str(fields.get("start") or today)[:10])
        end = date.fromisoformat(str(fields.get("end") or start + timedelta(days=30))[:10])
    except ValueError:
        raise unprocessable("start and end are dates: 2024-01-31") from None
    days = [
        start + timedelta(days=n) for n in range(min((end - start).days + 1, CALENDAR_DAYS_MAX))
    ]
    return [
        {"date": day.isoformat(), "open": "09:30", "close": "16:00"}
        for day in days
        if day.weekday() < 5
    ]


def _fields(request: SignedRequest) -> Fields:
    """Return the parameters of the address and of the body; raise AlpacaError."""
    if not request.body:
        return request.query
    try:
        body = msgspec.json.decode(request.body, type=dict[str, Any])
    except msgspec.MsgspecError:
        raise AlpacaError(400, 40010000, "request body format is invalid") from None
    return {**request.query, **body}
