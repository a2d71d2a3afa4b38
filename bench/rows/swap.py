"""Row: the hot swap, four instruments x 6 timeframes with models of 200 trees, with the journal.

    python -m bench.rows.swap

Every 50th closing instant one instrument gets another ensemble: its six packages are read,
verified, opened and scored beside the running ones (``prepare_ms``, off the bar's path), then
assigned to the slot between two bars. The bar pays for the event: journaled, assigned, its six
newest rows scored, the slots written (``added_ms``). The journal is not synced to disk meanwhile,
which is the disk's time and the same for every bar. At the end every bar of the feed is in the
journal once.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections import deque
from pathlib import Path

import msgspec
import numpy as np

from ares.adapters.model_store import ModelStore
from ares.adapters.onnx_model import open_model
from ares.adapters.simulated_venue import SimulatedVenue
from ares.core.models import Models, Scorers
from ares.domain.events import BarsClosed, Event, RunStarted
from ares.domain.instrument import Instrument
from ares.domain.model import Ensemble
from ares.domain.model_events import ModelPublished
from ares.domain.run import ChallengerRules
from ares.journal.run import RunJournal, entries
from ares.kernel.features import N_FEATURES
from ares.kernel.trade import Rules
from ares.runtime.engine.history_market import HistoryMarket, VirtualClock
from ares.runtime.engine.hot_swap import HotSwap
from ares.runtime.engine.loop import Loop
from ares.runtime.engine.plan import SlotChoice, named, plan_run
from ares.runtime.engine.prefetch import Prefetch
from ares.store.candles import CandleStore
from bench.bars import four_instruments
from bench.rows.boosted import WEIGHTS, ensemble_of
from bench.rows.history import DAY_MS, _common_window
from bench.stored import stored

DAYS = 4
EVERY = 50
ROLLOUT = ChallengerRules(3_600_000, 3_600_000, 0.25, 0.0, 1e9, 1e-9)


def main() -> None:
    files = four_instruments()
    instruments = [Instrument("binance", symbol) for symbol in files]
    with stored(files, "swap") as (_, store, folder):
        output = _measure(store, instruments, folder / "run")
    sys.stdout.write(json.dumps(output) + "\n")


def _measure(store: CandleStore, instruments: list[Instrument], folder: Path) -> dict[str, object]:
    kept = [ensemble_of(instrument.key) for instrument in instruments]
    choices = [
        SlotChoice(instrument, ensemble, is_champion=True)
        for instrument, (_, ensemble) in zip(instruments, kept, strict=True)
    ]
    opener = Opener([models for models, _ in kept])
    from_ms, _ = _common_window(store)
    plan = named(
        plan_run(
            store, choices, list(WEIGHTS), instruments[0], from_ms, from_ms + DAYS * DAY_MS, 1e6,
            Rules(), 0.25, "bench", challenger_lanes=True, challenger_rules=ROLLOUT,
        ),
        "history/swap",
    )  # fmt: skip
    models: Scorers = {}
    for _, ensemble in kept:
        models |= opener(ensemble)
    prefetch = Prefetch(models, plan.feed)
    swap, state = HotSwap(prefetch, opener), plan.state
    journal = RunJournal(folder, sync_ms=10**9)
    inbox, clock = deque[Event](), VirtualClock(state.at_ms)
    venue = SimulatedVenue(state.params, len(instruments), inbox.append, clock.now_ms)
    loop = Loop(
        state, journal, venue, Models(prefetch.scorers), clock, inbox,
        [lambda _seq, _event, effects: swap.release_unused(state, effects)], journal.write,
    )  # fmt: skip
    market = HistoryMarket(loop, venue, clock)
    loop.process(RunStarted(plan.setup))
    plain, added, prepared = [], [], []
    swaps = 0
    for t in range(len(plan.feed)):
        prefetch.advance(state, t)
        warming = plan.warming(t)
        if not warming and t % EVERY == 0:
            i = swaps % len(instruments)
            event = _published(kept[i][1], i, state.now_ms, swaps)
            begun = time.perf_counter()
            swap.prepare(event.ensemble, state).result()
            prepared.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            loop.process(swap.admitted(event, state))
            added.append(time.perf_counter() - begun)
            swaps += 1
        begun = time.perf_counter()
        market.instant(plan.feed, t, warming)
        if not warming:
            plain.append(time.perf_counter() - begun)
    journal.close()
    swap.close()
    bars = [e.event.ts_ms for e in entries(folder) if isinstance(e.event, BarsClosed)]
    missed = len(set(plan.feed.close_ms.tolist()) - set(bars)) + len(bars) - len(set(bars))
    return {
        "figures": {
            "added_ms": statistics.median(added) * 1e3,
            "added_p99_ms": float(np.quantile(added, 0.99)) * 1e3,
            "bars_missed": missed,
            "prepare_ms": statistics.median(prepared) * 1e3,
            "plain_ms": statistics.median(plain) * 1e3,
        },
        "swaps": swaps,
        "instants": len(plain),
    }


class Opener:
    """Opens the packages of another ensemble: read, verified, one session each."""

    def __init__(self, stores: list[ModelStore]) -> None:
        self._store = stores[0]

    def __call__(self, ensemble: Ensemble) -> Scorers:
        opened = {}
        for member in ensemble.members:
            package = self._store.load(member.name, member.version)
            opened[member.package_hash] = open_model(package.graph, N_FEATURES, package.card.ref)
        return opened


def _published(ensemble: Ensemble, i: int, now_ms: int, number: int) -> ModelPublished:
    """Return an ensemble of the same graphs with other hashes."""
    members = tuple(
        msgspec.structs.replace(m, package_hash=f"{m.package_hash[:40]}-{number}")
        for m in ensemble.members
    )
    another = msgspec.structs.replace(ensemble, members=members, created_at=str(number))
    return ModelPublished(now_ms, i, another, "champion", True, "verdict", "bench", "again")


if __name__ == "__main__":
    main()
