"""The state of a run before its first bar."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ares.core.bar_windows import empty_windows
from ares.core.orders import LaneOrders
from ares.core.series import first_series, n_columns, series_weights
from ares.core.slot import first_slots, seed_of
from ares.core.slots import start_comparison, start_edge_test, write_slots
from ares.core.state import Scratch, State
from ares.domain.run import RunSetup
from ares.kernel.bar_aggregation import (
    BarSeries,
    ClosingBars,
    FeatureRows,
    Intervals,
    first_aggregates,
    first_reference_closes,
)
from ares.kernel.bars import F64
from ares.kernel.e_process import E_PROCESS
from ares.kernel.ensemble import Ensembles, LatestScores, slot_records, timeframe_ms
from ares.kernel.features import feature_state
from ares.kernel.live import OUT_ROWS, DecisionOutputs, PriceGrid, Scoring
from ares.kernel.trade import (
    InstrumentRules,
    Rules,
    TradeParams,
    first_state,
    new_records,
    trade_params,
)
from ares.kernel.trade.layout import zeros
from ares.kernel.trade.scan import log_room

RULE_TYPES: dict[str, Callable[[float], Any]] = {
    "sizing": int,
    "fixed_lots": int,
    "orders_per_minute": int,
    "win_rate_trades": int,
    "failures_max": int,
    "trial_trades": int,
    "stop_enabled": bool,
    "close_on_drawdown": bool,
    "gate_mode": bool,
    "stop_required": bool,
}
"""Types of the kernel's rules that are not floats; a setup holds them all as floats."""

LEARNER_PREFIX = "retrain_"
"""Of the names of rules that the learner follows, and the kernel does not know."""

ALLOW_PREFIX = "allow:"
"""Of the rules that say, by an instrument's key, whether it is on the allow-list: 1 or 0. One
without such a rule is allowed."""


def new_state(setup: RunSetup) -> State:
    """Return the state before any bar."""
    lanes, i, m = len(setup.instruments), setup.n_instruments, len(setup.timeframes)
    traded, tf_ms = traded_of(setup), timeframe_ms(setup.timeframes)
    params = trade_params(rules_of(setup.rules), traded)
    _write_allow_list(params, setup, setup.rules)
    features = np.full((lanes, m, n_columns(setup)), np.nan, np.float32)
    latest, last_warm = _no_scores(lanes, m), np.zeros((lanes, m), np.bool_)
    packages = np.full((lanes, m), -1, np.int64)
    ensembles = slot_records([lane.ensemble for lane in setup.instruments], setup.timeframes)
    price_scale = np.array([10.0**lane.spec.price_decimals for lane in setup.instruments])
    base_ms = np.array([lane.base_ms for lane in setup.instruments], np.int64)
    state = State(
        setup=setup,
        bar_series=BarSeries(
            first_aggregates(lanes, m),
            feature_state(lanes * m, np.tile(tf_ms, lanes)),
            first_reference_closes(m),
        ),
        features=features,
        latest=latest,
        last_warm=last_warm,
        trade=first_state(traded, setup.cash_quote, params),
        last_fill_ms=np.zeros(lanes, np.int64),
        bar_windows=empty_windows(lanes * m) if setup.user_features else None,
        series=first_series(setup),
        lane_orders=[LaneOrders() for _ in range(lanes)],
        trades_begun=[0] * lanes,
        outside_lots=[0] * i,
        existing_lots=[0] * i,
        outside_rest_units=[0] * i,
        dust_units=[0] * i,
        mismatch_ms=[0] * i,
        slots=first_slots(setup),
        previous_champions=[lane.previous for lane in setup.instruments[:i]],
        edge_lost=zeros(E_PROCESS, lanes),
        challenger_better=zeros(E_PROCESS, i),
        challenger_worse=zeros(E_PROCESS, i),
        hour_values=np.zeros(lanes),
        start_values=np.zeros(lanes),
        compared_since_ms=np.zeros(i, np.int64),
        slot_records=ensembles,
        params=params,
        packages=packages,
        intervals=Intervals(base_ms, tf_ms, setup.reference),
        price_scale=price_scale,
        weights=series_weights(setup),
        scratch=_scratch(
            features, latest, Scoring(packages, last_warm, np.zeros(lanes * m, np.int64)),
            Ensembles(ensembles, tf_ms), price_scale,
        ),
    )  # fmt: skip
    state.scratch.bind(i)
    _start_slots(state)
    return state


