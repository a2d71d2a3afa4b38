"""A small market that has everything: trends, thin and empty minutes, a gap, an early end.

Two instruments, three timeframes of which one never gets warm, models that are plain functions.
A run over eight hours takes a tenth of a second, so that tests can run it hundreds of times.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import Engine

from ares.core.models import Scorer, Scorers
from ares.domain.events import BarsClosed, Effect, EngineStarted, Event, RunStarted
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.model import Ensemble, Member, Validation
from ares.domain.order_events import (
    AccountSeen,
    AskAccount,
    HaltChanged,
    OrderAccepted,
    OrderMoved,
    QueryOrder,
    Stopping,
    SubmitOrder,
)
from ares.domain.timeframe import DAY_MS, HOUR_MS, MINUTE_MS, Timeframe
from ares.journal.run import RunJournal, entries
from ares.kernel.bars import F64, Bars
from ares.kernel.features import FEATURE_NAMES, FEATURES_HASH
from ares.kernel.trade import Rules
from ares.runtime.engine.history_run import RunEnd, RunOptions, run_history
from ares.runtime.engine.plan import RunPlan, SlotChoice, named, plan_run
from ares.runtime.engine.table_worker import TableWorker
from ares.runtime.engine.tables import TableTarget
from ares.store.candles import CandleStore
from ares.store.database import open_database
from ares.store.projection_sql import TABLES

START_MS = 1_704_067_200_000  # 2024-01-01
FROM_MS = START_MS + DAY_MS + HOUR_MS
TO_MS = FROM_MS + 8 * HOUR_MS
ENDS_EARLY = 47  # minutes
ENVIRONMENT = "history/test"
BTC, ETH = Instrument("binance", "BTC/USDT"), Instrument("binance", "ETH/USDT")
LOOKED_AT = (
    "return_z_20", "rsi_14", "bollinger_20", "trend_slope_20", "streak", "volume_ratio_1_20",
    "true_range_ratio_14",
)  # fmt: skip
FRAMES = (Timeframe.M1, Timeframe.M5, Timeframe.M15)
RULES = Rules(
    fee_bps=2.0,
    spread_bps=1.0,
    edge_bps_min=3.0,
    edge_bps_exit=-12.0,
    participation_max=0.10,
    position_max=0.20,
    risk_per_trade=0.002,
    collar_bps=12.0,
    daily_loss_max=0.0040,
    drawdown_max=0.10,
    win_rate_min=0.15,
    failures_max=4,
    slippage_sd_max=3.0,
    volatility_ratio_max=0.0,
    cooldown_minutes=20.0,
    trial_trades=1,
    trading_threshold=0.55,
    hysteresis=0.10,
    forgetting_trades=12.0,
)


def candles(seed: int, price: float, n: int) -> Bars:
    """Return minute candles with trends, some empty minutes and some thin ones."""
    draw = np.random.default_rng(seed)
    trend = np.sin(np.arange(n) / 23.0 + seed) * 2e-4
    close = price * np.exp(np.cumsum(trend + 7e-4 * draw.standard_t(4, n)))
    opens = np.concatenate([[price], close[:-1]]) * (1 + 1e-4 * draw.standard_normal(n))
    opens, close = np.round(opens, 2), np.round(close, 2)
    high = np.round(np.maximum(opens, close) * (1 + 4e-4 * draw.random(n)), 2)
    low = np.round(np.minimum(opens, close) * (1 - 4e-4 * draw.random(n)), 2)
    volume = np.round(draw.exponential(16_000.0 / price, n), 3) * (draw.random(n) > 0.05)
    ts_ms = START_MS + MINUTE_MS * np.arange(n, dtype=np.int64)
    return Bars.make(ts_ms, opens, high, low, close, volume)


def model(seed: int, strength: float) -> Scorer:
    """Return a model: a few features, weighed."""
    draw = np.random.default_rng(seed)
    weights = np.zeros(len(FEATURE_NAMES))
    for name in LOOKED_AT:
        weights[FEATURE_NAMES.index(name)] = strength * draw.normal()

    def score(rows: NDArray[np.float32]) -> F64:
        # Row by row the same sums as in a batch: a product with a matrix would not promise that.
        x = np.clip(np.nan_to_num(rows.astype(np.float64)), -3.0, 3.0)
        raw = np.zeros(len(rows))
        for k in np.flatnonzero(weights):
            raw += weights[k] * x[:, k]
        return np.asarray(1.0 / (1.0 + np.exp(-raw)))

    return score


def stop_after(instants: int) -> Callable[[], bool]:
    """Return a Ctrl-C that comes after so many instants."""
    calls = iter(range(10**9))
    return lambda: next(calls) >= instants


Forger = Callable[[int, Event, list[Effect]], tuple[Event, list[Effect]] | None]


def forge(folder: Path, forger: Forger) -> None:
    """Write a journal again with other content and a whole chain, as a careful hand would.

    forger : from (seq, event, effects) to what shall stand there; None leaves the entry out.
    """
    forged = [(entry, forger(entry.seq, entry.event, entry.effects)) for entry in entries(folder)]
    for path in folder.glob("*.journal"):
        path.unlink()
    journal = RunJournal(folder, sync_ms=10**9)
    for e, content in forged:
        if content is not None:
            journal.event(e.seq, content[0], e.at_ms, e.causation, e.correlation)
            journal.effects(e.seq, content[1])
    journal.close()


OF_A_START = (
    EngineStarted, RunStarted, AccountSeen, OrderAccepted, OrderMoved, HaltChanged, QueryOrder,
    AskAccount, Stopping,
)  # fmt: skip
"""What a stop writes, and what a start asks and is answered: a run that was stopped and
resumed has more of it."""


def story(folder: Path) -> list[tuple[Any, ...]]:
    """Return all that happened in a run, orders by lane and number, no seq, starts left out.

    A run that was stopped and resumed has other seqs and so other client ids, and takes the
    venue's answers to the commands of one instant in another order; nothing else may differ.
    """
    names: dict[str, tuple[int, str, int]] = {}
    counts: Counter[tuple[int, str]] = Counter()
    rows: list[tuple[Any, ...]] = []
    first = 0

    def row(what: Event | Effect) -> tuple[Any, ...]:
        if isinstance(what, SubmitOrder):
            counts[what.instrument, what.kind] += 1
            number = counts[what.instrument, what.kind]
            names[what.client_id] = (what.instrument, what.kind, number)
        values = msgspec.structs.asdict(what)
        if "client_id" in values:
            values["client_id"] = names[values["client_id"]]
        lane = values.get("instrument", values.get("client_id", (-1,)))
        return (lane if isinstance(lane, int) else lane[0], type(what).__name__, repr(values))

    for entry in entries(folder):
        if isinstance(entry.event, BarsClosed):
            rows[first:] = sorted(rows[first:], key=lambda r: r[0])
            first = len(rows)
        rows += [row(w) for w in (entry.event, *entry.effects) if not isinstance(w, OF_A_START)]
    rows[first:] = sorted(rows[first:], key=lambda r: r[0])
    return rows


def tables(database: Engine, exact: bool = False) -> dict[str, list[tuple[Any, ...]]]:
    """Return every projection's rows; without seq and client ids unless ``exact``.

    Unless ``exact``, orders of one instant are sorted by symbol: a run that was stopped and resumed
    takes the venue's answers in another order, and so sends exits in another order, see ``story``.
    """
    found: dict[str, list[tuple[Any, ...]]] = {}
    with database.connect() as connection:
        for table in TABLES:
            result = connection.exec_driver_sql(f"SELECT * FROM {table} ORDER BY id")
            hidden = {"id"} if exact else {"id", "seq", "client_order_id"}
            places = [k for k, name in enumerate(result.keys()) if name not in hidden]
            rows = [tuple(row[k] for k in places) for row in result.fetchall()]
            if table == "orders" and not exact:
                names = [name for name in result.keys() if name not in hidden]  # noqa: SIM118
                rows.sort(key=itemgetter(names.index("created_at"), names.index("symbol")))
            found[table] = rows
    return found


@dataclass(frozen=True)
class TablesInProcess:
    """Writes the tables of a run when it ends, in this process."""

    database: Engine
    folder: Path
    environment: str

    def finish(self) -> None:
        """Do nothing: ``stop`` has all."""

    def stop(self, wait: bool) -> str:
        """Write all that is journaled, where that is waited for."""
        if wait:
            write_tables(self.database, self.folder, self.environment)
        return ""


def write_tables(database: Engine, folder: Path, environment: str = ENVIRONMENT) -> None:
    """Write the tables of a journal as far as it is."""
    target = TableTarget(folder, "", environment, shown=environment)
    TableWorker(target, open_=lambda _: database).catch_up()


@dataclass(frozen=True)
class World:
    """Stored candles, models, and the ways to run them."""

    root: Path
    store: CandleStore
    models: Scorers
    rules: Rules = RULES
    from_ms: int = FROM_MS
    to_ms: int = TO_MS
    settings_hash: str = "settings"
    cash_quote: float = 10_000.0
    changes: dict[str, Any] = field(default_factory=dict)

    def ensemble(self, key: Instrument) -> Ensemble:
        """Return the ensemble of an instrument."""
        name = key.base.lower()
        weights = {Timeframe.M1: 0.5, Timeframe.M5: 0.4, Timeframe.M15: 0.1}
        members = tuple(Member(t, name, "1", f"{name}-{t}", w) for t, w in weights.items())
        good = Validation(200, 12.0, 60.0) if key == BTC else Validation()
        made = Ensemble(
            instrument=key.key, members=members, anchor=Timeframe.M1, platt_a=1.0, platt_b=0.0,
            horizon_bars=25, width_sigmas=0.8, width_min_bps=8.0, gain=1.0, loss=0.8,
            cost_bps=self.rules.cost_bps, recipe_hash="recipe", features_hash=FEATURES_HASH,
            validation=good,
        )  # fmt: skip
        return msgspec.structs.replace(made, **self.changes)

    def plan(self, environment: str = ENVIRONMENT) -> RunPlan:
        """Return the plan of the run."""
        choices = [SlotChoice(key, self.ensemble(key), True) for key in (BTC, ETH)]
        plan = plan_run(
            self.store, choices, FRAMES, BTC, self.from_ms, self.to_ms, self.cash_quote,
            self.rules, 0.25, self.settings_hash,
        )  # fmt: skip
        return named(plan, environment)

    def run(
        self,
        folder: Path,
        database: Engine | None = None,
        plan: RunPlan | None = None,
        **options: Any,
    ) -> RunEnd:
        """Run, or go on with, the history run in ``folder``."""
        if "stopped" in options:
            options.setdefault("stretch_instants", 1)  # it is asked before each instant
        names = RunOptions.__dataclass_fields__.keys() & options.keys()
        how = RunOptions(**({"sync_ms": 10**9} | {name: options.pop(name) for name in names}))
        plan = plan or self.plan()
        tables = None
        if database is not None:
            tables = partial(TablesInProcess, database, folder, plan.setup.environment)
        return run_history(plan, self.models, folder, tables, how, **options)

    def copy(self, root: Path) -> World:
        """Return the world on a copy of its candles."""
        root.mkdir()
        path = root / "ares.db"
        with (
            closing(sqlite3.connect(self.root / path.name)) as here,
            closing(sqlite3.connect(path)) as there,
        ):
            here.backup(there)
        return replace(self, root=root, store=CandleStore(open_database(path), None))

    def with_(self, **changes: Any) -> World:
        """Return the world with other values."""
        return replace(self, **changes)

    stop_after = staticmethod(stop_after)
    btc, eth = BTC, ETH
    looked_at = frozenset(LOOKED_AT)
    ends_early_ms = ENDS_EARLY * MINUTE_MS
    story = staticmethod(story)
    write_tables = staticmethod(write_tables)
    forge = staticmethod(forge)
    tables = staticmethod(tables)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Return the market, its models and a store of its candles."""
    root = tmp_path_factory.mktemp("world")
    engine = open_database(root / "ares.db")
    store = CandleStore(engine, root / "cache")
    n = (TO_MS - START_MS) // MINUTE_MS
    btc, eth = candles(1, 200.0, n), candles(2, 100.0, n)
    gap = np.ones(n, np.bool_)
    gap[n - 300 : n - 293] = False  # seven minutes nobody recorded
    gap[n - ENDS_EARLY :] = False
    store.save(InstrumentSpec(BTC, 2, 3, 1.0), "1m", btc, "made for a test")
    store.save(InstrumentSpec(ETH, 2, 3, 1.0), "1m", eth[gap], "made for a test")
    models = {
        f"{name}-{t}": model(seed + 10 * k, strength)
        for k, t in enumerate(FRAMES)
        for name, seed, strength in (("btc", 3, 0.5), ("eth", 4, 0.5))
    }
    yield World(root, store, models)
    engine.dispose()


