"""Tests mirror the modules: each has its file, or stands here with the tests that cover it."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
DECLARATIONS = {
    *("ports", "domain/feed_events", "domain/holding_events", "domain/order_events"),
    "domain/venue",
    "config/keys",
    *("kernel/trade/layout", "runtime/registry/paths", "cli/computed"),
    *("store/columns", "store/projected_tables", "store/schema"),
    *("venues/alpaca", "venues/answers", "venues/binance", "venues/declared", "venues/kraken"),
    "venues/signer_messages",
    "venues/statement",
    *("runtime/deploy/plan", "runtime/deploy/policy", "runtime/training/training_rules"),
}
"""Structs, columns, texts: what they hold is tested where it is used, and by their types."""

COVERED = {
    "bootstrap/control": "cli/test_control",
    "bootstrap/real_time_plan": "bootstrap/test_real_time",
    "bootstrap/run_plan": "bootstrap/test_runs",
    "cli/kill": "bootstrap/test_kill",
    "cli/watchdog": "bootstrap/test_watchdog",
    "cli/reconcile": "bootstrap/test_reconcile",
    "bootstrap/own_signer": "bootstrap/test_signer",
    "cli/signer": "bootstrap/test_signer",
    "config/stopping": "bootstrap/test_kill",
    "domain/kill_ids": "core/test_kill_orders",
    "runtime/ops/unwinding_ledger": "runtime/ops/test_unwinding",
    "core/facts": "core/test_step",
    "core/initial_state": "core/test_step",
    "core/look_ups": "core/test_reconcile",
    "core/models": "golden/test_golden",
    "core/series": "runtime/engine/test_series",
    "core/single_facts": "core/test_money_facts",
    "core/slot": "core/test_challenger",
    "core/slots": "core/test_challenger",
    "core/state": "core/test_step",
    "journal/disk": "sim/test_memory_disk",
    "kernel/live": "golden/test_golden",
    "kernel/stretch": "core/test_stretch",
    "kernel/trade/arrays": "golden/test_golden",
    "kernel/trade/arm_pnl": "runtime/engine/swap/test_challenger_run",
    "runtime/engine/code_version": "runtime/engine/test_history_run",
    "runtime/engine/feed_warmup": "runtime/engine/test_history_run",
    "runtime/engine/history_inputs": "runtime/engine/test_history_run",
    "runtime/engine/hot_swap": "runtime/engine/swap/test_hot_swap",
    "runtime/engine/learner_events": "runtime/engine/test_history_run",
    "runtime/engine/plan": "runtime/engine/test_history_run",
    "runtime/engine/served_models": "bootstrap/test_real_time",
    "runtime/replay/comparison": "runtime/replay/test_certify",
    "runtime/replay/epochs": "runtime/replay/test_certify",
    "runtime/replay/executed_orders": "runtime/replay/test_waterfall",
    "runtime/replay/explain_journal": "runtime/engine/test_live_run",
    "runtime/replay/explanation": "runtime/replay/test_explain",
    "runtime/replay/journal_columns": "runtime/replay/test_certify",
    "runtime/replay/journal_signals": "runtime/replay/test_certify",
    "runtime/replay/modelled_orders": "runtime/replay/test_waterfall",
    "runtime/replay/recompute": "runtime/replay/test_certify",
    "runtime/replay/scan_decisions": "runtime/replay/test_certify",
    "runtime/replay/trade_path": "runtime/replay/test_parity",
    "runtime/replay/user_columns": "runtime/replay/test_certify",
    "runtime/validation/target": "runtime/lifecycle/test_promotion",
    "sim/serve/alpaca_activities": "sim/serve/test_alpaca_account",
    "sim/serve/alpaca_data": "sim/serve/test_alpaca",
    "sim/serve/alpaca_orders": "sim/serve/test_alpaca_private",
    "sim/serve/alpaca_positions": "sim/serve/test_alpaca_account",
    "sim/serve/alpaca_socket": "sim/serve/test_alpaca",
    "sim/serve/alpaca_trading": "sim/serve/test_alpaca_account",
    "sim/serve/binance_orders": "sim/serve/test_binance_private",
    "sim/serve/funds": "sim/serve/test_matching",
    "sim/serve/kraken_consolidated": "sim/serve/test_kraken_private",
    "sim/serve/kraken_executions": "sim/serve/test_kraken_account",
    "sim/serve/kraken_orders": "sim/serve/test_kraken_private",
    "sim/serve/kraken_requests": "sim/serve/test_kraken_account",
    "sim/serve/kraken_trading": "sim/serve/test_kraken_private",
    "sim/serve/orders": "sim/serve/test_matching",
    "sim/serve/quotes": "sim/serve/test_matching",
    "sim/serve/slices": "sim/serve/test_matching",
    "sim/serve/views": "sim/serve/test_kraken_private",
    "store/pending_rows": "store/test_projections",
    "store/projector_state": "store/test_projections",
    "venues/alpaca_claims": "venues/test_alpaca_orders",
    "venues/alpaca_fees": "venues/test_alpaca_reports",
}
"""Parts of one behaviour that a test shows as a whole, and the file of that test."""


def modules() -> set[str]:
    source = ROOT / "src" / "ares"
    return {
        str(path.relative_to(source).with_suffix(""))
        for path in source.rglob("*.py")
        if not path.name.startswith("__") and "migrations" not in path.parts
    }


def mirror(module: str) -> Path:
    path = Path(module)
    return ROOT / "tests" / path.parent / f"test_{path.name}.py"


def test_each_module_has_its_tests() -> None:
    lacking = {module for module in modules() if not mirror(module).exists()}
    assert lacking == DECLARATIONS | COVERED.keys()


def test_the_tests_that_cover_others_exist() -> None:
    missing = {test for test in COVERED.values() if not (ROOT / "tests" / f"{test}.py").exists()}
    assert missing == set()
