"""A server on loopback that speaks the public part of Binance's REST API, with faults on order."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ares.domain.timeframe import Timeframe

START_MS = 1_700_000_000_000 // 3_600_000 * 3_600_000

SYMBOL = {
    "symbol": "BTCUSDT",
    "status": "TRADING",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "baseAssetPrecision": 8,
    "quotePrecision": 8,
    "quoteAssetPrecision": 8,
    "isSpotTradingAllowed": True,
    "permissionSets": [["SPOT"]],
    "orderTypes": ["LIMIT", "MARKET"],
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1e6", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9e3", "stepSize": "0.00001"},
        {"filterType": "NOTIONAL", "minNotional": "5.0"},
    ],
}


class _Http(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that hang up are part of the tests."""


class BinanceServer:
    """The venue: candles from START_MS to its clock, and what the next klines calls suffer.

    faults   : HTTP statuses, or 0 for a dropped connection; one a klines call, first to last.
    silent   : cleared, no klines call is answered until it is set again.
    missing  : open times that it never published.
    replaced : rows told instead of the computed ones, by open time.
    """

    def __init__(self) -> None:
        self.clock_ms = START_MS + 3_000 * 60_000 + 30_000
        self.faults: list[int] = []
        self.silent = threading.Event()
        self.silent.set()
        self.missing: set[int] = set()
        self.replaced: dict[int, list[Any]] = {}
        self.klines_from: list[int] = []
        self.paths: list[str] = []
        server = self

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                url = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(url.query).items()}
                server.paths.append(url.path)
                status = 200
                if url.path.endswith("klines"):
                    server.silent.wait(10)
                    status = server.faults.pop(0) if server.faults else 200
                if status == 0:
                    self.connection.close()
                    return
                body = {"code": -1, "msg": "no"}
                if status == 200:
                    body = server.answer(url.path, query)
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._http = _Http(("127.0.0.1", 0), Answers)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.address = f"http://127.0.0.1:{self._http.server_port}"

    def answer(self, path: str, query: dict[str, str]) -> Any:
        """Return the body for a request."""
        match path:
            case "/api/v3/time":
                return {"serverTime": self.clock_ms}
            case "/api/v3/exchangeInfo":
                return {"timezone": "UTC", "serverTime": self.clock_ms, "symbols": [SYMBOL]}
            case "/api/v3/klines":
                self.klines_from.append(int(query["startTime"]))
                return self.klines(
                    int(query["startTime"]), int(query["limit"]), Timeframe(query["interval"]).ms
                )
        raise AssertionError(path)

    def klines(self, from_ms: int, limit: int, step_ms: int) -> list[list[Any]]:
        """Return rows as Binance does: from the first at or after, the unfinished one included."""
        first_ms = max(START_MS, -(-from_ms // step_ms) * step_ms)
        rows: list[list[Any]] = []
        for ts_ms in range(first_ms, self.clock_ms, step_ms):
            if len(rows) == limit:
                break
            if ts_ms not in self.missing:
                rows.append(self.replaced.get(ts_ms, row_at(ts_ms, step_ms)))
        return rows

    def close(self) -> None:
        """Stop answering."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


def row_at(ts_ms: int, step_ms: int) -> list[Any]:
    """Return a kline that its time decides."""
    price = 100 + ts_ms // step_ms % 700 / 100
    return [
        *(ts_ms, f"{price:.2f}", f"{price + 1:.2f}", f"{price - 1:.2f}", f"{price + 0.5:.2f}"),
        *("1.50000", ts_ms + step_ms - 1, "150.0", 7, "0.7", "70.0", "0"),
    ]


@pytest.fixture
def binance() -> Iterator[BinanceServer]:
    """Return a venue that runs until the test ends."""
    server = BinanceServer()
    yield server
    server.close()
