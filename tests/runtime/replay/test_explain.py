"""Why: each kind of situation is explained rightly, from the journal alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from ares.cli.output import plain
from ares.domain.errors import UserError
from ares.domain.events import BarsClosed, DecisionMade, Effect, SignalRefused, TradeClosed
from ares.domain.order_events import OrderEnded, OrderFilled, SubmitOrder
from ares.journal.run import JournalEntry, entries
from ares.kernel.features import FEATURE_NAMES
from ares.runtime.replay.explain import explain
from ares.runtime.replay.explanation import Explanation

BTC, ETH = "BTC/USDT", "ETH/USDT"


def bars(folder: Path) -> list[tuple[JournalEntry, BarsClosed, list[Effect]]]:
    """Return each decided instant with its effects, those of the fills before it, and those that
    follow from it within the instant: an exit is sent when its stop has been cancelled.
    """
    rows: list[tuple[JournalEntry, BarsClosed, list[Effect]]] = []
    since: list[Effect] = []
    for entry in entries(folder):
        event = entry.event
        if isinstance(event, BarsClosed):
            since += entry.effects
            if event.decides:
                rows.append((entry, event, since))
            since = []
        elif rows and isinstance(event, OrderEnded) and event.reason == "cancelled":
            assert rows[-1][1].ts_ms == event.ts_ms
            rows[-1][2].extend(entry.effects)
        else:
            since += entry.effects
    return rows


def at(done: Any, i: int, wanted: Callable[[Any], bool]) -> int:
    """Return the closing instant of the first effect of instrument ``i`` that is wanted."""
    for _, event, effects in bars(done.folder):
        for effect in effects:
            if getattr(effect, "instrument", None) == i and wanted(effect):
                return event.ts_ms
    raise AssertionError("the run has no such instant")


def why(world: Any, done: Any, i: int, at_ms: int | None) -> Explanation:
    made = explain(done.folder, (BTC, ETH)[i], at_ms, world.models)
    plain(made)
    return made


def test_an_entry(world: Any, done: Any) -> None:
    ts_ms = at(done, 0, lambda e: isinstance(e, SubmitOrder) and e.kind == "entry")
    made = why(world, done, 0, ts_ms)
    assert (made.action, made.closing_ms) == ("entry", ts_ms)
    assert made.edge_bps is not None
    assert made.edge_bps >= made.edge_bps_min == 3.0
    assert f"{made.edge_bps:+.1f} bps" in made.sentence
    assert made.mode == "TRADING"
    assert "SubmitOrder" in [fact["fact"] for fact in made.facts]


@pytest.mark.parametrize("reason", ["take_profit", "reversal", "timeout"])
def test_an_exit(world: Any, done: Any, reason: str) -> None:
    def leaves(e: Any) -> bool:
        return isinstance(e, SubmitOrder) and (e.kind, e.reason) == ("exit", reason)

    every = [effect for *_, effects in bars(done.folder) for effect in effects]
    i = next(e.instrument for e in every if isinstance(e, SubmitOrder) and leaves(e))
    made = why(world, done, i, at(done, i, leaves))
    assert made.action == "exit"
    assert reason.replace("_", " ") in made.sentence


def test_a_stop_inside_the_bar(world: Any, done: Any) -> None:
    def stopped(e: Any) -> bool:
        return isinstance(e, TradeClosed) and e.reason == "stop" and not e.virtual

    for i in (0, 1):
        for _, event, effects in bars(done.folder):
            own = [e for e in effects if getattr(e, "instrument", None) == i]
            if any(map(stopped, own)) and not any(isinstance(e, SubmitOrder) for e in own):
                made = why(world, done, i, event.ts_ms)
                assert made.action == "trade closed"
                assert "by stop at -" in made.sentence
                return
    raise AssertionError("no stop")


def test_a_refusal_and_the_virtual_trade_that_follows_it(world: Any, done: Any) -> None:
    ts_ms = at(done, 1, lambda e: isinstance(e, SignalRefused))
    made = why(world, done, 1, ts_ms)
    code = next(f["code"] for f in made.facts if f["fact"] == "SignalRefused")
    assert made.action == "refused"
    assert code.replace("_", " ") in made.sentence
    after = why(world, done, 1, ts_ms + 60_000)
    assert after.action == "virtual trade open"
    assert code.replace("_", " ") in after.sentence


def test_the_end_of_a_virtual_trade(world: Any, done: Any) -> None:
    for i in (0, 1):
        for _, event, effects in bars(done.folder):
            own = [e for e in effects if getattr(e, "instrument", None) == i]
            closed = [e for e in own if isinstance(e, TradeClosed) and e.virtual]
            if closed and not any(isinstance(e, SubmitOrder | SignalRefused) for e in own):
                made = why(world, done, i, event.ts_ms)
                assert made.action == "virtual trade closed"
                assert f"{closed[0].net_bps:+.1f} bps" in made.sentence
                return
    raise AssertionError("no virtual trade ended without a new wish")


def test_holding_and_nothing_to_do(world: Any, done: Any) -> None:
    held, seen = 0, set()
    orders: dict[str, int] = {}
    rows = bars(done.folder)
    fills: dict[int, int] = {}
    for entry in entries(done.folder):
        for effect in entry.effects:
            if isinstance(effect, SubmitOrder):
                orders[effect.client_id] = effect.instrument
        if isinstance(entry.event, OrderFilled) and orders[entry.event.client_id] == 0:
            fills[entry.seq] = entry.event.lots
    for entry, event, effects in rows:
        held = sum(lots for seq, lots in fills.items() if seq < entry.seq)
        if any(getattr(e, "instrument", None) == 0 for e in effects):
            continue
        decided = next(e for e in effects if isinstance(e, DecisionMade))
        edge = np.frombuffer(decided.outputs).reshape(5, -1)[1, 0]
        kind = "held" if held else "low" if edge < 3.0 else "silent" if np.isnan(edge) else "other"
        if kind in seen:
            continue
        made = why(world, done, 0, event.ts_ms)
        if kind == "held" and made.action != "order pending":
            assert (made.action, "no barrier" in made.sentence) == ("hold", True)
            seen.add(kind)
        if kind == "low" and made.action == "none":
            assert made.sentence.endswith("is below strategy.edge_bps_min (3)")
            seen.add(kind)
    assert {"held", "low"} <= seen


def test_an_order_that_waits_for_volume(world: Any, done: Any) -> None:
    working = 0
    orders: dict[str, SubmitOrder] = {}
    for entry in entries(done.folder):
        for effect in entry.effects:
            if isinstance(effect, SubmitOrder):
                orders[effect.client_id] = effect
                if effect.instrument == 0 and effect.kind == "exit":
                    working = effect.lots
        event = entry.event
        if isinstance(event, OrderFilled) and orders[event.client_id].kind == "exit":
            working -= event.lots if orders[event.client_id].instrument == 0 else 0
        if isinstance(event, BarsClosed) and working and len(entry.effects) == 1:
            made = why(world, done, 0, event.ts_ms)
            assert made.action == "order pending"
            return
    raise AssertionError("no exit took more than one bar")


def test_features_that_are_not_warm(world: Any, done: Any, tmp_path: Path) -> None:
    made = why(world, done, 0, None)
    votes = {vote.timeframe: vote for vote in made.votes}
    assert set(votes) == {"1m", "5m", "15m"}
    assert votes["15m"].p is None
    assert votes["15m"].features == ()
    assert votes["1m"].p is not None
    assert sum(vote.weight for vote in made.votes) == pytest.approx(1.0)
    members = [
        msgspec.structs.replace(member, weight=weight)
        for member, weight in zip(world.ensemble(world.btc).members, (0.3, 0.1, 0.6), strict=True)
    ]
    mute = world.with_(changes={"members": tuple(members)})
    mute.run(tmp_path / "run")
    silent = explain(tmp_path / "run", BTC, None, world.models)
    assert (silent.p, silent.edge_bps, silent.barrier_bps) == (None, None, None)
    assert (silent.action, "too few timeframes" in silent.sentence) == ("none", True)


def test_the_features_that_moved_a_score_are_those_the_model_looks_at(
    world: Any, done: Any
) -> None:
    made = why(world, done, 0, None)
    for vote in made.votes[:2]:
        assert 0 < len(vote.features) <= 5
        assert {name for name, _, _ in vote.features} <= world.looked_at <= set(FEATURE_NAMES)
        effects = [abs(effect) for _, _, effect in vote.features]
        assert effects == sorted(effects, reverse=True)
        assert vote.fresh


def test_the_explanation_is_what_was_journaled(world: Any, done: Any) -> None:
    for k in (0, 100, 479):
        _, event, effects = bars(done.folder)[k]
        decided = next(e for e in effects if isinstance(e, DecisionMade))
        columns = np.frombuffer(decided.outputs).reshape(5, -1)[:, 0]
        made = why(world, done, 0, event.ts_ms)
        assert made.closing_ms == event.ts_ms
        assert made.bar["close"] == np.frombuffer(event.ohlcv)[3]
        assert made.mode_confidence == columns[3]
        assert made.limits["equity_quote"] == decided.equity_units / 1e8
        assert made.limits["cash_quote"] == decided.cash_units / 1e8
        assert (made.p is None) == np.isnan(columns[0])
        if made.p is not None:
            assert (made.p, made.edge_bps, made.barrier_bps) == tuple(columns[:3])


def test_a_requested_time_finds_the_newest_bar_before_it(world: Any, done: Any) -> None:
    first = bars(done.folder)[0][1].ts_ms
    for shift in (0, 1, 59_999):
        assert why(world, done, 0, first + shift).closing_ms == first
    last = why(world, done, 0, None)
    assert last.closing_ms == world.to_ms
    # the other instrument's candles ended earlier: its newest is named, and is its own
    assert why(world, done, 1, None).closing_ms == world.to_ms - world.ends_early_ms


def test_what_is_not_in_the_run_is_a_user_error(world: Any, done: Any) -> None:
    with pytest.raises(UserError, match="'XRP/USDT' is not in history/test: it has binance:BTC"):
        explain(done.folder, "XRP/USDT", None, world.models)
    with pytest.raises(UserError, match=r"made no decision for BTC/USDT at or before that time"):
        explain(done.folder, BTC, world.from_ms, world.models)
    with pytest.raises(UserError, match="no run"):
        explain(done.folder / "none", BTC, None, world.models)


def test_an_instrument_is_found_by_its_key(world: Any, done: Any) -> None:
    assert explain(done.folder, "binance:ETH/USDT", None, world.models).instrument == (
        "binance:ETH/USDT"
    )


def test_open_breakers_are_named(world: Any, tmp_path: Path) -> None:
    touchy = world.with_(rules=replace(world.rules, drawdown_max=1e-5))
    touchy.run(tmp_path / "run")
    made = explain(tmp_path / "run", BTC, None, world.models)
    assert "drawdown open" in made.limits["breakers"]
    assert made.limits["drawdown_share"] >= 0.0
