"""Ensembles: their identity, and whether a training made them as a whole."""

from __future__ import annotations

import msgspec
import pytest

from ares.domain.model import Ensemble, Member, Validation
from ares.domain.timeframe import Timeframe

MEMBER = Member(Timeframe.H1, "a", "20230420_000000", "p", 1.0)
ENSEMBLE = Ensemble(
    "binance:BTC/USDT", (MEMBER,), Timeframe.H1, 1.0, 0.0, 12, 1.0, 30.0, 1.0, 0.9, 22.0, "r", "f"
)


def test_the_identity_follows_from_every_field() -> None:
    others = [
        msgspec.structs.replace(ENSEMBLE, **change)
        for change in (
            {"members": (msgspec.structs.replace(MEMBER, weight=0.5),)},
            {"platt_b": 0.1}, {"gain": 1.1}, {"cost_bps": 20.0}, {"recipe_hash": "s"},
            {"validation": Validation(1, 2.0, 3.0)}, {"created_at": "2023-04-20T00:00:00Z"},
        )
    ]  # fmt: skip
    hashes = {ENSEMBLE.hash, *(other.hash for other in others)}
    assert len(hashes) == len(others) + 1
    again = msgspec.json.decode(msgspec.json.encode(ENSEMBLE), type=Ensemble)
    assert again.hash == ENSEMBLE.hash


@pytest.mark.parametrize("timeframe", list(Timeframe))
def test_the_holding_time_is_counted_in_bars_of_the_anchor(timeframe: Timeframe) -> None:
    ensemble = msgspec.structs.replace(ENSEMBLE, anchor=timeframe, horizon_bars=3)
    assert ensemble.horizon_ms == 3 * timeframe.ms
