"""Row: the event-driven engine over stored candles, with journal, snapshots and projections.

    python -m bench.rows.history one | four | sma

``one`` is one instrument x 6 timeframes, ``four`` four instruments x 6, each timeframe with a model
of 200 trees; ``sma`` is the rule that the peers run, as a model that reads one feature (all 56 are
computed), on one instrument x 1 timeframe. The time is that of ``run_history``: every closing
instant is an event that is journaled, stepped, answered by the simulated venue and written to the
database's tables, with scores prefetched in batches of 4,096 instants.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from sqlalchemy import text

from ares.adapters.onnx_model import open_model
from ares.core.models import Scorers
from ares.domain.instrument import Instrument
from ares.domain.model import Ensemble, Member
from ares.domain.timeframe import Timeframe
from ares.kernel.features import FEATURE_NAMES, FEATURES_HASH, N_FEATURES
from ares.kernel.trade import Rules
from ares.runtime.engine.history_run import RunEnd, run_history
from ares.runtime.engine.plan import SlotChoice, named, plan_run
from ares.runtime.engine.table_process import start_table_worker
from ares.store.candles import CandleStore
from ares.store.database import open_database
from bench.bars import MINUTE_MS, four_instruments, minutes
from bench.rows.boosted import WEIGHTS, ensemble_of
from bench.rows.crossing import PLAIN
from bench.stored import stored

WARM_UP_DAYS = 2
DAY_MS = 86_400_000
CASH_QUOTE = 1e6
SMA_FEATURE = FEATURE_NAMES.index("sma_ratio_20_100")


def main() -> None:
    kind = sys.argv[1]
    files = four_instruments() if kind == "four" else {"BTC/USDT": minutes()}
    instruments = [Instrument("binance", symbol) for symbol in files]
    with stored(files, "history") as (_, store, folder):
        from_ms, to_ms = _common_window(store)
        choices, models, rules = _sma(instruments) if kind == "sma" else _boosted(instruments)
        timeframes = [Timeframe.M1] if kind == "sma" else list(WEIGHTS)

        def run(name: str, until_ms: int) -> RunEnd:
            plan = plan_run(
                store,
                choices,
                timeframes,
                instruments[0],
                from_ms=from_ms,
                to_ms=until_ms,
                cash_quote=CASH_QUOTE,
                rules=rules,
                validation_discount=0.25,
                settings_hash="bench",
            )
            plan = named(plan, f"history/{name}")
            at = folder / "journal" / name
            environment = plan.setup.environment
            start = partial(
                start_table_worker, at, tables_of(at), environment, environment, alone=True
            )
            return run_history(plan, models, at, start)

        run("short", from_ms + WARM_UP_DAYS * DAY_MS)  # loads the machine code
        before_s = _cpu_s()
        end = run("whole", to_ms)
        cpu_s = _cpu_s() - before_s
        journal = sum(p.stat().st_size for p in end.folder.rglob("*") if p.is_file())
        output = {
            "figures": {"bars_per_s": end.bars / end.seconds, "cpu_s": cpu_s},
            "bars": end.bars,
            "instants": end.instants,
            "seconds": end.seconds,
            "journal_bytes": journal,
            "rows": _rows(tables_of(end.folder)),
            "models": len(models),
        }
    sys.stdout.write(json.dumps(output) + "\n")


def _cpu_s() -> float:
    """Return the processor time of this process and of those that it has ended."""
    return sum(os.times()[:4])


def _common_window(store: CandleStore) -> tuple[int, int]:
    """Return the first midnight at which all instruments have candles, and their last instant."""
    series = store.series()
    from_ms = max(one.first_ms for one in series)
    return -(-from_ms // DAY_MS) * DAY_MS, min(one.last_ms for one in series) + MINUTE_MS


def _boosted(instruments: Sequence[Instrument]) -> tuple[list[SlotChoice], Scorers, Rules]:
    """Return an ensemble of six ONNX models for each instrument, with the default rules."""
    choices, models = [], {}
    for instrument in instruments:
        kept, ensemble = ensemble_of(instrument.key)
        choices.append(SlotChoice(instrument, ensemble, is_champion=True))
        for member in ensemble.members:
            package = kept.member(member)
            models[member.package_hash] = open_model(package.graph, N_FEATURES, package.card.ref)
    return choices, models, Rules()


def _sma(instruments: Sequence[Instrument]) -> tuple[list[SlotChoice], Scorers, Rules]:
    """Return the SMA cross as a model with probabilities 0 and 1, with the peers' rules."""
    one = Ensemble(
        instrument=instruments[0].key,
        members=(Member(Timeframe.M1, "sma_cross", "1", "sma_cross", 1.0),),
        anchor=Timeframe.M1,
        platt_a=1.0,
        platt_b=0.0,
        horizon_bars=0,
        width_sigmas=0.0,
        width_min_bps=100.0,
        gain=1.0,
        loss=1.0,
        cost_bps=PLAIN.cost_bps,
        recipe_hash="sma_cross",
        features_hash=FEATURES_HASH,
    )

    def score(rows: np.ndarray) -> np.ndarray:
        return np.where(rows[:, SMA_FEATURE] > 0.0, 0.99, 0.01)

    return [SlotChoice(instruments[0], one, is_champion=True)], {"sma_cross": score}, PLAIN


def tables_of(folder: Path) -> str:
    """Return the database of the tables of the run in ``folder``."""
    return f"sqlite:///{(folder / 'tables.db').resolve()}"


def _rows(url: str) -> dict[str, int]:
    """Return the number of rows of the run in each table of the engine."""
    counts = {}
    engine = open_database(url)
    with engine.connect() as connection:
        for table in ("orders", "fills", "positions", "trade_outcomes", "confidence_history"):
            found = connection.execute(text(f"SELECT count(*) FROM all_{table}"))
            counts[table] = int(found.scalar_one())
    engine.dispose()
    return counts


if __name__ == "__main__":
    main()
