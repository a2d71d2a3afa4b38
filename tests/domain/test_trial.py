"""Trials: that of an ensemble covers the data of all its packages."""

from __future__ import annotations

import msgspec

from ares.domain.model import Ensemble, Member, Validation
from ares.domain.package import PackageCard
from ares.domain.timeframe import Timeframe
from ares.domain.trial import Trial, ensemble_trial

CARD = PackageCard(
    name="binance_BTC-USDT_1h", version="20230420_000000", scope="instrument",
    instruments=("binance:BTC/USDT",), timeframe=Timeframe.H1, origin="trained",
    features=("return_1",), features_hash="f", recipe={}, recipe_hash="r", horizon_bars=12,
    width_sigmas=1.0, width_min_bps=30.0, cost_bps=22.0, gain=1.0, loss=0.9, data_from_ms=50,
    data_to_ms=900, data_rows=100, data_hash="a" * 64, validation=Validation(), metrics={},
    parity={}, libraries={}, git_commit="c", created_at="2023-04-20T00:00:00Z",
)  # fmt: skip
LONGER = msgspec.structs.replace(
    CARD, timeframe=Timeframe.H4, data_from_ms=10, data_to_ms=800, data_hash="b" * 64
)
MEMBERS = tuple(Member(t, "n", "v", "p", 0.5) for t in (Timeframe.H1, Timeframe.H4))
ENSEMBLE = Ensemble(
    "binance:BTC/USDT", MEMBERS, Timeframe.H4, 1.2, 0.1, 12, 1.0, 30.0, 1.0, 0.9, 22.0, "recipe",
    "f", Validation(40, 3.0, 50.0), "2023-04-21T00:00:00Z",
)  # fmt: skip


def test_the_trial_of_an_ensemble_covers_the_data_of_all_its_packages() -> None:
    trial = ensemble_trial(ENSEMBLE, [CARD, LONGER], 19_000, b"12345678", (("brier", 0.2),))
    assert (trial.data_from_ms, trial.data_to_ms) == (10, 900)
    assert trial.data_hash == f"{'a' * 16},{'b' * 16}"
    assert (trial.kind, trial.scope, trial.timeframe) == ("ensemble", "binance:BTC/USDT", "4h")
    assert (trial.recipe_hash, trial.subject) == ("recipe", ENSEMBLE.hash)
    assert trial.validation == ENSEMBLE.validation
    assert trial.created_at == ENSEMBLE.created_at


def test_a_trial_whose_daily_returns_are_not_known_reads_back() -> None:
    for daily in (b"", b"\x00" * 16):
        trial = ensemble_trial(ENSEMBLE, [CARD], daily=daily)
        content = msgspec.msgpack.encode(trial)
        assert msgspec.msgpack.decode(content, type=Trial) == trial
        assert (b"daily" in content) == bool(daily)
