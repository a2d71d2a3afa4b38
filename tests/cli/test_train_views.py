"""What a training shows: its evidence, what was skipped, and no number that is not there."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ares.cli.train_views import EVIDENCE, evidence, show_training
from ares.domain.timeframe import Timeframe
from ares.learn.evaluate import OosMetrics
from ares.runtime.training.report import (
    EnsembleReport,
    MissingPackage,
    PackageReport,
    TrainingReport,
)

METRICS = OosMetrics(
    rows=1_200, days=50.0, base_rate=0.5, accuracy=0.534, accuracy_base=0.51, brier=0.24,
    brier_skill=0.0123, calibration_error=0.0214, calibration_limit=0.05, overlap=4, auc=0.55,
    edge_bps_min=5.0, trades=40, hit_rate=0.55, net_bps=3.26, net_sd_bps=40.0, net_total_bps=130.4,
    buy_hold_bps=None, thresholds=(), reliability=(),
)  # fmt: skip
NO_TRADES = msgspec.structs.replace(
    METRICS, trades=0, hit_rate=None, net_bps=None, net_sd_bps=None, net_total_bps=0.0,
    brier_skill=None,
)  # fmt: skip


def package(metrics: OosMetrics, name: str = "binance_BTC-USDT_1h") -> PackageReport:
    return PackageReport(
        name,
        "v",
        "hash",
        "recipe",
        ("binance:BTC/USDT",),
        Timeframe.H1,
        900,
        metrics,
        "A sentence.",
    )


def shown(capsys: pytest.CaptureFixture[str], **parts: Any) -> tuple[str, str]:
    report = TrainingReport(
        **{"packages": (), "ensembles": (), "missing": (), "warnings": ()} | parts
    )
    show_training(report)
    return capsys.readouterr()


def test_the_cells_of_the_evidence_fit_their_columns() -> None:
    cells = dict(zip(EVIDENCE, evidence(METRICS), strict=True))
    assert cells["accuracy / base"] == "53.4% / 51.0%"
    assert cells["cal. error / limit"] == "0.021 / 0.050"
    assert (cells["net bps"], cells["in all"]) == ("3.3", "1.3%")


def test_a_model_without_trades_has_dashes_and_no_zero() -> None:
    cells = dict(zip(EVIDENCE, evidence(NO_TRADES), strict=True))
    assert (cells["trades"], cells["won"], cells["net bps"], cells["in all"]) == ("0", *"–––")
    assert cells["Brier skill"] == "–"


def test_packages_without_any_signal_are_named_once(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = shown(capsys, packages=(package(METRICS), package(METRICS, "binance_ETH-USDT_1h")))
    line = "No signal above any threshold: binance_BTC-USDT_1h, binance_ETH-USDT_1h."
    assert out.count(line) == 1
    assert "2 packages and 0 ensembles: candidates now" in out


def test_what_is_missing_is_named_and_a_skipped_weight_is_explained(
    capsys: pytest.CaptureFixture[str],
) -> None:
    failed = MissingPackage("binance:BTC/USDT 1h", "its worker died", True)
    skipped = MissingPackage("binance:BTC/USDT 4h", "too few rows", False)
    out, err = shown(capsys, missing=(failed, skipped))
    assert "failed: binance:BTC/USDT 1h: its worker died" in out
    assert "skipped: binance:BTC/USDT 4h: too few rows" in out
    assert "the weight of a skipped timeframe is shared among the others" in err
    assert "candidates now" not in out
    assert shown(capsys, missing=(failed,))[1] == ""


def test_an_ensemble_shows_its_weights_and_its_calibration(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ensemble = EnsembleReport(
        "binance:BTC/USDT", "f" * 64, Timeframe.H1, {Timeframe.H1: 0.75, Timeframe.H4: 0.25}, (),
        0.9, -0.05, METRICS, "No evidence of an edge.",
    )  # fmt: skip
    out, _ = shown(capsys, packages=(package(METRICS),), ensembles=(ensemble,))
    assert f"{'f' * 12}: weights 1h 0.75 4h 0.25; trades by 1h" in out
    assert "p = sigmoid(0.90 logit(mean) -0.05)" in out
    assert "binance:BTC/USDT: No evidence of an edge." in out
