"""Any market and any rules: the event-driven run, its re-step and the backtest path are one."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.no_gap import assert_no_gap

from ares.core.initial_state import new_state
from ares.core.models import Scorer
from ares.core.snapshot import snapshot
from ares.core.state import State
from ares.domain.events import DecisionMade
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.model import Ensemble, Member, Validation
from ares.domain.order_events import AskAccount, HaltChanged
from ares.domain.run import RunInstrument, RunSetup
from ares.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from ares.journal.run import entries
from ares.journal.snapshots import load_snapshot
from ares.kernel.bar_aggregation import warm_up
from ares.kernel.bars import F64, Bars
from ares.kernel.features import FEATURES_HASH
from ares.kernel.live import OUT_BARRIER, OUT_EDGE, OUT_P
from ares.kernel.resample import resample
from ares.kernel.trade import Rules
from ares.runtime.engine.bar_panel import panel_of
from ares.runtime.engine.code_version import code_hashes
from ares.runtime.engine.history_run import RunOptions, run_history
from ares.runtime.engine.plan import RunPlan
from ares.runtime.replay.certify import certify
from ares.runtime.replay.restep import restep

MIDNIGHT_MS = 1_704_153_600_000
FRAMES = (Timeframe.M1, Timeframe.M5, Timeframe.M15)
RULES = st.builds(
    Rules,
    fee_bps=st.sampled_from([0.0, 2.0]),
    participation_max=st.sampled_from([0.0, 0.02, 0.2]),
    edge_bps_min=st.sampled_from([0.0, 4.0]),
    edge_bps_exit=st.sampled_from([-30.0, -3.0]),
    stop_enabled=st.booleans(),
    position_max=st.sampled_from([0.1, 0.7]),
    exposure_max=st.sampled_from([0.5, 1.0]),
    orders_per_minute=st.sampled_from([1, 10]),
    collar_bps=st.sampled_from([8.0, 500.0]),
    daily_loss_max=st.sampled_from([0.0, 0.001]),
    drawdown_max=st.sampled_from([0.0, 0.002]),
    win_rate_trades=st.sampled_from([2, 20]),
    failures_max=st.sampled_from([1, 5]),
    cooldown_minutes=st.sampled_from([1.0, 10.0]),
    trading_threshold=st.sampled_from([0.5, 0.8]),
    gate_mode=st.booleans(),
    forgetting_trades=st.sampled_from([5.0, 100.0]),
)


class Case:
    """A random market of one to three instruments, some on longer bars, some with holes."""

    def __init__(self, seed: int, width: int, rules: Rules) -> None:
        self.draw = np.random.default_rng(seed)
        self.from_ms = MIDNIGHT_MS + int(self.draw.integers(0, 40)) * MINUTE_MS
        self.to_ms = self.from_ms + int(self.draw.integers(30, 150)) * MINUTE_MS
        self.base = [Timeframe.M1] + [
            FRAMES[int(self.draw.random() < 0.3)] for _ in range(width - 1)
        ]
        self.models = {
            f"{i}-{t}": self.model(int(self.draw.integers(2**31)))
            for i in range(width)
            for t in FRAMES
        }
        self.specs = [
            InstrumentSpec(Instrument("test", f"T{i}/USDT"), int(self.draw.integers(2, 5)), 3)
            for i in range(width)
        ]
        instruments = tuple(
            RunInstrument(spec, base.ms, self.ensemble(i, rules), bool(self.draw.random() < 0.85))
            for i, (spec, base) in enumerate(zip(self.specs, self.base, strict=True))
        )
        setup = RunSetup(
            environment="history/case", instruments=instruments, timeframes=FRAMES,
            reference=int(self.draw.integers(-1, width)), from_ms=self.from_ms, to_ms=self.to_ms,
            warm_ms=MIDNIGHT_MS, cash_quote=10_000.0,
            rules={k: float(v) for k, v in asdict(rules).items()}, validation_discount=0.25,
            hashes=code_hashes(),
        )  # fmt: skip
        bars = [self.bars(base.ms, spec) for base, spec in zip(self.base, self.specs, strict=True)]
        state = new_state(setup)
        self.warm(state, bars)
        first = hashlib.sha256(snapshot(state)).hexdigest()
        state.setup = msgspec.structs.replace(setup, first_state=first)
        kept = [self.with_holes(one.between(MIDNIGHT_MS, self.to_ms)) for one in bars]
        feed = panel_of(kept, [base.ms for base in self.base], self.specs)
        self.plan = RunPlan(state.setup, feed, state)

    def model(self, seed: int) -> Any:
        """Return a model that draws its answer from the bytes of a row: any row, any answer."""

        def score(rows: NDArray[np.float32]) -> F64:
            words = np.ascontiguousarray(rows).view(np.uint32).astype(np.uint64)
            mixed = (words * np.arange(1, words.shape[1] + 1, dtype=np.uint64)).sum(axis=1)
            share = ((mixed * np.uint64(2_654_435_761) + np.uint64(seed)) % 2**32) / 2**32
            return np.where(share > 0.97, np.nan, np.clip(0.2 + 0.6 * share, 0.0, 1.0))

        return score

    def ensemble(self, i: int, rules: Rules) -> Ensemble | None:
        if self.draw.random() < 0.1:
            return None
        frames = [t for t in FRAMES if t.ms >= self.base[i].ms]
        weights = self.draw.random(len(frames)) + 0.05
        members = tuple(
            Member(t, f"{i}", "1", f"{i}-{t}", float(w))
            for t, w in zip(frames, weights / weights.sum(), strict=True)
        )
        return Ensemble(
            instrument=f"test:T{i}/USDT", members=members, anchor=frames[0], platt_a=1.0,
            platt_b=float(self.draw.normal(0.0, 0.3)), horizon_bars=int(self.draw.integers(1, 20)),
            width_sigmas=float(self.draw.uniform(0.3, 2.0)), width_min_bps=8.0, gain=1.0, loss=0.9,
            cost_bps=rules.cost_bps, recipe_hash="r", features_hash=FEATURES_HASH,
            validation=Validation(40, float(self.draw.normal(3.0, 6.0)), 50.0),
        )  # fmt: skip

    def bars(self, base_ms: int, spec: InstrumentSpec) -> Bars:
        """Return a day before midnight and the window, on the instrument's base bars."""
        n = (self.to_ms - MIDNIGHT_MS + DAY_MS) // base_ms
        close = 50.0 * np.exp(np.cumsum(8e-4 * self.draw.standard_t(3, n)))
        opens = np.concatenate([[50.0], close[:-1]]) * (1 + 2e-4 * self.draw.standard_normal(n))
        opens, close = np.round(opens, spec.price_decimals), np.round(close, spec.price_decimals)
        high = np.maximum(opens, close) + np.round(0.05 * self.draw.random(n), spec.price_decimals)
        low = np.minimum(opens, close) - np.round(0.05 * self.draw.random(n), spec.price_decimals)
        volume = np.round(self.draw.exponential(300.0, n), 3) * (self.draw.random(n) > 0.1)
        ts_ms = MIDNIGHT_MS - DAY_MS + base_ms * np.arange(n, dtype=np.int64)
        return Bars.make(ts_ms, opens, high, low, close, volume)

    def with_holes(self, bars: Bars) -> Bars:
        keep = self.draw.random(len(bars)) >= (0.02 if self.draw.random() < 0.5 else 0.0)
        keep[0] = True
        return bars[keep]

    def warm(self, state: State, bars: list[Bars]) -> None:
        lead = state.setup.reference
        for i, one in enumerate(bars):
            for j, timeframe in enumerate(FRAMES):
                if timeframe.ms < self.base[i].ms:
                    continue
                past = one.between(None, MIDNIGHT_MS)
                whole = resample(past, self.base[i].ms, timeframe.ms)
                leads = lead >= 0 and self.base[lead].ms <= timeframe.ms
                reference = None
                if leads:
                    other = bars[lead].between(None, MIDNIGHT_MS)
                    reference = resample(other, self.base[lead].ms, timeframe.ms)
                warm_up(state.bar_series, i * len(FRAMES) + j, whole, reference)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32), st.integers(1, 3), RULES, st.booleans())
