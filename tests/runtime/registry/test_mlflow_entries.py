"""What MLflow keeps of a model: flat parameters, numbers only, and the trial's metrics."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from ares.adapters.model_store import ModelStore
from ares.domain.errors import UserError
from ares.domain.model import Ensemble, Member, Validation
from ares.domain.package import PackageCard
from ares.domain.timeframe import Timeframe
from ares.domain.trial import Trial, ensemble_trial
from ares.runtime.registry.mlflow_entries import ensemble_entry, ensemble_model, package_entry

BTC = "binance:BTC/USDT"
CARD = PackageCard(
    name="binance_BTC-USDT_1h", version="20240101", scope="instrument", instruments=(BTC,),
    timeframe=Timeframe.H1, origin="trained", features=("a", "b"), features_hash="f",
    recipe={"features": ["a", "b"], "label": {"width": {"bps": 33.0}}, "seed": 1},
    recipe_hash="r", horizon_bars=12, width_sigmas=1.0, width_min_bps=33.0, cost_bps=22.0, gain=0.8,
    loss=1.1, data_from_ms=5, data_to_ms=10, data_rows=100, data_hash="d", validation=Validation(),
    metrics={"brier": 0.24, "auc": None, "trades": 7, "note": "x", "thresholds": [1.0]},
    parity={}, libraries={}, git_commit="c", created_at="2024-01-01T12:00:00Z",
)  # fmt: skip
MEMBERS = tuple(
    Member(t, "n", "v", str(k) * 64, 0.25 + 0.5 * k)
    for k, t in enumerate((Timeframe.H1, Timeframe.H4))
)
ENSEMBLE = Ensemble(
    BTC, MEMBERS, Timeframe.H4, 1.2, 0.1, 12, 1.0, 33.0, 1.0, 0.9, 22.0, "recipe", "f",
    Validation(40, 3.0, 50.0),
)  # fmt: skip


def test_a_recipe_becomes_flat_parameters_without_its_columns(tmp_path: Path) -> None:
    entry = package_entry(ModelStore(tmp_path), CARD, "hash")
    assert entry.params == {
        "label.width.bps": 33.0, "seed": 1, "rows": 100, "data_from_ms": 5, "data_to_ms": 10,
    }  # fmt: skip
    assert entry.metrics == {"brier": 0.24, "trades": 7.0}
    assert entry.key == ("package_hash", "hash")
    assert (entry.model, entry.title) == (CARD.name, CARD.ref)
    assert all(isinstance(value, str) for value in entry.tags.values())


def test_the_metrics_of_an_ensemble_are_its_trials_else_its_validation(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    validation = {"trades": 40.0, "mean_bps": 3.0, "sd_bps": 50.0}
    trial = ensemble_trial(ENSEMBLE, [CARD], metrics=(("net_bps", 3.5),))
    nothing: Trial = msgspec.structs.replace(trial, metrics=())
    for known, metrics in ((trial, {"net_bps": 3.5}), (nothing, validation), (None, validation)):
        assert ensemble_entry(store, ENSEMBLE, known, "c").metrics == metrics


def test_an_ensemble_is_registered_under_its_instrument_with_its_members(tmp_path: Path) -> None:
    entry = ensemble_entry(ModelStore(tmp_path), ENSEMBLE, None, "commit")
    assert entry.model == ensemble_model(BTC) == "ensemble_binance_BTC-USDT"
    assert (entry.params["weight.1h"], entry.params["weight.4h"]) == (0.25, 0.75)
    assert entry.key == ("ensemble_hash", ENSEMBLE.hash)
    assert entry.tags["data_hash"] == f"{'0' * 16},{'1' * 16}"
    assert entry.tags["git_commit"] == "commit"
    with pytest.raises(UserError, match="is not an instrument"):
        ensemble_model("BTC/USDT")
