"""``ares status`` shows a running engine on one screen, and all of it as JSON."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import call
from tests.paper_engine import running

from ares.config.workspace import Workspace
from ares.domain.order_events import OrderFilled


def test_the_screen_names_what_stands(tmp_path: Path) -> None:
    root = Workspace.init(tmp_path / "w")[0].root
    with running(root) as engine:
        engine.take(OrderFilled("stranger", engine.now_ms(), 5, 10_000, 0, "x", 1))
        assert call(root, ["halt", "-s", "BTC/USDT", "--reason", "news"])[0] == 0
        for _ in range(40):
            code, out, err = call(root, ["status"])
            if "news" in out:
                break
    assert (code, err) == (0, "")
    for text in (
        "paper", "binance: up", "BTC/USDT", "LEARNING", "all closed", "No order is open.",
        "binance:ETH/USDT: unknown_order, execution x", "operator", "news", "have all 0 events",
    ):  # fmt: skip
        assert text in out


def test_the_json_has_the_engine_and_its_status(tmp_path: Path) -> None:
    root = Workspace.init(tmp_path / "w")[0].root
    with running(root):
        code, out, _ = call(root, ["status", "--json"])
    found = json.loads(out)
    assert code == 0
    assert found["environment"] == "paper"
    assert found["beat_age_s"] < 5.0
    assert [row["instrument"] for row in found["status"]["instruments"]] == [
        "binance:BTC/USDT", "binance:ETH/USDT",
    ]  # fmt: skip
    assert found["status"]["last_error_ms"] is None
    assert found["tables"]["environment"] == "paper"
    assert found["tables"]["seq_behind"] == 0
