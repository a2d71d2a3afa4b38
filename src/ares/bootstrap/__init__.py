"""The composition root: reads the settings once, and hands values to those that do the work."""

from ares.bootstrap.backtests import backtest
from ares.bootstrap.data import candle_store
from ares.bootstrap.replays import (
    arms_of_run,
    certify_run,
    refusals_of_run,
    restep_run,
    run_result,
    verify_run,
    why_run,
)
from ares.bootstrap.runs import RunRequest, RunResult, history_run, rules_of

__all__ = [
    "RunRequest",
    "RunResult",
    "arms_of_run",
    "backtest",
    "candle_store",
    "certify_run",
    "history_run",
    "refusals_of_run",
    "restep_run",
    "rules_of",
    "run_result",
    "verify_run",
    "why_run",
]
