"""Numbers and times as venues write them."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ares.sim.serve.wire import lots_text, money_text, raw, rfc3339, text, to_json


@given(st.integers(-(10**15), 10**15), st.integers(0, 8))
def test_a_number_keeps_its_value_and_its_decimals(units: int, decimals: int) -> None:
    written = text(units, decimals)
    assert Decimal(written) == Decimal(units).scaleb(-decimals)
    assert len(written.partition(".")[2]) == decimals
    decoded = msgspec.json.decode(to_json({"n": raw(units, decimals)}))
    assert decoded["n"] == float(written)


def test_times_and_money() -> None:
    assert rfc3339(1_700_000_000_001) == "2023-11-14T22:13:20.001000Z"
    assert lots_text(1) == "0.00000001"
    assert money_text(12.3456789, 2) == "12.35"
