"""Raw market data crosses process borders as tagged values."""

from __future__ import annotations

import msgspec
import pytest

from ares.domain.market_data import (
    BarSeen,
    Connected,
    Disconnected,
    MarketData,
    SkewSeen,
    TradeSeen,
)

VALUES = [
    BarSeen(1, 60_000, 1.0, 2.0, 0.5, 1.5, 3.0, True),
    TradeSeen(0, 61_000, 1.5, 0.1),
    Connected(),
    Connected(62_000),
    Disconnected("the server closed the connection"),
    SkewSeen(-40),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_is_read_back_as_itself(value: MarketData) -> None:
    raw = msgspec.msgpack.encode(value)
    assert msgspec.msgpack.decode(raw, type=MarketData) == value
