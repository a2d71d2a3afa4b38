"""What every attacking world begins with: two instruments, warm features, models of a kind."""

from __future__ import annotations

import zlib
from dataclasses import asdict
from functools import cache
from random import Random

import msgspec
import numpy as np
from numpy.typing import NDArray

from ares.core.initial_state import new_state
from ares.core.models import Models, Scorer
from ares.core.snapshot import snapshot
from ares.core.step import step
from ares.domain.events import BarsClosed
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.model import Ensemble, Member, Validation
from ares.domain.run import ChallengerRules, RunInstrument, RunSetup
from ares.domain.timeframe import MINUTE_MS, Timeframe
from ares.domain.venue import VenueTraits
from ares.kernel.bars import F64
from ares.kernel.features import FEATURES_HASH
from ares.kernel.features.catalogue import WARMUP_BARS
from ares.kernel.trade import Rules

START_MS = 1_704_153_600_000
YEAR_MS = 366 * 86_400_000
N = 2
OWNER = "0a0b0c0d"
MADE = 6
"""Ensembles of each instrument that can be served."""

CALM_MS = 12 * MINUTE_MS
NAKED_MS_MAX = 2_000
SNAPSHOT_EVENTS = 50
COST_MIN_QUOTE, ORDER_LOTS_MIN = 6.0, 400
"""Of a world whose venue refuses small orders; at no price of a world above the largest order."""

STOP_LIMIT_BPS = 100
"""Of a world whose stops are stop-limits."""

TRAITS = VenueTraits(
    amends_stops=True, proves_absence=True, deadline_ms=5_000, absence_margin_ms=2_000,
    answer_ms=3_000, fill_ms=5_000, account_ms=300_000,
)  # fmt: skip
RULES = Rules(
    fee_bps=10.0, spread_bps=2.0, edge_bps_min=3.0, edge_bps_exit=-15.0, gate_mode=False,
    collar_bps=500.0, position_max=0.3, exposure_max=0.5, orders_per_minute=30, failures_max=5,
    cooldown_minutes=2.0, drawdown_max=0.10, daily_loss_max=0.05, volatility_ratio_max=0.0,
)  # fmt: skip
CHALLENGER_RULES = ChallengerRules(10 * MINUTE_MS, 20 * MINUTE_MS, 0.25, 0.10, 30.0, 0.2)


@cache
def first_snapshot(
    amends: bool,
    has_challengers: bool = False,
    stop_limit_bps: int = 0,
    traits: VenueTraits = TRAITS,
    qty_decimals: int = 3,
    order_lots_max: int = 9_000,
    refuses_small: bool = False,
) -> tuple[RunSetup, bytes]:
    """Return a setup of two instruments and a state with warm features; made once.

    order_lots_max : of the second instrument; the first one's orders may have any size.
    """
    specs = [
        InstrumentSpec(
            Instrument("sim", f"T{i}/USDT"), 2, qty_decimals, order_lots_max=order_lots_max * i
        )
        for i in range(N)
    ]
    if refuses_small:
        traits = msgspec.structs.replace(traits, refuses_small=True)
        smallest = {"cost_min_quote": COST_MIN_QUOTE, "order_lots_min": ORDER_LOTS_MIN}
        specs = [msgspec.structs.replace(spec, **smallest) for spec in specs]
    rules = {name: float(value) for name, value in asdict(RULES).items()}
    lanes = tuple(
        RunInstrument(spec, MINUTE_MS, ensemble(i, 0), True) for i, spec in enumerate(specs)
    )
    if has_challengers:
        lanes += tuple(RunInstrument(spec, MINUTE_MS, None, False) for spec in specs)
    traits = msgspec.structs.replace(traits, amends_stops=amends, stop_limit_bps=stop_limit_bps)
    setup = RunSetup(
        "sim/world", lanes, (Timeframe.M1,), -1, START_MS, START_MS + 10**10, START_MS, 10_000.0,
        rules, 0.25, {}, challenger_lanes=has_challengers,
        challenger_rules=CHALLENGER_RULES if has_challengers else None, owner=OWNER,
        nonce="first", traits=traits,
    )  # fmt: skip
    state = new_state(setup)
    draw = Random(1)
    models = Models(SCORERS)
    price = 10_000
    n = WARMUP_BARS + 5
    for k in range(n):
        price += draw.randint(-12, 12)
        ohlcv = np.tile([price, price + 5, price - 5, price, 500.0], (N, 1)) / [[100] * 4 + [1]]
        ts_ms = START_MS - (n - 1 - k) * MINUTE_MS
        step(state, BarsClosed(ts_ms, ohlcv.tobytes(), b"\1" * N, b"\0" * N, "warm"), models)
    state.seq = 0
    return setup, snapshot(state)


def order_lots_max_of(setup: RunSetup) -> list[int]:
    """Return the largest order of each instrument."""
    return [lane.spec.order_lots_max for lane in setup.instruments]


def with_order_lots_max(setup: RunSetup, lots: int) -> RunSetup:
    """Return a setup in which the venue takes no larger orders than of so many lots."""
    lanes = tuple(
        msgspec.structs.replace(lane, spec=msgspec.structs.replace(lane.spec, order_lots_max=lots))
        for lane in setup.instruments
    )
    return msgspec.structs.replace(setup, instruments=lanes)


def ensemble(i: int, k: int) -> Ensemble:
    """Return an ensemble of an instrument, below ``MADE``; a run begins with the first."""
    return Ensemble(
        f"sim:T{i}/USDT", (Member(Timeframe.M1, f"m{i}", str(k), f"m{i}.{k}", 1.0),), Timeframe.M1,
        1.0, 0.0, 6, 1.0, 25.0, 1.0, 0.9, RULES.cost_bps, "recipe", FEATURES_HASH,
        Validation(200, 20.0, 60.0),
    )  # fmt: skip


def scorer_of(member: Member) -> Scorer:
    """Return a model that draws its answer from the bytes of a row: any row, any answer."""
    seed = zlib.crc32(member.package_hash.encode())

    def score(rows: NDArray[np.float32]) -> F64:
        words = np.ascontiguousarray(rows).view(np.uint32).astype(np.uint64)
        mixed = (words * np.arange(1, words.shape[1] + 1, dtype=np.uint64)).sum(axis=1)
        share = ((mixed * np.uint64(2_654_435_761) + np.uint64(seed)) % 2**32) / 2**32
        return np.asarray(0.05 + 0.9 * share)

    return score


SCORERS = {
    member.package_hash: scorer_of(member)
    for i in range(N)
    for k in range(MADE)
    for member in ensemble(i, k).members
}
"""The models of all ensembles that can be served, by package hash."""
