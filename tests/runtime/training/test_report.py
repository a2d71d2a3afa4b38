"""The report of a training: an ensemble names the requested timeframes that are not in it."""

from __future__ import annotations

import msgspec

from ares.domain.model import Ensemble, Member, Validation
from ares.domain.package import PackageCard, sealed
from ares.domain.timeframe import Timeframe
from ares.learn.evaluate import OosMetrics, sentence
from ares.runtime.training.report import ensemble_report, package_report

METRICS = OosMetrics(
    rows=100, days=10.0, base_rate=0.5, accuracy=0.6, accuracy_base=0.5, brier=0.24,
    brier_skill=0.04, calibration_error=0.02, calibration_limit=0.05, overlap=3, auc=0.6,
    edge_bps_min=5.0, trades=40, hit_rate=0.6, net_bps=3.0, net_sd_bps=50.0, net_total_bps=120.0,
    buy_hold_bps=None, thresholds=(), reliability=(),
)  # fmt: skip
CARD = PackageCard(
    name="universe_1h", version="20240101", scope="universe",
    instruments=("binance:BTC/USDT", "binance:ETH/USDT"), timeframe=Timeframe.H1, origin="trained",
    features=("a",), features_hash="f", recipe={}, recipe_hash="r", horizon_bars=12,
    width_sigmas=1.0, width_min_bps=33.0, cost_bps=22.0, gain=0.8, loss=1.1, data_from_ms=0,
    data_to_ms=10, data_rows=77, data_hash="d", validation=Validation(), metrics={}, parity={},
    libraries={}, git_commit="c", created_at="2024-01-01T12:00:00Z",
)  # fmt: skip


def test_timeframes_that_are_missing_in_an_ensemble_are_named_in_the_order_requested() -> None:
    members = tuple(Member(t, "n", "v", "p", w) for t, w in ((Timeframe.H1, 0.25),
                                                             (Timeframe.H4, 0.75)))  # fmt: skip
    ensemble = Ensemble(
        "binance:BTC/USDT", members, Timeframe.H4, 1.2, 0.1, 12, 1.0, 33.0, 1.0, 0.9, 22.0, "r", "f"
    )
    requested = (Timeframe.D1, Timeframe.H4, Timeframe.M15, Timeframe.H1)
    found = ensemble_report(ensemble, METRICS, requested)
    assert found.skipped == (Timeframe.D1, Timeframe.M15)
    assert found.weights == {Timeframe.H1: 0.25, Timeframe.H4: 0.75}
    assert (found.hash, found.anchor) == (ensemble.hash, Timeframe.H4)
    assert found.sentence == sentence(METRICS)
    assert ensemble_report(ensemble, METRICS, (Timeframe.H4, Timeframe.H1)).skipped == ()


def test_a_package_is_reported_under_the_identity_of_its_bytes() -> None:
    package = sealed(CARD, {"model.onnx": b"graph"})
    found = package_report(package, METRICS)
    assert found.package_hash == package.hash
    assert (found.rows, found.instruments) == (77, CARD.instruments)
    changed = package_report(sealed(CARD, {"model.onnx": b"other"}), METRICS)
    assert changed.package_hash != found.package_hash
    fields = msgspec.structs.asdict(found)
    assert fields | {"package_hash": ""} == msgspec.structs.asdict(changed) | {"package_hash": ""}
