"""The demo's parts, joined at the composition root: candles from wherever there are some, a
workspace of its own, and each step of the story as one function.
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
    from ares.store.candles import CandleStore

FOLDER = "ares-demo"
VENUE = "binance"
SYMBOLS = ("BTC/USDT", "ETH/USDT")
WEIGHTS = {"5m": 0.20, "15m": 0.30, "1h": 0.30, "4h": 0.20}
TRAIN_DAYS = 240
FETCH_DAYS = 134
RUN_DAYS = 14
PLANTED_EDGE = 2.0
"""Twice what the simulated world has by default: enough for 240 days to show it."""

ANSWER_S = 3.0
"""A venue that has not answered by then is not there."""

BEST_SHARE = 0.02
"""Where no signal asks for a trade, this share of the best ones is traded virtually, to show."""

Progress = Callable[[float, str], None]
"""Is told the share that is done, and a remark."""


@dataclass(frozen=True, slots=True)
class DemoCandles:
    """Where the demo's candles come from: said on the screen, and who brings them."""

    kind: str
    said: str
    venue: str
    symbols: tuple[str, ...]
    bring: Callable[[CandleStore, Progress], None]


@dataclass(frozen=True, slots=True)
class DemoWorkspace:
    """A demo's workspace with its candles: trained up to ``split_ms``, run from there on."""

    workspace: Workspace
    from_ms: int
    split_ms: int
    to_ms: int


def source(data: Path | None, simulated: bool, now_ms: int) -> DemoCandles:
    """Return where candles come from: a path, else a venue that answers, else the made-up world.

    Raises UserMistake where a path was given and holds no candles of two instruments.
    """
    if data is not None:
        return _files(data)
    if simulated:
        return _world("a made-up world, as asked for")
    client = _answering(VENUE)
    if client is not None:
        return _venue(VENUE, client, now_ms)
    return _world(f"{VENUE} did not answer within {ANSWER_S:g} s, so a made-up world")


def stage(made: DemoCandles, parent: Path, progress: Progress) -> tuple[DemoCandles, DemoWorkspace]:
    """Make a workspace below ``parent`` (the first free name), bring the candles, cut the time.

    Where a venue stops answering on the way, the made-up world takes its place: hence the source.
    """
    try:
        return made, _staged(made, parent, progress)
    except ExternalError as trouble:
        if made.kind != "venue":
            raise
        instead = _world(f"{trouble}; so a made-up world")
        return instead, _staged(instead, parent, progress)


def _staged(made: DemoCandles, parent: Path, progress: Progress) -> DemoWorkspace:
    root = _free(parent / FOLDER)
    root.mkdir(parents=True)
    try:
        (root / SETTINGS_FILE).write_text(_settings(made), encoding="utf-8")
        workspace, _ = Workspace.init(root)
        return _filled(made, workspace, progress)
    except BaseException:
        shutil.rmtree(root, ignore_errors=True)  # made a moment ago, by us, and of no use
        raise


def _filled(made: DemoCandles, workspace: Workspace, progress: Progress) -> DemoWorkspace:
    from ares.bootstrap import candle_store
    from ares.research.window import window

    with candle_store(workspace) as store:
        made.bring(store, progress)
        instruments = [store.resolve(f"{made.venue}:{symbol}") for symbol in made.symbols]
        _, to_ms = window(store, instruments, None, None, None)
        first_ms = max(
            min(s.first_ms for s in store.series() if s.instrument == one) for one in instruments
        )
    split_ms = (to_ms - RUN_DAYS * DAY_MS) // DAY_MS * DAY_MS
    if split_ms - first_ms < RUN_DAYS * DAY_MS:
        days = max(0.0, (to_ms - first_ms) / DAY_MS)
        raise UserError(
            f"{' and '.join(made.symbols)} have {days:.0f} days of candles together; the demo "
            f"wants {2 * RUN_DAYS + 1}: give it a folder with more"
        )
    return DemoWorkspace(workspace, max(first_ms, split_ms - TRAIN_DAYS * DAY_MS), split_ms, to_ms)


def train(on: DemoWorkspace, progress: Callable[[int, int, str], None]) -> TrainingReport:
    """Train both symbols on everything before the last two weeks, and promote the ensembles into
    the history slot: a rehearsal, marked as such.
    """
    from ares.bootstrap.models import mirror_training
    from ares.bootstrap.training import train as run
    from ares.runtime.lifecycle.promotion import promote
    from ares.runtime.training.plan import TrainingRequest

    request = TrainingRequest(from_ms=on.from_ms, to_ms=on.split_ms)
    report = mirror_training(on.workspace, run(on.workspace, request, on_progress=progress))
    if report.ensembles:
        promote(on.workspace, None, "history", force=True, reason="rehearsal (ares demo)")
    return report


