"""The steps of ``ares demo``: candles from files, a venue or a simulation, a workspace, training,
backtest and run, one function each.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ares.config.workspace import SETTINGS_FILE, Workspace
from ares.domain.errors import AresError, ExternalError, UserError
from ares.domain.timeframe import DAY_MS

if TYPE_CHECKING:
    from ares.adapters.ccxt_candles import CcxtCandles
    from ares.bootstrap import RunResult
    from ares.research.backtest import BacktestResult
    from ares.runtime.replay.certify import Certificate
    from ares.runtime.training.report import TrainingReport
    from ares.runtime.validation.pipeline import ValidationResult
    from ares.runtime.validation.verdict_file import SavedVerdict
    from ares.store.candles import CandleStore

FOLDER = "ares-demo"
VENUE = "binance"
SYMBOLS = ("BTC/USDT", "ETH/USDT")
WEIGHTS = {"5m": 0.20, "15m": 0.30, "1h": 0.30, "4h": 0.20}
TRAIN_DAYS = 240
FETCH_DAYS = 134
RUN_DAYS = 14
SIMULATED_DAYS = 340
PLANTED_EDGE = 3.4
"""In so many days the gate finds this edge by its own rules, and finds it plausible."""

VENUE_TIMEOUT_S = 3.0
"""How long to wait for a venue before the simulation is used."""

BEST_SHARE = 0.02
"""Share of the best signals that is traded virtually where no signal leads to a trade."""

Progress = Callable[[float, str], None]
"""Called with the share that is done, and a remark."""


@dataclass(frozen=True, slots=True)
class DemoCandles:
    """Source of the demo's candles: its description for the screen, and what loads them.

    train_days : most days before the run that models are trained on.
    """

    kind: str
    description: str
    venue: str
    symbols: tuple[str, ...]
    load: Callable[[CandleStore, Progress], None]
    train_days: int = TRAIN_DAYS


@dataclass(frozen=True, slots=True)
class DemoWorkspace:
    """The demo's workspace with its candles; models train up to ``split_ms`` and run from there."""

    workspace: Workspace
    from_ms: int
    split_ms: int
    to_ms: int


def source(data: Path | None, simulated: bool, now_ms: int) -> DemoCandles:
    """Return the source of candles: a path, else a venue that answers, else the simulation.

    Raises UserError where a path holds no candles of two instruments.
    """
    if data is not None:
        return _files(data)
    if simulated:
        return _simulation("a synthetic market (--simulated)")
    client = _answering(VENUE)
    if client is not None:
        return _venue(VENUE, client, now_ms)
    return _simulation(
        f"{VENUE} did not answer within {VENUE_TIMEOUT_S:g} s, so a synthetic market"
    )


def prepare(
    candles: DemoCandles, parent: Path, progress: Progress
) -> tuple[DemoCandles, DemoWorkspace]:
    """Create a workspace below ``parent`` (under the first free name), load candles, split time.

    Where a venue stops answering, the simulation replaces it: the source in use is returned.
    """
    try:
        return candles, _prepared(candles, parent, progress)
    except ExternalError as error:
        if candles.kind != "venue":
            raise
        simulation = _simulation(f"{error}; so a synthetic market")
        return simulation, _prepared(simulation, parent, progress)


def _prepared(candles: DemoCandles, parent: Path, progress: Progress) -> DemoWorkspace:
    root = _free(parent / FOLDER)
    root.mkdir(parents=True)
    try:
        (root / SETTINGS_FILE).write_text(_settings(candles), encoding="utf-8")
        workspace, _ = Workspace.init(root)
        return _filled(candles, workspace, progress)
    except BaseException:
        shutil.rmtree(root, ignore_errors=True)  # created by this call, and incomplete
        raise


def _filled(candles: DemoCandles, workspace: Workspace, progress: Progress) -> DemoWorkspace:
    from ares.bootstrap import candle_store
    from ares.research.window import window

    with candle_store(workspace) as store:
        candles.load(store, progress)
        instruments = [store.resolve(f"{candles.venue}:{symbol}") for symbol in candles.symbols]
        _, to_ms = window(store, instruments, None, None, None)
        first_ms = max(
            min(s.first_ms for s in store.series() if s.instrument == instrument)
            for instrument in instruments
        )
    split_ms = (to_ms - RUN_DAYS * DAY_MS) // DAY_MS * DAY_MS
    if split_ms - first_ms < RUN_DAYS * DAY_MS:
        days = max(0.0, (to_ms - first_ms) / DAY_MS)
        raise UserError(
            f"{' and '.join(candles.symbols)} have {days:.0f} days of candles in common; the demo "
            f"needs {2 * RUN_DAYS + 1}: give a folder with more candles"
        )
    from_ms = max(first_ms, split_ms - candles.train_days * DAY_MS)
    return DemoWorkspace(workspace, from_ms, split_ms, to_ms)


