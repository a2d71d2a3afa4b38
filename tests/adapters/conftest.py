"""A small package that needs no training, and a server with Binance's public REST API."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ares.domain.model import Ensemble, Member, Validation
from ares.domain.package import Package, PackageCard, sealed
from ares.domain.timeframe import Timeframe

MakePackage = Callable[..., Package]


def make_package(
    name: str = "binance_BTC-USDT_1h", version: str = "20230420_120000", graph: bytes = b"graph"
) -> Package:
    """Return a package whose graph is any bytes."""
    card = PackageCard(
        reference=None,
        verdict=None,
        name=name,
        version=version,
        scope="instrument",
        instruments=("binance:BTC/USDT",),
        timeframe=Timeframe(name.rpartition("_")[2]),
        origin="trained",
        features=("a", "b"),
        features_hash="features",
        recipe={"folds": 5, "label": {"horizon_bars": 12}},
        recipe_hash="recipe",
        horizon_bars=12,
        width_sigmas=1.0,
        width_min_bps=33.0,
        cost_bps=22.0,
        gain=0.8,
        loss=1.1,
        data_from_ms=0,
        data_to_ms=10,
        data_rows=100,
        data_hash="data",
        validation=Validation(10, 1.5, 20.0),
        metrics={"brier": 0.24, "auc": None, "thresholds": []},
        parity={"passed": True},
        libraries={"lightgbm": "4"},
        git_commit="commit",
        created_at=f"{version[:4]}-{version[4:6]}-{version[6:8]}T12:00:00Z",
    )
    return sealed(card, {"model.onnx": graph, "training.png": b"picture"})


def make_ensemble(*packages: Package, created_at: str = "2023-04-20T12:00:00Z") -> Ensemble:
    """Return the ensemble of packages with equal weights."""
    members = tuple(
        Member(p.card.timeframe, p.card.name, p.card.version, p.hash, 1 / len(packages))
        for p in packages
    )
    alone = packages[0].alone("binance:BTC/USDT", created_at)
    return Ensemble(
        **{name: getattr(alone, name) for name in alone.__struct_fields__} | {"members": members}
    )


@pytest.fixture
def package() -> MakePackage:
    """Return the maker of packages."""
    return make_package


@pytest.fixture
def ensemble() -> Callable[..., Ensemble]:
    """Return the maker of ensembles."""
    return make_ensemble


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
        """Print nothing: clients that disconnect are part of the tests."""


class BinanceServer:
    """A venue on loopback: candles from START_MS to its clock, with faults on request.

    faults   : HTTP status of each next klines call, or 0 for a dropped connection.
    silent   : while it is cleared, no klines call is answered.
    missing  : open times that it never published.
    replaced : rows by open time, instead of the computed ones.
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
