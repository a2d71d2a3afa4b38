"""A thousand hot swaps under load: no bar missed, no decision made twice, no memory kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ares.adapters.model_store import ModelStore
from ares.bootstrap.trade_rules import challenger_rules_of, rules_of
from ares.domain.events import BarsClosed, DecisionMade, Effect, Event
from ares.domain.instrument import Instrument
from ares.domain.model_events import ModelPublished, SlotChanged
from ares.domain.stretch import BarsStretch
from ares.journal.run import entries
from ares.runtime.engine.history_run import run_history
from ares.runtime.engine.plan import SlotChoice, named, plan_run
from ares.runtime.engine.served_models import opener_of
from ares.runtime.replay.certify import certify
from ares.runtime.replay.restep import restep
from ares.store.candles import CandleStore
from ares.store.database import open_database

SWAPS = 1_000
KEPT_MB_MAX = 20.0


class Restless:
    """A teacher that has another model every other bar, and notes what the process holds."""

    def __init__(self, ensembles: list[Any]) -> None:
        self._ensembles = ensembles
        self._instants = 0
        self.swaps = 0
        self.held_mb: list[float] = []

    def watch(self, _seq: int, event: Event, effects: list[Effect]) -> None:
        self._instants += isinstance(event, BarsClosed)
        if any(isinstance(effect, SlotChanged) for effect in effects):
            self.swaps += 1
            self.held_mb.append(resident_mb())

    def watch_stretch(self, _stretch: BarsStretch) -> None:
        raise AssertionError("it always wants to be asked")

    def quiet_until_ms(self) -> int:
        return 0

    def due(self, now_ms: int) -> list[Event]:
        if self.swaps == SWAPS or self._instants % 2:
            return []
        ensemble = self._ensembles[(self.swaps + 1) % 2]
        return [ModelPublished(now_ms, 0, ensemble, "champion", True, "v", "test", "restless")]

    def close(self) -> None:
        pass


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def test_a_thousand_swaps(world: Any, tmp_path: Path) -> None:
    workspace = world.workspace
    models = ModelStore(workspace.models_dir)
    ensembles = [models.ensemble(name) for name in (world.first, world.refit)]
    database = open_database(workspace.db_url)
    store, btc = CandleStore(database, workspace.cache_dir), Instrument("binance", "BTC/USDT")
    first_ms, last_ms = store.series()[0].first_ms, store.series()[0].last_ms
    plan = named(
        plan_run(
            store, [SlotChoice(btc, ensembles[0], True)], list(workspace.settings.weights), btc,
            first_ms + 1_500 * 3_600_000, last_ms, 10_000.0, rules_of(workspace.settings), 0.25,
            "settings", challenger_rules=challenger_rules_of(workspace.settings),
        ),
        "history/swaps",
    )  # fmt: skip
    folder = tmp_path / "run"
    opener, restless = (
        opener_of(workspace.models_dir, folder, None, plan.setup),
        Restless(ensembles),
    )
    end = run_history(
        plan, opener(ensembles[0]), folder, None, learner=restless, open_ensemble=opener
    )
    database.dispose()
    assert end.finished
    assert restless.swaps == SWAPS
    assert restless.held_mb[-1] - restless.held_mb[49] < KEPT_MB_MAX
    journaled = list(entries(folder))
    bars = [e.event.ts_ms for e in journaled if isinstance(e.event, BarsClosed)]
    decided_ms = [x.ts_ms for e in journaled for x in e.effects if isinstance(x, DecisionMade)]
    assert bars == plan.feed.close_ms.tolist()
    assert decided_ms == [t for t in bars if t > plan.setup.from_ms]
    assert restep(folder, opener(ensembles[0]), None, opener).mismatches == 0
    assert certify(folder, opener(ensembles[0]), None, opener).mismatches == 0
