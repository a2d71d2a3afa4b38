"""restep and certify say yes to a true journal, and no to every other."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from ares.cli.output import plain
from ares.domain.events import (
    BarsClosed,
    BreakerChanged,
    DecisionMade,
    ModeChanged,
    RunStarted,
    SignalRefused,
    TradeClosed,
    VirtualTradeOpened,
)
from ares.domain.order_events import OrderAccepted, OrderEnded, OrderFilled, SubmitOrder
from ares.journal.run import entries
from ares.runtime.replay.certify import certify
from ares.runtime.replay.restep import restep


@pytest.fixture
def forged(done: Any, tmp_path: Path) -> Path:
    """Return a copy of the run, to be forged."""
    shutil.copytree(done.folder, tmp_path / "run")
    return tmp_path / "run"


def test_a_true_journal_passes_both(world: Any, done: Any) -> None:
    events = list(entries(done.folder))
    stepped = restep(done.folder, world.models)
    assert (stepped.events, stepped.compared, stepped.mismatches) == (len(events),) * 2 + (0,)
    certified = certify(done.folder, world.models)
    assert (certified.events, certified.mismatches, certified.first) == (len(events), 0, None)
    compared = {kind: n for kind, (n, _) in certified.lines.items()}
    assert certified.compared == sum(compared.values())
    effects = [e for entry in events for e in entry.effects]
    closed = sum(isinstance(e, TradeClosed) for e in effects)
    instants = sum(isinstance(e, DecisionMade) for e in effects)
    fills = sum(
        isinstance(e.event, OrderFilled)
        or (isinstance(e.event, OrderEnded) and e.event.reason == "rejected")
        for e in events
    )
    assert compared["trades"] == closed
    assert compared["fills"] == fills
    assert (
        compared["refusals"]
        == compared["virtual"]
        == sum(isinstance(e, SignalRefused) for e in effects)
    )
    assert compared["decisions"] == instants * (3 * 2 + 2)
    assert min(compared.values()) > 0


def test_both_read_and_leave_the_run_alone(world: Any, forged: Path) -> None:
    before = {p: p.read_bytes() for p in forged.rglob("*") if p.is_file()}
    restep(forged, world.models)
    certify(forged, world.models)
    assert {p: p.read_bytes() for p in forged.rglob("*") if p.is_file()} == before


Change = Callable[[Any], Any]


def one_more(name: str, by: float = 1) -> Change:
    """Return a change of one number."""
    return lambda e: msgspec.structs.replace(e, **{name: getattr(e, name) + by})


def instead(**values: Any) -> Change:
    return lambda e: msgspec.structs.replace(e, **values)


def output_changed(row: int) -> Change:
    """Return a change of the last bit of what was thought of the first instrument."""

    def change(e: DecisionMade) -> DecisionMade:
        columns = np.frombuffer(e.outputs).reshape(5, -1).copy()
        columns[row, 0] = np.nextafter(columns[row, 0], 2.0)
        return msgspec.structs.replace(e, outputs=columns.tobytes())

    return change


FORGERIES: dict[str, tuple[type, Change]] = {
    "an order's lots": (SubmitOrder, one_more("lots")),
    "an order's price": (SubmitOrder, one_more("price_ticks")),
    "an order's reason": (SubmitOrder, instead(reason="timeout")),
    "an order's probability": (SubmitOrder, one_more("p", 1e-12)),
    "an order's side": (SubmitOrder, instead(instrument=1)),
    "a refusal's code": (SignalRefused, instead(code="cash")),
    "a trade's money": (TradeClosed, one_more("pnl_units")),
    "a trade's fees": (TradeClosed, one_more("fees_units")),
    "a trade's kind": (TradeClosed, instead(virtual=True)),
    "a trade's confidence": (TradeClosed, one_more("mode_confidence", 1e-12)),
    "a mode": (ModeChanged, instead(after="TRADING", before="TRADING")),
    "a breaker": (BreakerChanged, instead(after="closed")),
    "a virtual trade": (VirtualTradeOpened, one_more("edge_bps", 1e-9)),
    "a probability's last bit": (DecisionMade, output_changed(0)),
    "an edge's last bit": (DecisionMade, output_changed(1)),
    "a width's last bit": (DecisionMade, output_changed(2)),
    "equity": (DecisionMade, one_more("equity_units")),
    "a time": (DecisionMade, one_more("ts_ms")),
}


def nth_changed(kind: type, change: Change, n: int = 5) -> Any:
    """Return a forger of the n-th effect of a kind that has an opinion (or the last there is)."""
    seen = 0

    def forger(seq: int, event: Any, effects: list[Any]) -> Any:
        nonlocal seen
        out = []
        for effect in effects:
            real = type(effect) is kind and not (
                isinstance(effect, DecisionMade) and np.isnan(np.frombuffer(effect.outputs)[0])
            )
            seen += real
            out.append(change(effect) if real and seen in (1, n) else effect)
        return event, out

    return forger


@pytest.mark.parametrize("what", FORGERIES)
def test_a_forged_effect_is_found(world: Any, forged: Path, what: str) -> None:
    kind, change = FORGERIES[what]
    world.forge(forged, nth_changed(kind, change))
    stepped = restep(forged, world.models)
    assert stepped.mismatches in (1, 2)
    assert stepped.first is not None
    assert stepped.first["journaled"] != stepped.first["stepped"]
    plain(stepped.first)
    certified = certify(forged, world.models)
    assert certified.mismatches >= 1
    assert certified.first is not None
    plain(certified.first)


@pytest.mark.parametrize(
    "kind", [SubmitOrder, SignalRefused, TradeClosed, DecisionMade, VirtualTradeOpened]
)
@pytest.mark.parametrize("change", ["dropped", "doubled"])
def test_an_effect_that_is_missing_or_twice_is_found(
    world: Any, forged: Path, kind: type, change: str
) -> None:
    times = 0 if change == "dropped" else 2
    places = [e for entry in entries(forged) for e in entry.effects if type(e) is kind]
    last = places[-1]

    def forger(seq: int, event: Any, effects: list[Any]) -> Any:
        return event, [e for effect in effects for e in [effect] * (times if effect == last else 1)]

    world.forge(forged, forger)
    assert restep(forged, world.models).mismatches == 1
    assert certify(forged, world.models).mismatches >= 1


def fill_changed(change: Change) -> Any:
    """Return a forger of the third fill."""
    seen = 0

    def forger(seq: int, event: Any, effects: list[Any]) -> Any:
        nonlocal seen
        if isinstance(event, OrderFilled):
            seen += 1
            if seen == 3:
                return change(event), effects
        return event, effects

    return forger


@pytest.mark.parametrize(
    "change",
    [one_more("price_ticks", -1), one_more("fee_units", -100), one_more("ts_ms", 60_000)],
    ids=["price", "fee", "time"],
)
def test_a_forged_fill_is_found(world: Any, forged: Path, change: Change) -> None:
    world.forge(forged, fill_changed(change))
    assert restep(forged, world.models).mismatches > 0
    certified = certify(forged, world.models)
    assert certified.lines["fills"][1] > 0


@pytest.mark.parametrize(("instrument", "found"), [(0, "DifferenceFound"), (-1, "EventRefused")])
def test_a_fill_that_never_was_is_found(
    world: Any, forged: Path, instrument: int, found: str
) -> None:
    """An execution of no order of the run is a mismatch, shown, and no traceback."""
    unknown = "0" * 32

    def forger(seq: int, event: Any, effects: list[Any]) -> Any:
        if isinstance(event, OrderAccepted) and seq > 300:
            return OrderFilled(unknown, event.ts_ms, 1, 10_000, 1, "x1", instrument), effects
        return event, effects

    world.forge(forged, forger)
    stepped = restep(forged, world.models)
    assert stepped.mismatches >= 1
    assert stepped.first is not None
    kinds = [effect["type"] for effect in stepped.first["stepped"]]
    assert found in kinds
    assert found not in [effect["type"] for effect in stepped.first["journaled"]]
    assert "OrderMoved" not in kinds
    certified = certify(forged, world.models)
    assert certified.mismatches >= 1
    assert certified.lines["fills"][1] >= 1


def bar_changed(at: int, column: int, by: float) -> Any:
    """Return a forger of one number of one candle."""
    seen = 0

    def forger(seq: int, event: Any, effects: list[Any]) -> Any:
        nonlocal seen
        if isinstance(event, BarsClosed):
            seen += 1
            if seen == at:
                ohlcv = np.frombuffer(event.ohlcv).reshape(-1, 5).copy()
                ohlcv[0, column] += by
                return msgspec.structs.replace(event, ohlcv=ohlcv.tobytes()), effects
        return event, effects

    return forger


@pytest.mark.parametrize("at", [5, 100, 400], ids=["warming", "early", "late"])
@pytest.mark.parametrize("column", [1, 3, 4], ids=["high", "close", "volume"])
def test_a_changed_bar_is_found(world: Any, forged: Path, at: int, column: int) -> None:
    world.forge(forged, bar_changed(at, column, 0.01))
    assert restep(forged, world.models).mismatches > 0
    assert certify(forged, world.models).mismatches > 0


def test_a_bar_left_out_is_found(world: Any, forged: Path) -> None:
    gone = 0

    def forger(seq: int, event: Any, effects: list[Any]) -> Any:
        nonlocal gone
        if seq > 300 and isinstance(event, BarsClosed) and len(effects) == 1 and not gone:
            gone = seq
            return None
        return event, effects

    world.forge(forged, forger)
    assert restep(forged, world.models).mismatches > 0
    assert certify(forged, world.models).mismatches > 0


@pytest.mark.parametrize("name", ["btc-1m", "eth-5m"])
def test_another_model_is_found(world: Any, done: Any, name: str) -> None:
    score = world.models[name]
    other = world.models | {name: lambda rows: np.minimum(score(rows) * (1 + 1e-9), 1.0)}
    assert restep(done.folder, other).mismatches > 0
    certified = certify(done.folder, other)
    assert certified.mismatches > 0
    assert certified.first is not None
    assert certified.first["kind"] == "decision"


def test_a_model_that_is_never_warm_is_never_called(world: Any, done: Any) -> None:
    def fail(rows: Any) -> Any:
        raise AssertionError("asked for a score before its features were warm")

    other = world.models | {"btc-15m": fail, "eth-15m": fail}
    assert restep(done.folder, other).mismatches == 0
    assert certify(done.folder, other).mismatches == 0


def test_other_rules_are_found(world: Any, forged: Path) -> None:
    def forger(seq: int, event: Any, effects: list[Any]) -> Any:
        if isinstance(event, RunStarted):
            rules = event.setup.rules | {"edge_bps_min": 3.5}
            return RunStarted(msgspec.structs.replace(event.setup, rules=rules)), effects
        return event, effects

    world.forge(forged, forger)
    assert restep(forged, world.models).mismatches > 0
    assert certify(forged, world.models).mismatches > 0


def test_the_first_mismatch_is_shown_in_full(world: Any, forged: Path) -> None:
    world.forge(forged, nth_changed(SubmitOrder, one_more("lots")))
    first = restep(forged, world.models).first
    assert first is not None
    step_orders = [e for e in first["stepped"] if e["type"] == "SubmitOrder"]
    journal_orders = [e for e in first["journaled"] if e["type"] == "SubmitOrder"]
    assert journal_orders[0]["lots"] == step_orders[0]["lots"] + 1
    assert first["event"]["type"] in ("BarsClosed", "OrderFilled")
    certified = certify(forged, world.models).first
    assert certified is not None
    assert certified["kind"] == "orders"
    assert certified["journaled"] != certified["recomputed"]


def test_stopped_and_resumed_runs_pass_both(world: Any, tmp_path: Path) -> None:
    for stop in (1, 60, 200):
        world.run(tmp_path / "run", stopped=world.stop_after(stop), snapshot_events=50)
        assert restep(tmp_path / "run", world.models).mismatches == 0
        assert certify(tmp_path / "run", world.models).mismatches == 0


def test_runs_of_every_make_pass_both(world: Any, tmp_path: Path) -> None:
    """Free of breakers, on one minute a day's edge, without a champion, half a window."""
    worlds = {
        "rules": world.with_(rules=replace(world.rules, participation_max=0.0, stop_enabled=False)),
        "short": world.with_(to_ms=world.from_ms + 60_000),
        "noon": world.with_(from_ms=world.from_ms + 5 * 3_600_000 + 120_000),
        "poor": world.with_(cash_quote=15.0),
        "midnight": world.with_(from_ms=world.from_ms - 3_600_000),
    }
    for name, other in worlds.items():
        end = other.run(tmp_path / name)
        assert end.finished
        assert restep(tmp_path / name, world.models).mismatches == 0, name
        assert certify(tmp_path / name, world.models).mismatches == 0, name