def test_three_ways_one_run(seed: int, width: int, rules: Rules, in_pieces: bool) -> None:
    case = Case(seed, width, rules)
    with TemporaryDirectory() as place:
        folder = Path(place) / "run"
        if in_pieces:
            seen = iter(range(10**6))
            run_history(
                case.plan, case.models, folder, None,
                RunOptions(
                    sync_ms=10**9, snapshot_events=37,
                    stopped=lambda: next(seen) >= len(case.plan.feed) // 2,
                ),
            )  # fmt: skip
        end = run_history(case.plan, case.models, folder, None, RunOptions(sync_ms=10**9))
        assert end.finished
        stepped = restep(folder, case.models)
        assert (stepped.mismatches, stepped.first) == (0, None)
        certified = certify(folder, case.models)
        assert (certified.mismatches, certified.first) == (0, None)
        assert_no_gap(folder)
        if not in_pieces:
            alone = Path(place) / "alone"
            run_history(case.plan, case.models, alone, None, RunOptions(10**9, stretch_instants=0))
            assert list(entries(alone)) == list(entries(folder))
            assert last_state(alone) == last_state(folder)


def last_state(folder: Path) -> bytes:
    found = load_snapshot(folder)
    assert found is not None
    return found.state


def test_the_cases_are_busy() -> None:
    """What is compared above is not silence."""
    kinds: dict[str, int] = {}
    for seed in range(12):
        case = Case(seed, 1 + seed % 3, Rules(gate_mode=False, collar_bps=8.0, position_max=0.7))
        with TemporaryDirectory() as place:
            run_history(case.plan, case.models, Path(place), None, RunOptions(sync_ms=10**9))
            for entry in entries(Path(place)):
                for what in (entry.event, *entry.effects):
                    kinds[type(what).__name__] = kinds.get(type(what).__name__, 0) + 1
    for name in ("SubmitOrder", "OrderFilled", "OrderEnded", "CancelOrder", "TradeClosed"):
        assert kinds.get(name, 0) >= 5, (name, kinds)
    assert kinds["SignalRefused"] > 5