@pytest.fixture(scope="session")
def fast_disk() -> Iterator[Path]:
    """Return a folder in memory where there is one: syncing it costs nothing."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def plan(world: World) -> RunPlan:
    """Return the world's plan: made once, run many times."""
    return world.plan()


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database file without rows, to be copied."""
    path = tmp_path_factory.mktemp("database") / "empty.db"
    engine = open_database(path)
    engine.dispose()
    return path


@pytest.fixture
def database(tmp_path: Path, empty_database: Path) -> Iterator[Engine]:
    """Return a database without rows."""
    shutil.copy(empty_database, tmp_path / "rows.db")
    engine = open_database(tmp_path / "rows.db")
    yield engine
    engine.dispose()


@dataclass(frozen=True)
class Done:
    """A run that went through without a stop."""

    folder: Path
    end: RunEnd
    story: list[tuple[Any, ...]]
    tables: dict[str, list[tuple[Any, ...]]]
    exact: dict[str, list[tuple[Any, ...]]]


@pytest.fixture(scope="session")
def done(
    world: World,
    plan: RunPlan,
    tmp_path_factory: pytest.TempPathFactory,
    empty_database: Path,
) -> Iterator[Done]:
    """Return the run that all others are compared with."""
    root = tmp_path_factory.mktemp("done")
    shutil.copy(empty_database, root / "rows.db")
    engine = open_database(root / "rows.db")
    end = world.run(root / "run", engine, plan)
    yield Done(root / "run", end, story(root / "run"), tables(engine), tables(engine, exact=True))
    engine.dispose()
