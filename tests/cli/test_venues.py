"""``ares venues``."""

from __future__ import annotations

import json

import pytest

from ares.cli.main import run


def test_the_list_tells_where_orders_go(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["venues", "list"]) == 0
    text = capsys.readouterr().out
    assert "kraken" in text
    assert "declared only" in text
    assert run(["venues", "list", "--json"]) == 0
    rows = {row["venue"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["kraken"]["orders"]
    assert rows["alpaca"]["orders"]


def test_a_venue_is_shown_with_sources(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["venues", "show", "kraken"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for part in ("stop-loss", "docs.kraken.com", "2026-11-28", "lacks:", "watchOrders"):
        assert part in text
    assert run(["venues", "show", "kraken", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["traits"]["deadline_ms"] == 10_000
    assert shown["ccxt_has"]["createOrder"] is True
    assert shown["ccxt_has"]["sandbox"] is False


def test_an_unknown_venue_is_the_callers_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["venues", "show", "krakn"]) == 2
    assert "did you mean kraken" in capsys.readouterr().err