def train(on: DemoWorkspace, progress: Callable[[int, int, str], None]) -> TrainingReport:
    """Train both symbols on everything before the last two weeks."""
    from ares.bootstrap.mlflow import sync_after_training
    from ares.bootstrap.training import train as run
    from ares.runtime.training.plan import TrainingRequest

    request = TrainingRequest(from_ms=on.from_ms, to_ms=on.split_ms)
    return sync_after_training(on.workspace, run(on.workspace, request, on_progress=progress))


@dataclass(frozen=True, slots=True)
class DemoVerdict:
    """The gate's verdict on one ensemble, and what followed.

    forced  : it was promoted without a passing verdict.
    refused : why it was not promoted even so; empty where it was.
    """

    result: ValidationResult
    saved: SavedVerdict
    forced: bool
    refused: tuple[str, ...]


def evaluate(
    on: DemoWorkspace, report: TrainingReport, progress: Callable[[int, int, str], None]
) -> list[DemoVerdict]:
    """Ask the gate about each ensemble, and promote it into the history slot.

    An ensemble that the gate refuses is promoted by force, with reason "rehearsal", so that the
    engine has something to trade: history runs use virtual money.
    """
    from ares.bootstrap.lifecycle import promote, validate

    found = []
    for ensemble in report.ensembles:
        result, saved, _ = validate(on.workspace, ensemble.hash, "history", progress)
        forced = not result.verdict.passed
        reason = "rehearsal (ares demo)"
        outcome = promote(on.workspace, ensemble.hash, "history", force=forced, reason=reason)
        found.append(DemoVerdict(result, saved, forced, outcome.refused))
    return found


def backtest(on: DemoWorkspace) -> BacktestResult:
    """Backtest the new ensembles on the last two weeks, which are out of sample."""
    return _backtested(on, None)


def best_signals(on: DemoWorkspace, without_trades: BacktestResult) -> BacktestResult | None:
    """Return a backtest of the best signals where none led to a trade; None without any signal."""
    import numpy as np

    edge = without_trades.strategy.signals.edge_bps
    edge = edge[np.isfinite(edge)]
    if len(edge) == 0:
        return None
    result = _backtested(on, float(np.quantile(edge, 1.0 - BEST_SHARE)))
    name = f"best {BEST_SHARE:.0%} of the signals, traded virtually"
    warning = (
        "no signal reached the edge that an entry needs, so nothing was traded: this backtest "
        f"trades the best {BEST_SHARE:.0%} of signals, selected with hindsight"
    )
    return replace(
        result,
        strategy=replace(result.strategy, name=name),
        warnings=(warning, *result.warnings),
    )


def _backtested(on: DemoWorkspace, edge_bps_min: float | None) -> BacktestResult:
    from ares.bootstrap import backtest as run
    from ares.research.backtest_request import BacktestRequest

    request = BacktestRequest(from_ms=on.split_ms, to_ms=on.to_ms, edge_bps_min=edge_bps_min)
    return run(on.workspace, request)


def certify(on: DemoWorkspace) -> Certificate:
    """Recompute the engine's run by the backtest path and compare."""
    from ares.bootstrap import certify_run

    return certify_run(on.workspace, None)


def run(on: DemoWorkspace, progress: Callable[[int, int], None]) -> RunResult:
    """Run the engine, event by event, over the last two weeks."""
    from ares.bootstrap import RunRequest, history_run

    request = RunRequest(None, on.split_ms, on.to_ms, "demo")
    return history_run(on.workspace, request, progress)


