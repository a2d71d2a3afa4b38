"""What each breaker measures now, in the units of its limit."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.paper_engine import PaperEngine

from ares.domain.order_events import CommandGiven
from ares.runtime.engine.breaker_status import BreakerStatus, breakers_of


@pytest.fixture
def engine(tmp_path: Path) -> PaperEngine:
    return PaperEngine(tmp_path)


def found(engine: PaperEngine) -> dict[str, BreakerStatus]:
    rows = breakers_of(engine.state, engine.recent.opened)
    return {f"{row.breaker} {row.instrument}".strip(): row for row in rows}


def test_nothing_is_measured_before_there_is_anything(engine: PaperEngine) -> None:
    rows = found(engine)
    assert {name: row.value for name, row in rows.items()} == {
        "win_rate": None, "drawdown": 0.0, "failures": 0.0, "execution": None, "slippage": None,
        "gas": None, "volatility binance:BTC/USDT": None, "volatility binance:ETH/USDT": None,
    }  # fmt: skip
    assert {name: row.limit for name, row in rows.items()} == {
        "win_rate": 0.4, "drawdown": 0.15, "failures": 5.0, "execution": 0.8, "slippage": 2.5,
        "gas": 0.4, "volatility binance:BTC/USDT": 3.0, "volatility binance:ETH/USDT": 3.0,
    }  # fmt: skip


def test_each_value_is_what_its_limit_is_compared_with(engine: PaperEngine) -> None:
    account, book = engine.state.trade.account[0], engine.state.trade.book[1]
    account["trade_won"][:5], account["trade_count"], account["win_count"] = [1, 0, 0, 1, 0], 5, 4
    account["peak_equity"], account["equity"] = 200, 150
    account["execution_count"], account["execution_ok"][:4] = 4, [1, 0, 0, 1]
    account["slippage_n"], account["slippage_m2"] = 4.0, 16.0
    account["slippage_mean"], account["slippage_last"] = 1.0, 4.0
    account["gas_recent"], account["gross_profit"] = 3.0, 12.0
    book["var_fast"], book["var_slow"] = 4.0, 1.0
    values = {name: row.value for name, row in found(engine).items()}
    assert values == {
        "win_rate": 0.25, "drawdown": 0.25, "failures": 0.0, "execution": 0.5, "slippage": 1.5,
        "gas": 0.25, "volatility binance:BTC/USDT": None, "volatility binance:ETH/USDT": 2.0,
    }  # fmt: skip


def test_the_limit_follows_a_live_setting_and_the_opening_keeps_its_cause(
    engine: PaperEngine,
) -> None:
    args = {"key": "k", "value": "v", "rules": '{"gas_share_max":0.3}'}
    engine.take(CommandGiven("a", engine.now_ms(), "ada", "config", args))
    args = {"action": "test", "name": "gas", "reason": "drill"}
    engine.take(CommandGiven("b", engine.now_ms(), "ada", "breaker", args))
    row = found(engine)["gas"]
    assert (row.limit, row.status, row.since_ms) == (0.3, "open", engine.now_ms())
    assert row.opened is not None
    assert row.opened.cause == "test by ada: drill"
