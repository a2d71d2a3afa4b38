"""``ares train`` as a person uses it, and what it says as JSON."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def ares(trained_ares: Any) -> Any:
    return trained_ares


def test_training_prints_everything_as_json(trained: dict[str, Any]) -> None:
    [pair] = trained["packages"]
    assert pair["name"] == "binance_BTC-USDT_1h"
    assert {"accuracy", "accuracy_base", "calibration_error", "net_bps", "thresholds"} <= set(
        pair["metrics"]
    )
    [joined] = trained["ensembles"]
    assert joined["weights"] == {"1h": 1.0}
    assert joined["skipped"] == ["4h"]
    assert trained["missing"][0]["subject"] == "binance:BTC/USDT 4h"
    assert trained["warnings"] == []


def test_training_for_people_names_rows_thresholds_and_what_is_missing(
    second_training: Any,
) -> None:
    code, out, err = second_training.made
    assert code == 0
    for text in (
        "binance_BTC-USDT_1h",
        "accuracy / base",
        "cal. error / limit",
        "edge > 5 bps",
        "p > 0.5",
        "weights 1h 1.00; trades by 1h",
        "skipped: binance:BTC/USDT 4h: ",
        "rows, and learning.rows_min is 400",
        "1 package and 1 ensemble: candidates now",
    ):
        assert text in out
    assert "train: done, 3 of 3 models" in err


def test_too_few_rows_for_anything_is_one_line(ares: Any) -> None:
    code, _, err = ares("train", "--from", "2023-02-01", "--to", "2023-02-05", "--json")
    assert code == 2
    assert err.splitlines()[-1].startswith("ares: nothing could be trained (binance:BTC/USDT 1h: ")
    code, _, err = ares("train", "-s", "DOGE/USDT")
    assert (code, err.splitlines()[-1]) == (
        2,
        "ares: unknown symbol 'DOGE/USDT': no candles of it are stored: `ares data list` shows all",
    )
    assert ares("train", "--scope", "planet")[0] == 2
    assert ares("train", "-i", "2h")[0] == 2
    assert ares("train", "--from", "2023-02-05", "--to", "2023-02-01")[0] == 2