def test_an_empty_slot_has_no_scores_and_its_models_are_not_called() -> None:
    case = Case(3, 2, Rules(gate_mode=False))
    assert case.plan.setup.instruments[0].ensemble is not None
    lanes = tuple(
        msgspec.structs.replace(lane, ensemble=None) for lane in case.plan.setup.instruments
    )
    state = new_state(msgspec.structs.replace(case.plan.setup, instruments=lanes))
    first_state = hashlib.sha256(snapshot(state)).hexdigest()
    state.setup = msgspec.structs.replace(state.setup, first_state=first_state)
    plan = RunPlan(state.setup, case.plan.feed, state)
    called: list[str] = []

    def recording(name: str) -> Scorer:
        def score(rows: NDArray[np.float32]) -> F64:
            called.append(name)
            scores: F64 = case.models[name](rows)
            return scores

        return score

    models = {name: recording(name) for name in case.models}
    with TemporaryDirectory() as place:
        folder = Path(place)
        assert run_history(plan, models, folder, None, RunOptions(sync_ms=10**9)).finished
        effects = [effect for entry in entries(folder) for effect in entry.effects]
        decisions = [effect for effect in effects if isinstance(effect, DecisionMade)]
        others = [type(e) for e in effects if not isinstance(e, DecisionMade)]
        assert others == [HaltChanged, AskAccount, HaltChanged], "no orders, trades or refusals"
        assert decisions
        for decision in decisions:
            outputs = np.frombuffer(decision.outputs).reshape(5, -1)
            assert np.isnan(outputs[[OUT_P, OUT_EDGE, OUT_BARRIER]]).all()
        assert certify(folder, models).mismatches == restep(folder, models).mismatches == 0
    assert called == []