def _files(path: Path) -> DemoCandles:
    """Return the two instruments with most files in a file or folder; BTC and ETH first."""
    from ares.adapters.candle_files import candle_files
    from ares.adapters.candle_names import names_of
    from ares.config.venues import known_venues

    venue = path.name if path.is_dir() and path.name in known_venues() else "binance"
    files, _ = candle_files(path)
    found: dict[str, list[Path]] = {}
    for file in files:
        symbol, interval = names_of(file.name, venue)
        if symbol is not None and interval is not None:
            found.setdefault(symbol, []).append(file)
    if not found:
        raise UserError(
            f"{path}: no file is named after a symbol and an interval (BTCUSDT_1h.parquet): rename "
            "the files, or use `ares data import` and `ares train`"
        )
    ranked = sorted(found, key=lambda s: (s not in SYMBOLS, -len(found[s]), s))
    quote = ranked[0].partition("/")[2]
    symbols = tuple(s for s in ranked if s.partition("/")[2] == quote)[:2]
    chosen = [file for symbol in symbols for file in found[symbol]]

    def load(store: CandleStore, progress: Progress) -> None:
        from ares.runtime.ingest.candle_import import import_candles

        for k, file in enumerate(chosen):
            progress(k / len(chosen), file.name)
            import_candles(store, file, venue)
        progress(1.0, "")

    return DemoCandles("files", f"candles of {venue}, from {path}", venue, symbols, load)


def _venue(venue: str, client: CcxtCandles, now_ms: int) -> DemoCandles:
    def load(store: CandleStore, progress: Progress) -> None:
        from ares.runtime.ingest.candle_fetch import fetch_candles

        for k, symbol in enumerate(SYMBOLS):

            def page(share: float, remark: str, k: int = k, symbol: str = symbol) -> None:
                progress((k + share) / len(SYMBOLS), f"{symbol} {remark}")

            from_ms = now_ms - FETCH_DAYS * DAY_MS
            fetch_candles(store, client, symbol, "5m", from_ms, None, now_ms, page)

    description = f"real candles of {venue}, fetched now: the last {FETCH_DAYS} days in 5m bars"
    return DemoCandles("venue", description, venue, SYMBOLS, load)


def _simulation(why: str) -> DemoCandles:
    from ares.sim.prices import VENUE as SIMULATED

    def load(store: CandleStore, progress: Progress) -> None:
        from ares.domain.timeframe import MINUTE_MS, Timeframe
        from ares.kernel.resample import resample
        from ares.sim.reversion import reverting

        market = reverting(SYMBOLS, days=SIMULATED_DAYS + RUN_DAYS, edge=PLANTED_EDGE)
        for k, symbol in enumerate(SYMBOLS):
            progress(k / len(SYMBOLS), symbol)
            bars = resample(market.bars[symbol], MINUTE_MS, Timeframe.M5.ms)
            store.save(market.specs[symbol], "5m", bars, "ares.sim.reversion")
        progress(1.0, "")

    description = (
        f"{why}: fat tails, clustered volatility, and a planted edge (prices far from their mean "
        "of 10 hours revert). Its results say nothing about any real market"
    )
    return DemoCandles("simulated", description, SIMULATED, SYMBOLS, load, SIMULATED_DAYS)


def _answering(venue: str) -> CcxtCandles | None:
    """Return a client of the venue if it answers in time.

    Runs in a thread of its own: a DNS lookup has no timeout.
    """
    found: list[CcxtCandles] = []

    def connect() -> None:
        from ares.adapters.ccxt_candles import CcxtCandles, RetryPolicy

        once = RetryPolicy(attempts=1, timeout_s=VENUE_TIMEOUT_S)
        try:
            CcxtCandles(venue, retries=once).spec(SYMBOLS[0])
            found.append(CcxtCandles(venue))
        except AresError:
            return

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(VENUE_TIMEOUT_S)
    return found[0] if found else None


def _settings(candles: DemoCandles) -> str:
    quote = candles.symbols[0].partition("/")[2]
    lines = [f"    - {{interval: {name}, weight: {share}}}" for name, share in WEIGHTS.items()]
    return "\n".join(
        [
            "# Created by `ares demo`. Other keys have their defaults: `ares config show`.",
            f"venue: {candles.venue}",
            f"symbols: [{', '.join(candles.symbols)}]",
            f"account: {{currency: {quote}}}",
            "timeframes:",
            "  intervals:",
            *lines,
            "",
        ]
    )


def _free(path: Path) -> Path:
    """Return the path, or the path with the first free number appended."""
    if not path.exists():
        return path
    numbered = (path.with_name(f"{path.name}-{n}") for n in range(2, 10_000))
    return next(other for other in numbered if not other.exists())
