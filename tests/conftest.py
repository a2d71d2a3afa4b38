"""Fixtures that several parts share."""

from __future__ import annotations

import json
import os
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, settings
from tests.postgres import MISSING, PostgresServer, running_server

from ares.domain.timeframe import Timeframe
from ares.store.database import open_database

if TYPE_CHECKING:
    from ares.kernel.features.user import UserFeatures

# The same examples on every run, so that a red test is about the change; `make explore` draws anew.
# How long an example takes says how busy the machine is, and makes no test red.
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", UNTIMED, derandomize=True)
settings.register_profile("explore", UNTIMED, print_blob=True)
settings.load_profile(os.environ.get("ARES_EXAMPLES", "same"))


@pytest.fixture(scope="session")
def ares_data() -> Path:
    """Return the folder of real candles; skip, saying why, where it is absent (never in CI)."""
    root = Path(__file__).parent.parent
    folder = Path(os.environ.get("ARES_DATA", root / ".." / "shared" / "data")).resolve()
    if not (folder / "binance").is_dir():
        reason = f"no real candles at {folder}: set ARES_DATA"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture
def archived_root(tmp_path: Path) -> Path:
    """Return the folder of a workspace that an earlier version wrote: models, a verdict, a run."""
    return _unpacked(tmp_path / "archived")


@pytest.fixture(scope="module")
def archived_for_module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the same workspace, for all tests of a module."""
    return _unpacked(tmp_path_factory.mktemp("archived"))


def _unpacked(folder: Path) -> Path:
    archive = Path(__file__).parent / "fixtures" / "workspace.tar.xz"
    with tarfile.open(archive, mode="r:xz") as tar:
        tar.extractall(folder, filter="data")
    return folder


@dataclass(frozen=True)
class UserModule:
    """A file ``mine.py`` with a user's features.

    head : the lines that every such module begins with; good : two features that may be used.
    """

    folder: Path
    head: str = "from ares.kernel.features.user import feature\nimport numpy as np\n"
    good: str = """
@feature(warmup_bars=50)
def from_high(bars):
    return bars.close[-1] / bars.high.max() - 1.0

@feature(warmup_bars=1)
def busy(bars):
    return float(bars.volume[-1] > 0)
"""

    def load(self, source: str) -> UserFeatures:
        """Write the module, ``source`` after the head, and load its features."""
        from ares.adapters.user_module import load_user_features

        (self.folder / "mine.py").write_text(self.head + source)
        return load_user_features("mine.py", self.folder)


@pytest.fixture
def user_module(tmp_path: Path) -> UserModule:
    """Return a user's module in the folder of the test."""
    return UserModule(tmp_path)


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


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Return a PostgreSQL server with a migrated database ``migrated``."""
    with running_server() as started:
        if started is None:
            pytest.skip(MISSING)
        open_database(started.make_database("migrated")).dispose()
        yield started
