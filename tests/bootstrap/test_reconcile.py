"""``ares reconcile``: a journal beside a server that has the venue's account."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from tests.paper_engine import PaperEngine, running
from tests.sim.serving import START_MS, Served, serving_in_thread

from ares.bootstrap.reconcile import account_environment, reconciliation
from ares.cli.main import run
from ares.config.workspace import Workspace
from ares.domain.errors import ExternalError, UserError
from ares.domain.events import RunStarted
from ares.domain.holding_events import DifferenceSettled
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.order_events import (
    AccountSeen,
    CommandGiven,
    ExecutionBooked,
    OrderFilled,
    OrderMoved,
    SubmitOrder,
    TimeReached,
)
from ares.domain.run import NO_END, RunInstrument, RunSetup
from ares.domain.timeframe import MINUTE_MS, Timeframe
from ares.journal.run import RunJournal

OWNER = "a1b2c3d4"
STOP, ENTRY = OWNER + "0" * 24, OWNER + "1" * 24
HELD, BOUGHT = 2 * 10**8, 10**6
ENVIRONMENT = "rehearsal/kraken"


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """A server whose account bought, and has a stop that rests."""

    async def trade(scene: Served) -> None:
        exchange = scene.exchange("kraken")
        try:
            await exchange.load_markets()
            parameters = {"clientOrderId": ENTRY, "oflags": "fciq"}
            await exchange.create_order("BTC/USDT", "market", "buy", 0.01, None, parameters)
            parameters = {"clientOrderId": STOP, "oflags": "fciq", "stopLossPrice": "20000"}
            await exchange.create_order("BTC/USDT", "market", "sell", 0.01, None, parameters)
        finally:
            await exchange.close()

    with serving_in_thread("kraken", speed=1.0) as scene:
        asyncio.run(trade(scene))
        yield scene


@pytest.fixture
def workspace(tmp_path: Path, served: Served, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    reader = served.key("reader")
    monkeypatch.setenv("REHEARSAL_KRAKEN_READER_KEY", reader.key)
    monkeypatch.setenv("REHEARSAL_KRAKEN_READER_SECRET", reader.secret)
    found, _ = Workspace.init(tmp_path / "w")
    return found


def journaled(workspace: Workspace, served: Served, exec_ids: list[str] | None = None) -> None:
    """Write the journal of an engine that bought and placed the stop."""
    spec = InstrumentSpec(Instrument("kraken", "BTC/USDT"), 2, 8)
    setup = RunSetup(
        ENVIRONMENT, (RunInstrument(spec, MINUTE_MS, None, False),), (Timeframe("1m"),), -1,
        START_MS, NO_END, START_MS, 1_000.0, {}, 0.5, {}, owner=OWNER,
    )  # fmt: skip
    journal = RunJournal(workspace.journal_dir / ENVIRONMENT, 0)
    records: list[Any] = [
        (RunStarted(setup), []),
        (AccountSeen(START_MS, START_MS, True, (HELD,), ()), []),
    ]
    entry = SubmitOrder(ENTRY, 0, "entry", BOUGHT, 4_000_000, "signal", 0.6, 5.0, 50.0)
    stop = SubmitOrder(STOP, 0, "stop", -BOUGHT, 2_000_000, "stop", 0.6, 5.0, 50.0)
    booked = [
        ExecutionBooked(ENTRY, 0, START_MS, e.lots, e.ticks, e.fee, e.exec_id)
        for order, e in served.account.executions
        if order.requested.client_id == ENTRY and (exec_ids is None or e.exec_id in exec_ids)
    ]
    records += [
        (TimeReached(START_MS), [entry]),
        (TimeReached(START_MS), [*booked, OrderMoved(ENTRY, 0, START_MS, "filled"), stop]),
        (TimeReached(START_MS), [OrderMoved(STOP, 0, START_MS, "accepted")]),
    ]
    for seq, (event, effects) in enumerate(records, 1):
        journal.event(seq, event, START_MS)
        journal.effects(seq, effects)
    journal.close()


def test_what_agrees_to_the_last_unit_is_no_difference(
    workspace: Workspace, served: Served
) -> None:
    journaled(workspace, served)
    found = reconciliation(workspace, ENVIRONMENT, served.address)
    assert found.differing == ()
    assert found.complete
    assert {line.kind for line in found.lines} == {"balance", "order", "execution"}


def test_an_execution_that_the_journal_lacks_is_shown(
    workspace: Workspace,
    served: Served,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    journaled(workspace, served, exec_ids=[])
    monkeypatch.setenv("ARES_WORKSPACE", str(workspace.root))
    arguments = ["reconcile", "--env", ENVIRONMENT, "--address", served.address]
    assert run([*arguments, "--json"]) == 1
    shown = json.loads(capsys.readouterr().out)
    kinds = {line["kind"] for line in shown["lines"] if line["differs"]}
    assert kinds == {"balance", "execution"}
    assert run([*arguments, "--all"]) == 1
    assert "DIFFERS" in capsys.readouterr().out


def test_what_is_missing_is_one_line(
    workspace: Workspace, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="paper has no account at a venue"):
        reconciliation(workspace, "paper")
    with pytest.raises(ExternalError, match="has no journal yet"):
        reconciliation(workspace, ENVIRONMENT, served.address)
    journaled(workspace, served)
    with pytest.raises(UserError, match="is not on this machine"):
        reconciliation(workspace, ENVIRONMENT, "https://api.kraken.com")
    with pytest.raises(ExternalError, match="kraken"):
        reconciliation(workspace, ENVIRONMENT, "http://127.0.0.1:9")
    monkeypatch.delenv("REHEARSAL_KRAKEN_READER_KEY")
    monkeypatch.delenv("REHEARSAL_KRAKEN_READER_SECRET")
    with pytest.raises(UserError, match="REHEARSAL_KRAKEN_READER_SECRET are not set"):
        reconciliation(workspace, ENVIRONMENT, served.address)


def test_the_account_is_that_of_the_only_rehearsal(tmp_path: Path) -> None:
    workspace, _ = Workspace.init(tmp_path / "w")
    with pytest.raises(UserError, match="--env: rehearsal/NAME; none has run"):
        account_environment(workspace, None)
    for name, meant in (("one", "rehearsal/one"), ("two", "")):
        folder = workspace.journal_dir / "rehearsal" / name
        folder.mkdir(parents=True)
        (folder / "000001.journal").touch()
        if meant:
            assert account_environment(workspace, None) == meant
    with pytest.raises(UserError, match="one of rehearsal/one, rehearsal/two"):
        account_environment(workspace, None)
    assert account_environment(workspace, "rehearsal/two") == "rehearsal/two"


@pytest.fixture
def engine(
    workspace: Workspace, served: Served, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PaperEngine]:
    """An engine of the environment that has found two trades of a person."""
    journaled(workspace, served)
    monkeypatch.setenv("ARES_WORKSPACE", str(workspace.root))
    with running(workspace.root, ENVIRONMENT) as found:
        for n, lots in enumerate((5, 7)):
            found.take(OrderFilled("app", found.now_ms(), lots, 10_000, 0, f"app {n}", 0))
        yield found


def settle(served: Served, *words: str) -> int:
    return run(["reconcile", "--env", ENVIRONMENT, "--address", served.address, *words])


def waiting(served: Served, capsys: pytest.CaptureFixture[str], n: int) -> list[str]:
    """Return the ids of what waits, once the engine's heartbeat shows so many."""
    for _ in range(600):
        capsys.readouterr()
        settle(served, "--json")
        found = [d["id"] for d in json.loads(capsys.readouterr().out)["waiting"]]
        if len(found) == n:
            return found
        time.sleep(0.1)
    raise AssertionError(found)


