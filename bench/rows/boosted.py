"""Ensembles of the size that the figures are stated for: 200 trees of 31 leaves per timeframe.

They are trained on the benchmark's own candles, which does not matter: only their time is measured,
and it does not depend on what they learned.
"""

from __future__ import annotations

import msgspec
import numpy as np

from ares.adapters.model_store import ModelStore
from ares.domain.model import Ensemble, Member, Validation
from ares.domain.package import GRAPH_FILE, Package, PackageCard, sealed
from ares.domain.timeframe import Timeframe
from ares.kernel.bars import Bars
from ares.kernel.features import FEATURE_NAMES, FEATURES_HASH, features_of
from ares.learn.calibration import Platt
from ares.learn.onnx_graph import to_onnx
from bench.bars import INPUT, bars_of, minutes

TREES, LEAVES = 200, 31
ROWS = 60_000
HORIZON_BARS = 60
COST_BPS = 22.0
WEIGHTS = {
    Timeframe.M1: 0.10,
    Timeframe.M5: 0.15,
    Timeframe.M15: 0.20,
    Timeframe.H1: 0.25,
    Timeframe.H4: 0.20,
    Timeframe.D1: 0.10,
}
MADE_AT = "2026-01-01T00:00:00Z"


def ensemble_of(instrument: str) -> tuple[ModelStore, Ensemble]:
    """Return the ensemble of an instrument's key over six timeframes, made once and stored."""
    form = f"{FEATURES_HASH[:12]}_{len(PackageCard.__struct_fields__)}"  # of columns and of cards
    store = ModelStore(INPUT / f"models_{form}_{TREES}x{LEAVES}")
    kept = store.newest_candidate(instrument)
    if kept is not None:
        return store, kept
    bars = bars_of(minutes())[:ROWS]
    x = features_of(bars, Timeframe.M1, bars).values
    members = []
    for seed, (timeframe, weight) in enumerate(WEIGHTS.items()):
        package = store.add(_package(instrument, timeframe, x, bars, seed))
        card = package.card
        members.append(Member(timeframe, card.name, card.version, package.hash, weight))
    ensemble = msgspec.structs.replace(
        package.alone(instrument, MADE_AT), members=tuple(members), anchor=Timeframe.H1
    )
    store.save_ensemble(ensemble)
    return store, ensemble


def _package(
    instrument: str, timeframe: Timeframe, x: np.ndarray, bars: Bars, seed: int
) -> Package:
    """Return a package whose trees predict whether the price is higher about an hour later."""
    import lightgbm

    later = HORIZON_BARS + 10 * seed
    won = (bars.close[later:] > bars.close[:-later]).astype(np.float32)
    parameters = {
        "objective": "binary",
        "num_leaves": LEAVES,
        "learning_rate": 0.05,
        "max_bin": 63,
        "seed": seed,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    data = lightgbm.Dataset(x[:-later], won, params=parameters)
    trees = lightgbm.train(parameters, data, num_boost_round=TREES).dump_model()
    venue, _, symbol = instrument.partition(":")
    card = PackageCard(
        name=f"{venue}_{symbol.replace('/', '-')}_{timeframe}",
        version="20260101_000000",
        scope="instrument",
        instruments=(instrument,),
        timeframe=timeframe,
        origin="trained",
        features=FEATURE_NAMES,
        features_hash=FEATURES_HASH,
        recipe={},
        recipe_hash=f"bench-{seed}",
        horizon_bars=HORIZON_BARS,
        width_sigmas=1.0,
        width_min_bps=1.5 * COST_BPS,
        cost_bps=COST_BPS,
        gain=1.0,
        loss=1.0,
        data_from_ms=0,
        data_to_ms=0,
        data_rows=len(won),
        data_hash="",
        validation=Validation(100, 10.0, 50.0),
        metrics={},
        parity={},
        libraries={},
        git_commit="",
        created_at=MADE_AT,
        reference="binance:BTC/USDT",
        verdict=None,
    )
    return sealed(card, {GRAPH_FILE: to_onnx(trees, Platt(0.5, 0.0))})
