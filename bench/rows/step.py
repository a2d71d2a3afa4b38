"""Row: one live step, and one call of the kernel from Python, one instrument x 6 timeframes.

    python -m bench.rows.step

``step_us`` is the median of ``step`` on a closed minute, features and decision included, with
models that cost nothing: their inference is in other rows, and so is the journal. ``bound_us`` and
``unbound_us`` are the fastest calls of the decision's kernel as the engine calls it and as plain
Python would: Numba then looks up the type of each argument.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ares.core.models import Models, Scorers
from ares.core.state import State
from ares.core.step import step
from ares.domain.events import RunStarted
from ares.domain.instrument import Instrument
from ares.domain.model import Ensemble, Member
from ares.domain.timeframe import Timeframe
from ares.kernel.features import FEATURES_HASH
from ares.kernel.live import decide_now
from ares.kernel.trade import Rules
from ares.runtime.engine.plan import RunPlan, SlotChoice, named, plan_run
from ares.store.candles import CandleStore
from ares.store.database import open_database
from bench.bars import ROOT, bars_of, minutes
from bench.rows.boosted import COST_BPS, WEIGHTS
from bench.rows.history import CASH_QUOTE, DAY_MS
from bench.stored import spec_of

DAYS = 2
CALLS = 2_000
TIMES = 7


def main() -> None:
    (ROOT / ".bench").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="step-", dir=ROOT / ".bench") as folder:
        plan, models = _plan(Path(folder))
    state = plan.state
    step(state, RunStarted(plan.setup), models)
    seconds = []
    for t in range(len(plan.feed)):
        warming = plan.warming(t)
        event = plan.feed.event(t, warming)
        begun = time.perf_counter()
        step(state, event, models)
        if not warming:
            seconds.append(time.perf_counter() - begun)
    bound_s, unbound_s = _calls(state)
    output = {
        "figures": {
            "step_us": statistics.median(seconds) * 1e6,
            "step_p99_us": float(np.quantile(seconds, 0.99)) * 1e6,
            "bound_us": bound_s * 1e6,
            "unbound_us": unbound_s * 1e6,
            "bound_share": bound_s / unbound_s,
        },
        "steps": len(seconds),
    }
    sys.stdout.write(json.dumps(output) + "\n")


def _plan(folder: Path) -> tuple[RunPlan, Models]:
    """Return a run of some days over the benchmark's candles, with models that cost nothing."""
    instrument = Instrument("binance", "BTC/USDT")
    engine = open_database(folder / "ares.db")
    store = CandleStore(engine, None)
    bars = bars_of(minutes())
    store.save(spec_of(instrument.symbol), "1m", bars, "bench")
    to_ms = int(bars.ts_ms[-1]) // DAY_MS * DAY_MS
    ensemble = _ensemble(instrument.key)
    choices = [SlotChoice(instrument, ensemble, is_champion=True)]
    plan = plan_run(
        store, choices, list(WEIGHTS), instrument, to_ms - DAYS * DAY_MS, to_ms, CASH_QUOTE,
        Rules(), 0.25, "bench",
    )  # fmt: skip
    engine.dispose()
    half = np.full(1, 0.5)

    def score(_rows: NDArray[np.float32]) -> NDArray[np.float64]:
        return half

    scorers: Scorers = {member.package_hash: score for member in ensemble.members}
    return named(plan, "history/step"), Models(scorers)


def _ensemble(instrument: str) -> Ensemble:
    """Return an ensemble of six timeframes, each with a model of its own name."""
    members = (Member(tf, f"{tf}", "1", f"{tf}", weight) for tf, weight in WEIGHTS.items())
    return Ensemble(
        instrument=instrument,
        members=tuple(members),
        anchor=Timeframe.H1,
        platt_a=1.0,
        platt_b=0.0,
        horizon_bars=60,
        width_sigmas=1.0,
        width_min_bps=33.0,
        gain=1.0,
        loss=1.0,
        cost_bps=COST_BPS,
        recipe_hash="step",
        features_hash=FEATURES_HASH,
    )


def _calls(state: State) -> tuple[float, float]:
    """Return the seconds of one bound and of one unbound call of the decision's kernel."""
    s = state.scratch
    assert s.calls is not None
    arguments = (
        state.now_ms, s.bars, s.grid, s.ensembles, state.latest, state.trade, state.params,
        s.records, s.outputs,
    )  # fmt: skip
    bound = s.calls.decide_now
    return _fastest(lambda: bound(*arguments)), _fastest(lambda: decide_now(*arguments))


def _fastest(call: Callable[[], object]) -> float:
    """Return the seconds of a call in the fastest of a few series."""
    call()
    seconds = []
    for _ in range(TIMES):
        begun = time.perf_counter()
        for _ in range(CALLS):
            call()
        seconds.append((time.perf_counter() - begun) / CALLS)
    return min(seconds)


if __name__ == "__main__":
    main()
