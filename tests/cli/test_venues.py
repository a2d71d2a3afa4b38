"""``ares venues``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.sim.serving import serving_in_thread

from ares.cli.main import run


def test_the_list_tells_where_orders_go(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["venues", "list"]) == 0
    text = capsys.readouterr().out
    assert "kraken" in text
    assert run(["venues", "list", "--json"]) == 0
    rows = {row["venue"]: row for row in json.loads(capsys.readouterr().out)}
    assert all(row["orders"] for row in rows.values())
    assert {"kraken", "binance", "alpaca"} <= rows.keys()


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


def test_traits_are_shown_in_their_units(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["venues", "show", "alpaca"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for part in ("deadline none", "answer 6 s", "stop limit 2 % below the trigger"):
        assert part in text


def test_an_unknown_venue_is_the_callers_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["venues", "show", "krakn"]) == 2
    assert "did you mean kraken" in capsys.readouterr().err


def test_a_probe_needs_agreement_or_an_address(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["init"]) == 0
    assert run(["venues", "probe", "kraken"]) == 2
    assert "agree with --yes" in capsys.readouterr().err


def test_a_probe_is_printed_line_by_line_or_as_json(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["init"]) == 0
    with serving_in_thread("binance", speed=1.0) as served:
        key = served.key("engine")
        monkeypatch.setenv("REHEARSAL_BINANCE_KEY", key.key)
        monkeypatch.setenv("REHEARSAL_BINANCE_SECRET", key.secret)
        capsys.readouterr()
        assert run(["venues", "probe", "binance", "--address", served.address]) == 0
        shown = capsys.readouterr()
        assert run(["venues", "probe", "binance", "--address", served.address, "--json"]) == 0
    assert "buys and sells" in shown.err
    assert "deadline: declared yes, found a late order is refused" in shown.out
    assert "13 traits, none otherwise than declared" in shown.out
    found = json.loads(capsys.readouterr().out)
    assert (found["differing"], len(found["traits"])) == (0, 13)
