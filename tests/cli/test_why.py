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
    assert "shadow" in out
    code, _, err = ares("why", "ETH/USDT", "--at", "2024-01-02T03:00")
    assert (code, err) == (0, "")
    code, late, err = ares("why", "BTC/USDT", "--at", "2030-01-01")
    assert (code, late) == (0, ares("why", "BTC/USDT")[1])
    assert "has no decision for binance:BTC/USDT at 2030-01-01 00:00: the last one before" in err


def test_a_symbol_may_be_written_in_any_notation(ares: Ares) -> None:
    plain = ares("why", "BTC/USDT", "--json")
    assert ares("why", "BTCUSDT", "--json") == ares("why", "btc-usdt", "--json") == plain


def test_refusals_are_counted_over_a_window(ares: Ares) -> None:
    code, out, _ = ares("why", "--refusals", "--json")
    assert code == 0
    rows = json.loads(out)["rows"]
    assert {row["code"] for row in rows if row["instrument"] == "binance:ETH/USDT"} == {
        "no_champion"
    }
    code, out, _ = ares("why", "ETH/USDT", "--refusals", "--from", "2024-01-02T02:00")
    assert code == 0
    assert "no champion" in out
    assert "BTC/USDT" not in out
    code, out, _ = ares("why", "--refusals", "--from", "2030-01-01")
    assert "no signal was refused in this window" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("why",), "which instrument?"),
        (("why", "BTC/USDT", "--from", "2024-01-02"), "--from and --to go with --refusals"),
        (("why", "--refusals", "--at", "2024-01-02"), "--at and --refusals: give one"),
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
