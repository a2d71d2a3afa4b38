"""The rows that are measured, with their limits."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from bench.bars import ROOT, minutes
from bench.measure import Contender, Limit, Row
from bench.peers.setup import python_of

PEERS = ROOT / "bench" / "peers"
ENVIRONMENTS = ROOT / ".bench"
TRADE_BARS = 10_000_000
FEATURE_BARS = 1_000_000
CANDLES = 1_000_000
YEAR_BARS = 525_600
CASH_FOR_TEN_MILLION = "1e9"
STEP_US_MAX = 20.0


def rows() -> tuple[Row, ...]:
    """Return the rows in the order in which they are measured."""
    return (
        *(_help(), _candles(), _features(), _trade(), _backtest(), _step(), *_history()),
        *(_live(), _paper(), _swap(), _recovery(), _reconciliation(), retraining()),
    )


def _help() -> Row:
    return Row(
        "help",
        "`ares --help`, from start to end",
        (_ares("help"),),
        (Limit("seconds", "ares --help", "s", at_most=0.3),),
        processes=9,
    )


def _candles() -> Row:
    return Row(
        "candles",
        "1 M candles",
        (_ares("candles", lambda: [str(minutes(CANDLES))]),),
        (
            Limit("import_s", "1 M candles: import", "s", at_most=10.0),
            Limit("load_s", "1 M candles: load from the store", "s", at_most=2.0),
            Limit("load_cached_s", "1 M candles: load cached", "s", at_most=0.3),
        ),
    )


def _features() -> Row:
    return Row(
        "features",
        "kernel: features of one timeframe, one core",
        (_ares("features", lambda: [str(minutes(FEATURE_BARS)), str(FEATURE_BARS)]),),
        (
            Limit("bars_per_s", "features, scan", "bars/s", at_least=2e6),
            Limit("whole_bars_per_s", "features, `features_of`", "bars/s", at_least=2e6),
        ),
        processes=5,
    )


def _trade() -> Row:
    return Row(
        "trade",
        "kernel: trade half given scores, with stops, limits and breakers, one core",
        (
            _ares("trade", lambda: [str(minutes(TRADE_BARS))]),
            _peer(
                "vectorbt",
                lambda: [str(minutes(TRADE_BARS)), "--times", "3", "--cash", CASH_FOR_TEN_MILLION],
                seconds="simulate_s",
            ),
            _peer("backtesting", lambda: [str(minutes()), "--times", "3"]),
            _peer("nautilus_trader", lambda: [str(minutes()), "--times", "2"]),
            _peer("freqtrade", lambda: [str(minutes()), "--times", "2"]),
        ),
        (
            Limit("bars_per_s", "trade half, all rules on", "bars/s", at_least=15e6),
            Limit("defaults_bars_per_s", "trade half, default limits", "bars/s", at_least=15e6),
            Limit("bars_per_s", "trade half against vectorbt", "bars/s", at_least_peer="vectorbt"),
        ),
        ratio_of="bars_per_s",
        notes=(
            f"Ares and vectorbt: {TRADE_BARS:,} bars (the candles end to end), signals given. "
            "The others: the candles once, their averages included, since they cannot be given "
            "signals apart from their loop. In each process the quickest run after the first."
        ),
    )


def _backtest() -> Row:
    return Row(
        "backtest",
        "whole ML backtest of an ensemble, two cores",
        (_ares("backtest", lambda: [str(minutes(YEAR_BARS))]),),
        (Limit("bars_per_s", "whole ML backtest", "bars/s", at_least=150e3),),
        processes=5,
        notes="six timeframes, a model of 200 trees and 31 leaves for each",
    )


def _step() -> Row:
    return Row(
        "step",
        "a live step, one instrument x 6 timeframes, one core",
        (_ares("step"),),
        (
            Limit("step_us", "live step, 1 x 6", "us", at_most=STEP_US_MAX),
            Limit("bound_share", "kernel call, bound : unbound", "", at_most=0.5),
        ),
        processes=5,
        notes="features, aggregation and decision; models that cost nothing, no journal",
    )


def _history() -> tuple[Row, ...]:
    notes = (
        "event by event: journal, simulated venue, tables of the database; models of 200 trees and "
        "31 leaves, scored in batches of 4,096 instants"
    )
    return (
        Row(
            "history_one",
            "event-driven run, one instrument x 6 timeframes",
            (_ares("history", lambda: ["one"]),),
            (Limit("bars_per_s", "event-driven run, 1 x 6", "bars/s", at_least=100e3),),
            processes=5,
            notes=notes,
        ),
        Row(
            "history_four",
            "event-driven run, four instruments x 6 timeframes",
            (_ares("history", lambda: ["four"]),),
            (Limit("bars_per_s", "event-driven run, 4 x 6", "bars/s", at_least=150e3),),
            processes=5,
            notes=notes,
        ),
        Row(
            "history_sma",
            "event-driven run of the SMA cross",
            (_ares("history", lambda: ["sma"]), *_nautilus_trader_2()),
            tuple(limit for peer in _nautilus_trader_2() for limit in _against(peer.name)),
            processes=5,
            ratio_of="bars_per_s",
            notes=(
                "Ares: one instrument x 1 timeframe; all 56 features, journal, tables and "
                "snapshots written. nautilus_trader 2.0.0rc7: two averages, in memory, logging off"
                + ("" if _nautilus_trader_2() else "; absent here: it needs Python 3.13")
                + ". `cpu_s`: processor time of all processes, that of Ares with starting the "
                "table worker."
            ),
        ),
    )


def _against(peer: str) -> tuple[Limit, Limit]:
    """Return what the SMA cross must hold against a peer."""
    title = "event-driven run, SMA cross"
    return (
        Limit("bars_per_s", title, "bars/s", at_least_peer=peer),
        Limit("cpu_s", f"{title}: processor time", "s", at_most_peer=peer, times=1.5),
    )


def _nautilus_trader_2() -> tuple[Contender, ...]:
    """Return nautilus_trader 2; nothing where there is no Python that it runs on."""
    if python_of("nautilus_trader_2") is None:
        return ()
    return (_peer("nautilus_trader_2", lambda: [str(minutes()), "--times", "2"]),)


def _live() -> Row:
    return Row(
        "live",
        "bar to orders handed over, four instruments x 6 timeframes, four or more of them due",
        (_ares("live"),),
        (Limit("p99_ms", "live: bar to orders handed over, p99", "ms", at_most=1.0),),
        notes=(
            "through the loop, nothing scored ahead, models of 200 trees and 31 leaves; without "
            "the disk's sync, which is `sync_p99_ms`. `cpu_`: processor time. `idle_`: after the "
            "processor's caches were overwritten, as by a minute of something else"
        ),
    )


def _reconciliation() -> Row:
    return Row(
        "reconciliation",
        "ledger beside the venue: 500 open orders, 10,000 executions",
        (_ares("reconciliation"),),
        (Limit("seconds", "reconciliation of 10,500 lines", "s", at_most=5.0),),
        notes="over Kraken's REST on loopback, server and client on one core, no rate limits",
    )


def _paper() -> Row:
    return Row(
        "paper",
        "the same in the loop of paper trading, learner idle and training",
        (_ares("paper"),),
        (
            Limit("p99_ms", "paper: bar to orders handed over, p99, idle", "ms", at_most=1.0),
            Limit("training_p99_ms", "the same while models are trained", "ms", at_most=1.0),
        ),
        notes=(
            "the engine of `ares run --env paper`, its priority raised where that is permitted; "
            "each close comes after a pause. `training_`: beside it two processes of low priority "
            "train models all the time, on two cores"
        ),
    )


def _swap() -> Row:
    return Row(
        "swap",
        "hot swap, four instruments x 6 timeframes",
        (_ares("swap"),),
        (
            Limit("bars_missed", "hot swap: bars missed", "bars", at_most=0.0),
            Limit("added_ms", "hot swap: added to the bar it falls on", "ms", at_most=1.0),
            Limit("added_p99_ms", "hot swap: the same, p99 of all swaps", "ms", at_most=1.0),
        ),
        notes="loaded, verified and tried beside the loop before, which is not counted",
    )


def _recovery() -> Row:
    return Row(
        "recovery",
        "`kill -9` to stepping again, a journal of 1 M events",
        (_ares("recovery"),),
        (Limit("seconds", "start after `kill -9`: to the end of the first step", "s", at_most=3),),
        notes="no models; the journal's first 420 MB are verified beside, after the start",
    )


def retraining() -> Row:
    """Return the row of retraining, which ``bench.gate_run`` prints too."""
    return Row(
        "retraining",
        "training a model again, 4,821 + 1,205 rows, a warm worker",
        (_ares("retraining"),),
        (
            Limit("one_s", "one model: fit, calibration, export, parity, holdouts", "s", at_most=2),
            Limit("with_verdict_s", "the same with the whole verdict", "s", at_most=8.0),
            Limit("all_s", "24 models on two cores", "s", at_most=90.0),
        ),
        notes=(
            "the walk of six purged folds instead of one holdout of 1,205 rows; the second and the "
            "third figure have the kept, counted, joined and mirrored model in them"
        ),
    )


def _ares(script: str, arguments: Callable[[], list[str]] = list) -> Contender:
    """Return a row's script in this environment."""
    return Contender(
        "ares",
        lambda: [sys.executable, "-m", f"bench.rows.{script}", *arguments()],
        lambda output: dict(output["figures"]),
    )


def _peer(name: str, arguments: Callable[[], list[str]], seconds: str = "warm_s") -> Contender:
    """Return a peer's runner in its own environment, with its bars per second."""

    def figures(output: dict[str, Any]) -> dict[str, float]:
        found = {"bars_per_s": output["bars"] / output[seconds]}
        return found | {"cpu_s": output["cpu_s"]} if "cpu_s" in output else found

    python = ENVIRONMENTS / name / "bin" / "python"
    script = PEERS / f"run_{name}.py"
    return Contender(name, lambda: [str(python), str(script), *arguments()], figures)
