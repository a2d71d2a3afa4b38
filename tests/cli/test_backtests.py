"""``ares backtests``: stored backtests are listed, shown and compared."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

Ares = Callable[..., tuple[int, str, str]]

WINDOW = ("-s", "BTC/USDT", "--from", "2024-01-02T01:00", "--to", "2024-01-02T07:00")


def test_stored_backtests_are_found_again(ares: Ares, root: Path) -> None:
    code, out, _ = ares("backtests", "list")
    assert code == 0
    assert "no backtest is stored" in out
    for baseline in ("buy_hold", "sma_cross"):
        assert ares("backtest", "--baseline", baseline, *WINDOW, "--json")[0] == 0
    (root / "reports" / "backtest_x.json").write_text("{}")
    newest, oldest = json.loads(ares("backtests", "list", "--json")[1])
    assert newest["strategy"].startswith("sma_cross")
    assert oldest["strategy"] == "buy & hold"
    code, out, _ = ares("backtests", "show")
    assert code == 0
    assert out.startswith("sma_cross 20/100")
    shown = json.loads(ares("backtests", "show", oldest["id"], "--json")[1])
    assert shown == oldest
    code, out, _ = ares("backtests", "compare", oldest["id"], newest["id"])
    assert code == 0
    assert out.count(newest["id"]) == 1
    assert "Largest drawdown" in out


def test_an_id_must_name_one(ares: Ares) -> None:
    for _ in range(2):
        assert ares("backtest", "--baseline", "buy_hold", *WINDOW, "--json")[0] == 0
    for arguments, words in (
        (("show", "nothing"), "no backtest is called 'nothing'"),
        (("show", "20"), "2 backtests begin with '20'"),
        (("compare", "20"), "2 backtests begin with '20'"),
    ):
        code, out, err = ares("backtests", *arguments)
        assert (code, out) == (2, "")
        assert words in err
