"""Windows for a user's features: the last bars as history has them, kept in state and snapshot."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ares.core.bar_windows import WINDOW, bars_of, empty_windows, fill, push
from ares.core.initial_state import new_state
from ares.core.models import NO_MODELS, Models
from ares.core.snapshot import restore, schema_hash, snapshot
from ares.core.state import State
from ares.core.step import step
from ares.domain.events import BarsClosed, DecisionMade
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.model import Ensemble, Member
from ares.domain.run import RunInstrument, RunSetup
from ares.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from ares.kernel.bar_aggregation import AGGREGATE
from ares.kernel.bars import F64, Bars
from ares.kernel.features import N_FEATURES, WARMUP_BARS
from ares.kernel.features.user import UserFeature, UserFeatures
from ares.kernel.resample import resample
from ares.kernel.trade import Rules

START_MS = 1_704_067_200_000 // DAY_MS * DAY_MS
FRAMES = (Timeframe.M1, Timeframe.M5)


def walk(n: int, seed: int = 0) -> Bars:
    draw = np.random.default_rng(seed)
    close = np.round(100.0 * np.exp(np.cumsum(1e-3 * draw.standard_normal(n))), 2)
    ts_ms = START_MS + MINUTE_MS * np.arange(n, dtype=np.int64)
    volume = np.round(draw.random(n), 3)
    return Bars.make(ts_ms, close, close + 0.01, close - 0.01, close, volume, draw.random(n) < 0.1)


def fold_record(bars: Bars, t: int) -> Any:
    record = np.zeros(1, AGGREGATE)[0]
    record["open_ms"] = bars.ts_ms[t]
    for name in ("open", "high", "low", "close", "volume", "flat"):
        record[name] = getattr(bars, name)[t]
    return record


def same(one: Bars, two: Bars) -> bool:
    return one.hash == two.hash and one.flat.tolist() == two.flat.tolist()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 600), st.integers(0, 300))
def test_a_window_holds_the_newest_bars_in_order(warm: int, pushed: int) -> None:
    bars = walk(warm + pushed)
    windows = empty_windows(2)
    fill(windows, 1, bars[:warm])
    for t in range(warm, warm + pushed):
        push(windows, 1, fold_record(bars, t))
    assert same(bars_of(windows, 1), bars[-256:] if len(bars) > 256 else bars)
    assert windows[0].tobytes() == bytes(WINDOW.itemsize)


def user() -> UserFeatures:
    """Return two features, of which one is warm later than the kernel's are."""
    rise = UserFeature("rise", 20, lambda bars: float(bars.close[-1] / bars.close[0] - 1.0))
    slow = UserFeature("slow", 256, lambda bars: float(bars.volume.sum() + bars.flat.mean()))
    return UserFeatures((rise, slow), "test.py", "hash")


def setup(user_features: tuple[str, ...]) -> RunSetup:
    members = tuple(Member(t, "m", "1", f"m-{t}", 0.5) for t in FRAMES)
    ensemble = Ensemble(
        instrument="test:A/B", members=members, anchor=Timeframe.M5, platt_a=1.0, platt_b=0.0,
        horizon_bars=12, width_sigmas=1.0, width_min_bps=20.0, gain=1.0, loss=1.0, cost_bps=5.0,
        recipe_hash="r", features_hash="f",
    )  # fmt: skip
    spec = InstrumentSpec(Instrument("test", "A/B"), 2, 3)
    rules = {name: float(getattr(Rules(), name)) for name in Rules.__dataclass_fields__}
    return RunSetup(
        "history/test", (RunInstrument(spec, MINUTE_MS, ensemble, True),), FRAMES, 0, START_MS,
        START_MS + DAY_MS, START_MS, 10_000.0, rules, 0.25, {}, "", user_features,
    )  # fmt: skip


class Recorder:
    """A scorer that keeps the rows it was asked about."""

    def __init__(self) -> None:
        self.rows: list[NDArray[np.float32]] = []

    def __call__(self, rows: NDArray[np.float32]) -> F64:
        self.rows.extend(rows.copy())
        return np.full(len(rows), 0.5)


def event(bars: Bars, t: int) -> BarsClosed:
    ohlcv = np.array([bars.open[t], bars.high[t], bars.low[t], bars.close[t], bars.volume[t]])
    close_ms, here = int(bars.ts_ms[t]) + MINUTE_MS, np.ones(1, np.bool_).tobytes()
    return BarsClosed(close_ms, ohlcv.tobytes(), here, bars.flat[t : t + 1].tobytes())


def drive(
    state: State, bars: Bars, own: UserFeatures, start: int = 0
) -> dict[Timeframe, list[NDArray[np.float32]]]:
    scorers = {f"m-{t}": Recorder() for t in FRAMES}
    for t in range(start, len(bars)):
        (decided, *_) = step(state, event(bars, t), Models(dict(scorers), own.step))
        assert isinstance(decided, DecisionMade)
    return {t: scorers[f"m-{t}"].rows for t in FRAMES}


def test_the_engine_asks_models_with_the_columns_that_history_has() -> None:
    """Rows where a feature of the user is still in its warmup are not asked about."""
    own, whole = user(), walk(2_200)
    gap = np.arange(len(whole)) == 700  # starts every series afresh
    bars = whole[~gap]
    rows = drive(new_state(setup(own.names)), bars, own)
    for timeframe in FRAMES:
        history = resample(bars, MINUTE_MS, timeframe.ms)
        values = own.of(history, timeframe.ms)
        expected = values[~np.isnan(values).any(axis=1)]
        got = np.array(rows[timeframe])[:, N_FEATURES:]
        assert len(expected) > 0
        assert got.tobytes() == expected.tobytes()
    assert WARMUP_BARS < 256, "else the second feature shows nothing"


def test_a_snapshot_carries_the_windows_on() -> None:
    own, bars = user(), walk(600)
    state = new_state(setup(own.names))
    drive(state, bars[:400], own)
    again = restore(state.setup, snapshot(state))
    rest, same_rest = drive(state, bars, own, 400), drive(again, bars, own, 400)
    assert snapshot(again) == snapshot(state)
    for timeframe in FRAMES:
        assert np.array(rest[timeframe]).tobytes() == np.array(same_rest[timeframe]).tobytes()


def test_without_such_features_the_state_has_no_room_for_them() -> None:
    plain, wide = new_state(setup(())), new_state(setup(("rise",)))
    assert plain.bar_windows is None
    assert plain.features.shape[-1] == N_FEATURES
    assert wide.features.shape[-1] == N_FEATURES + 1
    assert schema_hash(plain) != schema_hash(wide)
    assert len(snapshot(plain)) < len(snapshot(wide)) - 2 * WINDOW.itemsize
    assert b"user_features" not in msgspec.json.encode(plain.setup)
    with pytest.raises(ValueError, match="other state layouts"):
        restore(wide.setup, snapshot(plain))


def test_a_run_with_such_features_does_not_go_on_without_them() -> None:
    with pytest.raises(ValueError, match="needs user_columns"):
        step(new_state(setup(("rise",))), event(walk(1), 0), NO_MODELS)