def _start_slots(state: State) -> None:
    """Write the slots into the kernel's arrays, and begin the tests of what is in them."""
    lanes = range(len(state.slots))
    write_slots(state, lanes)
    for lane in lanes:
        start_edge_test(state, lane)
    for instrument in range(state.setup.n_instruments):
        start_comparison(state, instrument)


def _no_scores(lanes: int, m: int) -> LatestScores:
    nan = np.full((lanes, m), np.nan)
    return LatestScores(nan, np.zeros((lanes, m), np.int64), nan.copy())


def _scratch(
    features: NDArray[np.float32],
    latest: LatestScores,
    scoring: Scoring,
    ensembles: Ensembles,
    price_scale: F64,
) -> Scratch:
    """Return the scratch of a state with these arrays."""
    lanes, m, columns = features.shape
    present, due = np.zeros(lanes, np.bool_), np.zeros((lanes, m), np.bool_)
    return Scratch(
        bars=ClosingBars(present, np.zeros((lanes, 5)), present.copy()),
        rows=FeatureRows(features, due, due.copy()),
        scoring=scoring,
        ensembles=ensembles,
        grid=PriceGrid(price_scale, np.zeros((4, 1, lanes), np.int64)),
        outputs=DecisionOutputs(np.full((OUT_ROWS, lanes), np.nan), np.zeros(2, np.int64)),
        records=new_records(log_room(lanes)),
        flat_features=features.reshape(lanes * m, columns),
        flat_p=latest.p.reshape(-1),
        flat_packages=scoring.packages.reshape(-1).tolist(),
    )


def traded_of(setup: RunSetup) -> list[InstrumentRules]:
    """Return the lanes as the kernel takes them, validation trades discounted."""
    rows = []
    n = setup.n_instruments
    for k, lane in enumerate(setup.instruments):
        ensemble = lane.ensemble
        seed = (0.0, 0.0, 0.0) if ensemble is None else seed_of(ensemble, setup)
        horizon_ms = 0 if ensemble is None else ensemble.horizon_ms
        twin = (k + n) % (2 * n) if setup.challenger_lanes else -1
        rows.append(
            InstrumentRules(lane.spec, lane.base_ms, horizon_ms, lane.is_champion, seed, twin)
        )
    return rows


def rules_of(values: Mapping[str, float]) -> Rules:
    """Return the kernel's rules of a run, by their names; those of its learner are left out."""
    return Rules(
        **{
            name: RULE_TYPES.get(name, float)(value)
            for name, value in values.items()
            if not name.startswith((LEARNER_PREFIX, ALLOW_PREFIX))
        }
    )


def write_rules(state: State) -> None:
    """Write the rules in force where the kernel reads them."""
    rules = rules_in_force(state)
    state.params.rules[:] = rules_of(rules).record()
    _write_allow_list(state.params, state.setup, rules)


def _write_allow_list(params: TradeParams, setup: RunSetup, rules: Mapping[str, float]) -> None:
    """Write which lanes may be entered."""
    for row, lane in zip(params.specs, setup.instruments, strict=True):
        row["allowed"] = rules.get(f"{ALLOW_PREFIX}{lane.spec.instrument.key}", 1.0) != 0.0


def rules_in_force(state: State) -> dict[str, float]:
    """Return the rules by name: of the setup, with what people changed since."""
    return state.setup.rules | state.rule_changes
