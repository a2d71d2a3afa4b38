"""``ares why``: one bar of a run explained."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

Ares = Callable[..., tuple[int, str, str]]


def test_why_explains_a_bar(ares: Ares) -> None:
    code, out, _ = ares("why", "BTC/USDT", "--json")
    why = json.loads(out)
    assert code == 0
    assert why["instrument"] == "binance:BTC/USDT"
    assert why["slot"] == "champion"
    assert why["action"]
    code, out, _ = ares("why", "ETH/USDT", "--at", "2024-01-02T03:00")
    assert code == 0
    assert out.startswith("binance:ETH/USDT at 2024-01-02 03:00")
    assert "challenger" in out
    code, _, err = ares("why", "ETH/USDT", "--at", "2024-01-02T03:00")
    assert (code, err) == (0, "")
    code, late, err = ares("why", "BTC/USDT", "--at", "2030-01-01")
    assert (code, late) == (0, ares("why", "BTC/USDT")[1])
    assert "has no decision for binance:BTC/USDT at 2030-01-01 00:00: the last one before" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("why", "XRP/USDT"), "'XRP/USDT' is not in history/"),
        (("why", "BTC/USDT", "--at", "2024-01-01"), "made no decision for BTC/USDT"),
        (("why", "BTC/USDT", "--at", "soon"), "'soon' is not a date"),
        (("why", "BTC/USDT", "--run", "none"), "no run 'none'; runs here: "),
    ],
)
def test_an_error_is_one_line(ares: Ares, arguments: tuple[str, ...], words: str) -> None:
    code, out, err = ares(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("ares: ")
    assert err.count("\n") == 1
    assert words in err