def backtest(on: DemoWorkspace) -> BacktestResult:
    """Backtest the new ensembles on the last two weeks, which they have not seen."""
    return _backtested(on, None)


def best_signals(on: DemoWorkspace, quiet: BacktestResult) -> BacktestResult | None:
    """Return what the best of the signals would have made where none asked for a trade.

    None where there was no signal at all.
    """
    import numpy as np

    edge = quiet.strategy.signals.edge
    edge = edge[np.isfinite(edge)]
    if len(edge) == 0:
        return None
    result = _backtested(on, float(np.quantile(edge, 1.0 - BEST_SHARE)))
    name = f"best {BEST_SHARE:.0%} of the signals, traded virtually"
    warning = (
        "no signal had the edge that an entry needs, so nothing would have been traded: this is "
        f"what the best {BEST_SHARE:.0%} of them, chosen with hindsight, would have made"
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
    """Return the two instruments of a file or folder that have most files; BTC and ETH first."""
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
            f"{path}: no file is named after a symbol and an interval (BTCUSDT_1h.parquet): import "
            "with `ares data import`, then `ares train`"
        )
    liked = sorted(found, key=lambda s: (s not in SYMBOLS, -len(found[s]), s))
    quote = liked[0].partition("/")[2]
    symbols = tuple(s for s in liked if s.partition("/")[2] == quote)[:2]
    chosen = [file for symbol in symbols for file in found[symbol]]

    def bring(store: CandleStore, progress: Progress) -> None:
        from ares.runtime.ingest.candle_import import import_candles

        for k, file in enumerate(chosen):
            progress(k / len(chosen), file.name)
            import_candles(store, file, venue)
        progress(1.0, "")

    return DemoCandles("files", f"candles of {venue}, from {path}", venue, symbols, bring)


def _venue(venue: str, client: CcxtCandles, now_ms: int) -> DemoCandles:
    def bring(store: CandleStore, progress: Progress) -> None:
        from ares.runtime.ingest.candle_fetch import fetch_candles

        for k, symbol in enumerate(SYMBOLS):

            def page(share: float, remark: str, k: int = k, symbol: str = symbol) -> None:
                progress((k + share) / len(SYMBOLS), f"{symbol} {remark}")

            from_ms = now_ms - FETCH_DAYS * DAY_MS
            fetch_candles(store, client, symbol, "5m", from_ms, None, now_ms, page)

    said = f"real candles of {venue}, fetched now: the last {FETCH_DAYS} days in 5m bars"
    return DemoCandles("venue", said, venue, SYMBOLS, bring)


def _world(why: str) -> DemoCandles:
    from ares.sim.prices import VENUE as SIMULATED

    def bring(store: CandleStore, progress: Progress) -> None:
        from ares.sim.prices import simulate

        world = simulate(SYMBOLS, days=TRAIN_DAYS + RUN_DAYS, edge=PLANTED_EDGE)
        for k, symbol in enumerate(SYMBOLS):
            progress(k / len(SYMBOLS), symbol)
            store.save(world.specs[symbol], "1m", world.bars[symbol], "ares.sim.prices")
        progress(1.0, "")

    said = (
        f"{why}: fat tails, clustered volatility, and a weak part that can be predicted, planted "
        "there. Its results say nothing of any market"
    )
    return DemoCandles("simulated", said, SIMULATED, SYMBOLS, bring)


def _answering(venue: str) -> CcxtCandles | None:
    """Return a client of the venue if it names its symbols in time.

    Asked in a thread of its own: a name server that does not answer has no timeout.
    """
    found: list[CcxtCandles] = []

    def ask() -> None:
        from ares.adapters.ccxt_candles import CcxtCandles, RetryPolicy

        patience = RetryPolicy(attempts=1, answer_s=ANSWER_S)
        try:
            CcxtCandles(venue, patience=patience).spec(SYMBOLS[0])
            found.append(CcxtCandles(venue))
        except AresError:
            return

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(ANSWER_S)
    return found[0] if found else None


def _settings(made: DemoCandles) -> str:
    quote = made.symbols[0].partition("/")[2]
    lines = [f"    - {{interval: {name}, weight: {share}}}" for name, share in WEIGHTS.items()]
    return "\n".join(
        [
            "# Made by `ares demo`. Every other key has its default: `ares config show`.",
            f"venue: {made.venue}",
            f"symbols: [{', '.join(made.symbols)}]",
            f"account: {{currency: {quote}}}",
            "timeframes:",
            "  intervals:",
            *lines,
            "",
        ]
    )


def _free(path: Path) -> Path:
    """Return the path, or with the first number behind it that is not taken."""
    if not path.exists():
        return path
    numbered = (path.with_name(f"{path.name}-{n}") for n in range(2, 10_000))
    return next(other for other in numbered if not other.exists())