def test_one_difference_after_the_other_is_settled_with_who_and_why(
    engine: PaperEngine, served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = waiting(served, capsys, 2)
    words = ("--settle", "ignore", "--reason", "my phone")
    assert settle(served, *words, "--difference", first) == 0
    out = capsys.readouterr().out
    assert "wait for a person" in out
    assert f"{first} (execution app 0): 1 settled" in out
    (given,) = [e for e in engine.events if isinstance(e, CommandGiven)]
    assert given.who
    assert given.args["how"] == "ignore"
    assert given.args["reason"] == "my phone"
    assert waiting(served, capsys, 1) == [second]
    assert settle(served, "--settle", "adopt", "--reason", "it is ours", "--json") == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer[0]["outcome"] == "refused"  # this engine has no prices
    assert "no price of it is known yet" in answer[0]["detail"]
    assert settle(served, "--settle", "correct", "--reason", "as it stands") == 0
    assert waiting(served, capsys, 0) == []
    assert settle(served, *words) == 1
    assert "no difference waits" in capsys.readouterr().err
    assert [e.how for e in engine.effects if isinstance(e, DifferenceSettled)] == [
        "ignore", "correct",
    ]  # fmt: skip


def test_at_a_terminal_each_is_asked_for(
    engine: PaperEngine,
    served: Served,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waiting(served, capsys, 2)
    assert settle(served, "--settle", "ask") == 2
    assert "--settle ask asks at a terminal" in capsys.readouterr().err
    typed = iter(["sell", "ignore", "my phone", "skip"])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr(typer, "prompt", lambda *_, **__: next(typed))
    assert settle(served, "--settle", "ask") == 0
    assert len(engine.state.differences) == 1
    assert list(typed) == []


def test_settling_needs_an_engine_and_a_reason(
    workspace: Workspace,
    served: Served,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    journaled(workspace, served)
    monkeypatch.setenv("ARES_WORKSPACE", str(workspace.root))
    assert settle(served, "--settle", "ignore") == 2
    assert "--settle needs a --reason" in capsys.readouterr().err
    assert settle(served, "--settle", "forget", "--reason", "x") == 2
    assert settle(served, "--settle", "ignore", "--reason", "x") == 3
